"""What a reading by changes goes by, and its durable records."""

from datetime import datetime

import msgspec

from indexvault.backup.changes.fields import Unit
from indexvault.backup.external_sort import SortedRun
from indexvault.snapshots.chunks import Digest
from indexvault.snapshots.manifest import Added, AwareTime, Presumption
from indexvault.snapshots.names import SnapshotReference
from indexvault.snapshots.tree import Tree
from indexvault.snapshots.used_packs import UsedPacks


class ChangesPlan(msgspec.Struct, frozen=True, kw_only=True):
    """Which documents to read, and the snapshot to merge them into.

    `since` is the lower bound of the field, as a literal; `changed` and `valueless` are how many documents were counted
    from there on, and without a value. `documents` are those of the `base`. `proved` is the last snapshot whose run
    read the whole index, made at `proved_at`.
    """

    base: SnapshotReference
    base_started: AwareTime
    documents: int
    field: str
    unit: Unit
    margin: int
    since: str
    changed: int
    valueless: int
    proved: str
    proved_at: AwareTime

    @property
    def presumption(self) -> Presumption:
        """What the snapshot rests on."""
        return Presumption(
            field=self.field,
            margin=self.margin,
            since=self.since,
            base=self.base.id or "",
            proved=self.proved,
            proved_at=self.proved_at,
        )


class ChangedDocuments(msgspec.Struct, frozen=True):
    """The documents that the field says were changed, in sorted runs; of two versions, the later run has the newer."""

    runs: list[SortedRun]
    documents: int
    bytes: int
    requests: int
    finished: datetime


class MergedChanges(msgspec.Struct, frozen=True, kw_only=True):
    """The tree of the base with all changes merged in; everything in it is stored.

    `chunks` and `segments` are packs that it uses, with the bytes each has at least, without those that are only used
    below segments that were taken over. `again` is how many key ranges were read again as their counts differed, `open`
    how many documents the counts leave open.
    """

    tree: Tree
    digest: Digest
    added: Added
    chunks: dict[str, int]
    segments: dict[str, int]
    requests: int
    changed: int = 0
    deleted: int = 0
    found: int = 0
    again: int = 0
    open: int = 0

    @property
    def used(self) -> UsedPacks:
        """The packs, as a commit asks for them."""
        used = UsedPacks()
        used.chunks.update(self.chunks)
        used.segments.update(self.segments)
        return used


CHANGED_PART, MERGED_PART = "changed", "edited"
