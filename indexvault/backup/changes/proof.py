"""Say what presumed snapshots had missed, once a full reading knows.

The full reading is compared with the last presumed snapshot, by their trees. A document that differs and whose field
lies before what the next reading by changes would have asked for was changed without the field: every such reading
would have missed it. One that was deleted is found by counts, unless another was added in its place without the field:
so of these two, as many count as missed as there are of both.
"""

import logging
from collections import Counter
from collections.abc import Callable
from contextlib import aclosing
from datetime import datetime, timedelta
from typing import Any

from indexvault.backup.answers import value_reader
from indexvault.backup.changes.choice import candidate
from indexvault.backup.changes.fields import Unit, literal_at, unit_of
from indexvault.errors import UNDECODABLE, ConflictError, IntegrityError, NotFoundError
from indexvault.search.schema import Field, read_schema
from indexvault.snapshots.catalogue import list_snapshots, read_manifest
from indexvault.snapshots.diff import DiffTally, DocumentChange, diff_snapshots
from indexvault.snapshots.field_diff import changed_fields
from indexvault.snapshots.manifest import Manifest, Missed, MissedField, Presumption
from indexvault.snapshots.store import SnapshotReader

MOST_FIELDS = 20
"""Fields that are named, those that had changed in most documents first."""
_LOG = logging.getLogger(__name__)


async def find_missed(blobs: SnapshotReader, full: Manifest, *, restored: datetime | None) -> Missed | None:
    """Return what the snapshots before a full reading had missed, or None if the last one is not presumed.

    `full` need not be committed, but what its tree leads to must be stored. None too, which is logged, if the last one
    can't be read: that must not keep a good reading from being committed. None if a restore has written to the index
    since, `restored`: what it brought back would count as changed without the field, which no writer has done.
    """
    before = candidate(
        [
            each
            for each in await list_snapshots(blobs, full.service, full.index)
            if each.created <= full.created and each.id != full.id
        ]
    )
    if before is None or before.state != "presumed":
        return None
    try:
        manifest = await read_manifest(blobs, before)
        if manifest.presumption is None or manifest.authenticity == "unauthentic":
            return None
        if restored is not None and restored >= manifest.started - timedelta(seconds=manifest.presumption.margin):
            _LOG.info("what %s had missed is not known: a restore has written to the index since", before.reference)
            return None
        return await compare(blobs, manifest, manifest.presumption, full)
    except (IntegrityError, NotFoundError, ConflictError, *UNDECODABLE) as error:
        _LOG.warning("what %s had missed is not known: %s", before.reference, error)
        return None


async def compare(blobs: SnapshotReader, presumed: Manifest, presumption: Presumption, full: Manifest) -> Missed:
    """Return what a presumed snapshot, and a reading by changes at the time of the full one, would have missed."""
    tally = _Tally(presumed, presumption, full)
    async with aclosing(diff_snapshots(blobs, presumed, full, DiffTally())) as changes:
        async for change in changes:
            tally.note(change)
    return tally.missed()


class _Tally:
    def __init__(self, presumed: Manifest, presumption: Presumption, full: Manifest) -> None:
        self._snapshot = presumed.id
        self._path = presumption.field
        schema = read_schema(full.definition.fullest.body, on=f"snapshot {full.id}")
        self._field = next((field for path, field in schema.walk() if path == presumption.field), None)
        self._unit = _unit(self._field, presumption)
        self._read: Callable[[bytes], Any] = value_reader(presumption.field)
        self._from = datetime.fromtimestamp(presumed.started.timestamp() - presumption.margin, presumed.started.tzinfo)
        self._explained = self._changed = self._added = self._removed = self._stood_still = 0
        self._fields: Counter[str] = Counter()

    def note(self, change: DocumentChange) -> None:
        if change.after is None:
            self._removed += 1
            return
        value = self._read(change.after)
        if change.before is not None and value is not None and value == self._read(change.before):
            self._stood_still += 1
        if self._is_explained(value):
            self._explained += 1
        elif change.before is None:
            self._added += 1
        else:
            self._changed += 1
            self._fields.update(changed_fields(change.before, change.after))

    def missed(self) -> Missed:
        pairs = min(self._added, self._removed)
        return Missed(
            snapshot=self._snapshot,
            field=self._path,
            documents=self._changed + 2 * pairs,
            changed=self._changed,
            added=pairs,
            gone=pairs,
            explained=self._explained,
            stood_still=self._stood_still,
            fields=tuple(MissedField(path, number) for path, number in self._fields.most_common(MOST_FIELDS)),
        )

    def _is_explained(self, value: Any) -> bool:
        """Return whether a reading by changes would have asked for a document with this value: nulls it always does."""
        if value is None or self._field is None:
            return True
        if self._unit is None:
            return False
        if self._unit == "time":
            try:
                return datetime.fromisoformat(str(value)) >= self._from
            except (ValueError, TypeError):
                return False
        return isinstance(value, int | float) and value >= int(literal_at(self._unit, self._from))


def _unit(field: Field | None, presumption: Presumption) -> Unit | None:
    """Return the unit in which a reading asked for documents: that of its bound, whatever a document's own may be."""
    if field is None:
        return None
    try:
        return unit_of(field, float(presumption.since)) if unit_of(field, None) != "time" else "time"
    except ValueError:
        return None
