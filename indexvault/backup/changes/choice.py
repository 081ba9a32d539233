"""Decide whether a run reads only what changed, and into which snapshot that is merged."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

import msgspec

from indexvault.backup.definition_changes import concerns_only_searching, same_definition
from indexvault.backup.losses import DOCUMENTS
from indexvault.settings.model import ChangesSettings
from indexvault.snapshots.manifest import Definition, Loss, Manifest
from indexvault.snapshots.summary import Summary


class Now(msgspec.Struct, frozen=True, kw_only=True):
    """What an index is like as a run begins, as far as it decides what the run can build on.

    `restored` is when a restore last wrote to it, None if none has.
    """

    started: datetime
    key_field: str
    generation: str
    definition: Definition
    etag: str
    losses: Sequence[Loss]
    revealed: Sequence[str]
    restored: datetime | None


def candidate(summaries: Sequence[Summary]) -> Summary | None:
    """Return the snapshot that a run could build on: the newest that was read from the index and leaves nothing open.

    A lossy one will do: what the service does not return is missing from the changes alike. One that is unsettled will
    not, nor will one that is damaged, not trusted or imported.
    """
    fit = [
        each
        for each in summaries
        if each.state in {"complete", "lossy", "presumed"} and each.is_trusted and not each.is_imported
    ]
    return max(fit, key=lambda each: each.id, default=None)


def proof_of(base: Manifest) -> tuple[str, datetime]:
    """Return the id and the time of the last snapshot, from a base down, whose run read the whole index."""
    presumption = base.presumption
    return (base.id, base.created) if presumption is None else (presumption.proved, presumption.proved_at)


def why_in_full(base: Manifest | None, now: Now, changes: ChangesSettings) -> str | None:
    """Return why a run must read the whole index, in words; None if it may build on the base."""
    if base is None:
        return "there is no snapshot to build on"
    return next(_reasons(base, now, changes), None)


def _reasons(base: Manifest, now: Now, changes: ChangesSettings) -> Iterator[str]:
    yield from _reasons_of_time(base, now, changes)
    if base.presumption is not None and base.presumption.field != changes.field:
        yield f"the last snapshot went by {base.presumption.field}, and not by {changes.field}"
    if base.key_field != now.key_field:
        yield "the index has another key field than the last snapshot"
    if base.generation != now.generation:
        yield "a new generation of chunks is due"
    if base.reading is not None and set(base.reading.revealed) != set(now.revealed):
        yield "other fields are revealed than in the last snapshot"
    if _fields(base.losses) != _fields(now.losses):
        yield "the service returns other fields or documents than for the last snapshot"
    if (fault := _definition_fault(base, now)) is not None:
        yield fault


def _reasons_of_time(base: Manifest, now: Now, changes: ChangesSettings) -> Iterator[str]:
    _proved, proved_at = proof_of(base)
    if base.authenticity == "unauthentic":
        yield f"nobody vouches for {base.id}, the last snapshot"
    if base.started > now.started:
        yield f"{base.id}, the last snapshot, was begun in the future"
    if now.restored is not None and now.restored >= base.started - changes.margin:
        yield "a restore has written to the index since its last snapshot, with older times"
    if now.started - proved_at >= changes.prove_every:
        yield f"the last full reading is of {proved_at:%Y-%m-%d %H:%M} UTC, and one is due {_every(changes)}"


def _definition_fault(base: Manifest, now: Now) -> str | None:
    if same_definition(base.definition, now.definition):
        if base.etag.after == now.etag:
            return None
        return "the index was made anew since the last snapshot, or its definition changed and changed back"
    if concerns_only_searching(base.definition, now.definition):
        # Whether it is the same index as before, nothing shows: its documents may have come back with the same times.
        return "the definition has changed since the last snapshot, or the index was made anew with another one"
    return "the definition has changed since the last snapshot in what documents depend on"


def _fields(losses: Sequence[Loss]) -> set[str]:
    """Return the fields that are lost, and whether whole documents are."""
    return {loss.field for loss in losses if loss.field == DOCUMENTS or not loss.field.startswith("(")}


def _every(changes: ChangesSettings) -> str:
    every = changes.prove_every
    if every % timedelta(days=1):
        return f"every {every / timedelta(hours=1):g} hours"
    return f"every {every.days} days" if every.days > 1 else "every day"
