"""Find what a snapshot will lack because the service does not return it."""

from collections.abc import Iterable

from indexvault.search.documents import ELEVATED_ROLE
from indexvault.search.schema import Schema
from indexvault.search.secret_scan import is_for_secrets
from indexvault.snapshots.manifest import Loss, Withheld

DOCUMENTS = "(documents)"
"""Stands for the field in a loss of whole documents."""
DEFINITION = "(definition)"
"""Stands for the field in a loss of something in the index's definition."""
_SYNONYM_MAP = "(synonym map "


def losses(schema: Schema) -> list[Loss]:
    """Return each field that documents are returned without, and why, in the schema's order.

    Source: field attributes `retrievable` and `stored`, REST reference, 2026-09.
    """
    return [
        Loss(
            field=path,
            reason="stored is false: the service keeps no copy of this vector that it could return"
            if field.stored is False
            else "retrievable is false: the service returns documents without this field",
        )
        for path, field in schema.walk()
        if not field.is_readable
    ]


def lost_content(withheld: Iterable[Withheld]) -> list[Loss]:
    """Return a loss for each withheld value that was in a member not meant for secrets, so may have been content.

    A secret in a member meant for it is no loss: like the secrets that the service redacts, a restore supplies it.
    """
    return [
        Loss(
            field=DEFINITION if each.kind == "indexes" else f"{_SYNONYM_MAP}{each.name})",
            reason=f"{each.path} looks like a secret and was not kept",
        )
        for each in withheld
        if not is_for_secrets(each.path)
    ]


def is_lost_content(loss: Loss) -> bool:
    """Return whether a loss is of a definition's content, not of a field or of documents."""
    return loss.field == DEFINITION or loss.field.startswith(_SYNONYM_MAP)


def hidden_fields(schema: Schema, *, revealed_in: Schema | None = None) -> list[str]:
    """Return the paths of hidden fields that could be revealed; with `revealed_in`, only those readable in it."""
    hidden = [path for path, field in schema.walk() if not field.is_readable and field.stored is not False]
    if revealed_in is None:
        return hidden
    readable = {path for path, field in revealed_in.walk() if field.is_readable}
    return [path for path in hidden if path in readable]


def out_of_sight(schema: Schema, *, elevated: bool, counted: int, found: int) -> list[Loss]:
    """Return the loss of documents that access lists may hide from this caller, if any."""
    if elevated or not schema.is_protected:
        return []
    return [
        Loss(
            field=DOCUMENTS,
            reason="documents are protected one by one and this caller was refused to read them all, which takes"
            f" {ELEVATED_ROLE}: queries find {found:,} of the {counted:,} that the service counts",
        )
    ]
