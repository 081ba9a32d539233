"""What of an index its service does not give out."""

from collections.abc import Iterable

from indexvault.backup.access import is_protected
from indexvault.search.schema import Schema
from indexvault.search.secret_scan import is_for_secrets
from indexvault.snapshots.manifest import Loss, Withheld

DOCUMENTS = "(documents)"
"""Stands in a field's place where whole documents are missing."""
DEFINITION = "(definition)"
_SYNONYM_MAP = "(synonym map "


def losses(schema: Schema) -> list[Loss]:
    """Return each field that documents come back without, and why, in the schema's order.

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
    """Return a loss for each value that was taken for a secret where none belongs, and so was part of the content.

    A secret where one belongs is no loss: like those that the service keeps to itself, whoever restores supplies it.
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
    """Return whether a loss is one of a definition's content, and not of a field or of documents."""
    return loss.field == DEFINITION or loss.field.startswith(_SYNONYM_MAP)


def hidden_fields(schema: Schema, *, revealed_in: Schema | None = None) -> list[str]:
    """Return the paths of hidden fields that could be returned; with `revealed_in`, only those that schema returns."""
    hidden = [path for path, field in schema.walk() if not field.is_readable and field.stored is not False]
    if revealed_in is None:
        return hidden
    readable = {path for path, field in revealed_in.walk() if field.is_readable}
    return [path for path in hidden if path in readable]


def out_of_sight(schema: Schema, *, elevated: bool, counted: int, found: int) -> list[Loss]:
    """Return the loss of documents that access lists keep from this caller, if it can be one."""
    if elevated or not is_protected(schema):
        return []
    return [
        Loss(
            field=DOCUMENTS,
            reason="documents are protected one by one and this caller was refused to read them all: queries find"
            f" {found:,} of the {counted:,} that the service counts",
        )
    ]
