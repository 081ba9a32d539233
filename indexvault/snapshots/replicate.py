"""Copy an index's snapshots to a second store, each one whole before it exists there.

For each snapshot that the second store lacks, the oldest first: check the packs it lacks in the first store, so that no
damage is copied; copy them, from account to account if possible; compare all packs by size and MD5 with those of the
first store; write the manifest. So whenever a replication is interrupted, every snapshot that exists in the second
store can be restored from it.

Each store is pruned by itself. Where the first has rewritten a pack that the second lacks, its record of locations and
the new packs are copied; a second store that still has the old pack needs nothing. Where both have rewritten it and the
second has not kept all that is needed, or a pack is damaged in what the snapshot does not need, its members are copied.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import batched

import msgspec

from indexvault.errors import ConflictError, IndexvaultError, IntegrityError, NotFoundError, RefusedError, RemoteError
from indexvault.model import Clock
from indexvault.snapshots.announcements import announced, write_announced
from indexvault.snapshots.catalogue import list_snapshots, read_manifest
from indexvault.snapshots.checksum import has_checksum
from indexvault.snapshots.copy_members import MemberCopier
from indexvault.snapshots.damage import CheckedSnapshot
from indexvault.snapshots.known import note_snapshot
from indexvault.snapshots.lacking_packs import Copy, WantedPacks, lacking_packs, listed_packs, wanted_packs
from indexvault.snapshots.locations import MovedPacks, decode_locations
from indexvault.snapshots.manifest import MANIFEST_LIMIT, Manifest
from indexvault.snapshots.names import (
    SERVICE_OBJECTS,
    SnapshotReference,
    manifest_name,
    repair_advice,
)
from indexvault.snapshots.pack_store import CONTENT_TYPE, require_pack
from indexvault.snapshots.packs import PACK_LIMIT, is_sound
from indexvault.snapshots.service_manifest import read_service_manifest, summarise_service
from indexvault.snapshots.slices import WHOLE
from indexvault.snapshots.store import BlobProperties, SnapshotReader, Store
from indexvault.snapshots.summary import Summary, summarise, to_metadata
from indexvault.snapshots.tree_check import TreeChecker

COPIES_AT_ONCE = 4
"""Packs that are checked and copied at once, each held in memory."""

PACKS_AT_ONCE = 8
"""Packs of which only members are copied, for one look through the tree."""

_REPLACED = "what the other store holds under this name is not authentic; delete its manifest, then replicate again"

_LOG = logging.getLogger(__name__)


type OnCopy = Callable[[int, int], None]
"""Called with the documents of the snapshot in what was copied, and its bytes, to report progress."""


class Lag(msgspec.Struct, frozen=True):
    """How far a replica is behind: snapshots it lacks, and how long ago the oldest of them was taken."""

    snapshots: int
    time: timedelta


class SkippedSnapshot(msgspec.Struct, frozen=True):
    """A snapshot, by its id, that was not copied, and why in words."""

    snapshot: str
    why: str


class ReplicationReport(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a replication.

    `copied` are ids, `packs` and `bytes` what was copied, records of locations included, `by_the_accounts` how many of
    the packs went from account to account. `lag` is what is left.
    """

    copied: tuple[str, ...]
    skipped: tuple[SkippedSnapshot, ...]
    packs: int
    bytes: int
    by_the_accounts: int
    lag: Lag


def lag(source: Iterable[Summary], replica: Iterable[Summary], now: datetime) -> Lag:
    """Return how far a replica of an index's snapshots is behind.

    Damaged snapshots can't be copied and don't count; nor does what is there in place of an authentic one.
    """
    there = {snapshot.id: snapshot for snapshot in replica if snapshot.state != "damaged"}
    lacking = [
        each.created
        for each in source
        if each.state != "damaged" and (each.id not in there or _is_replaced(each, there[each.id]))
    ]
    return Lag(snapshots=len(lacking), time=max(now - min(lacking), timedelta(0)) if lacking else timedelta(0))


def _is_replaced(snapshot: Summary, copy: Summary) -> bool:
    """Return whether a replica holds under an authentic snapshot's name what nobody with the key has written."""
    return snapshot.authenticity == "authentic" and copy.authenticity == "unauthentic"


async def replicate_index(
    source: Store, replica: Store, service: str, index: str, *, clock: Clock, progress: OnCopy | None = None
) -> ReplicationReport:
    """Copy the snapshots of an index that a second store lacks.

    A snapshot that can't be copied, since it is damaged, being removed, or its name is taken by a forged one, is
    skipped with the reason. Raises RemoteError if a store can't be reached.
    """
    here = await list_snapshots(source.snapshots, service, index)
    there = {snapshot.id: snapshot for snapshot in await list_snapshots(replica.snapshots, service, index)}
    replicator = _Replicator(source, replica, clock, progress)
    copied, skipped = [], []
    for snapshot in sorted(here, key=lambda each: (each.created, each.id)):
        if snapshot.id in there:
            if _is_replaced(snapshot, there[snapshot.id]):
                skipped.append(SkippedSnapshot(snapshot.id, _REPLACED))
            continue
        try:
            await replicator.replicate(snapshot)
            copied.append(snapshot.id)
        except (IntegrityError, NotFoundError, ConflictError) as error:
            skipped.append(SkippedSnapshot(snapshot.id, f"{error.on}: {error.what}"))
    return ReplicationReport(
        copied=tuple(copied),
        skipped=tuple(skipped),
        packs=replicator.packs,
        bytes=replicator.bytes,
        by_the_accounts=replicator.by_the_accounts,
        lag=lag(here, await list_snapshots(replica.snapshots, service, index), clock()),
    )


async def replicate_snapshot(
    source: Store, replica: Store, snapshot: Summary, *, clock: Clock, progress: OnCopy | None = None
) -> int:
    """Copy one snapshot to a store that may lack it, and return how many packs were copied.

    Raises RemoteError if a store can't be reached; IntegrityError, NotFoundError or ConflictError if the snapshot can't
    be copied.
    """
    replicator = _Replicator(source, replica, clock, progress)
    await replicator.replicate(snapshot)
    return replicator.packs


class _Replicator:
    def __init__(self, source: Store, replica: Store, clock: Clock, progress: OnCopy | None) -> None:
        self._source = source
        self._replica = replica
        self._clock = clock
        self._progress = progress
        self._accounts_copy = True
        self.packs = 0
        self.bytes = 0
        self.by_the_accounts = 0

    async def replicate(self, snapshot: Summary) -> None:
        if snapshot.index == SERVICE_OBJECTS:
            objects = await read_service_manifest(self._source.snapshots, snapshot.reference)
            written = await self._write_manifest(snapshot.reference, lambda size: summarise_service(objects, size))
            await note_snapshot(self._replica.runs, written)
            return
        manifest = await read_manifest(self._source.snapshots, snapshot)
        wanted = await wanted_packs(self._source.snapshots, manifest)
        async with announced(self._replica, manifest, wanted.used, self._clock()):
            lacking = await lacking_packs(self._source.snapshots, self._replica.snapshots, manifest, wanted)
            await self._copy_all(manifest, lacking)
        # Again, since copying may have taken longer than an announcement counts.
        summary = await write_announced(
            self._replica,
            manifest,
            wanted.used,
            clock=self._clock,
            check=lambda: self._require_same(manifest, wanted),
            write=lambda: self._write_manifest(snapshot.reference, lambda _: summarise(manifest)),
        )
        await note_snapshot(self._replica.runs, summary)

    async def _copy_all(self, manifest: Manifest, lacking: Sequence[Copy]) -> None:
        packs = iter([each for each in lacking if each.how == "pack"])
        damaged: list[Copy] = []

        async def work() -> None:
            damaged.extend([each for each in packs if not await self._copy(each)])

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(COPIES_AT_ONCE):
                    group.create_task(work())
        except* IndexvaultError as errors:
            raise errors.exceptions[0] from None
        await self._copy_members(manifest, [*damaged, *(each for each in lacking if each.how == "members")])
        for each in lacking:
            if each.how == "record":
                await self._copy(each)

    async def _copy(self, copy: Copy) -> bool:
        """Copy a blob, and return False if it is a pack that is damaged."""
        # Check it before it is copied: accounts copy damage as it is.
        name = copy.name.blob
        data = await self._source.snapshots.read(name, PACK_LIMIT)
        if copy.how == "record":
            decode_locations(data, name)
        elif not await asyncio.to_thread(is_sound, copy.name.sha256, data):
            return False
        if not (self._accounts_copy and await self._copy_by_the_accounts(name)):
            await self._replica.snapshots.create(name, data, content_type=CONTENT_TYPE)
        self._count(1, len(data), copy.documents)
        return True

    async def _copy_members(self, manifest: Manifest, copies: Sequence[Copy]) -> None:
        """Copy what the snapshot needs of packs that can't be copied whole, some packs at once."""
        for some in batched(copies, PACKS_AT_ONCE, strict=False):
            copier = MemberCopier(self._source.snapshots, self._replica, manifest, self._clock)
            await copier.copy([each.name for each in some])
            self._count(copier.packs, copier.bytes, sum(each.documents for each in some))
            for each in some:
                if each.how == "pack":
                    _LOG.warning(
                        "%s is damaged in what snapshot %s does not need; what that needs was copied. %s",
                        *(each.name.blob, manifest.id, "Keep the second store until the first is repaired"),
                    )

    def _count(self, packs: int, size: int, documents: int) -> None:
        self.packs += packs
        self.bytes += size
        if self._progress is not None:
            self._progress(documents, size)

    async def _copy_by_the_accounts(self, name: str) -> bool:
        """Have the replica's account copy a blob; return whether it did."""
        try:
            grant = await self._source.snapshots.grant(name)
            if grant is None:
                return False
            await self._replica.snapshots.copy(name, grant)
        except (RefusedError, RemoteError, NotFoundError) as error:
            # Firewalls, private endpoints and tenants keep accounts apart that this machine can reach both of.
            self._accounts_copy = False
            _LOG.warning("the accounts can't copy among themselves, so bytes go through here: %s", error)
            return False
        self.by_the_accounts += 1
        return True

    async def _require_same(self, manifest: Manifest, wanted: WantedPacks) -> None:
        """Compare the snapshot's packs in both stores. Those whose MD5 is unknown or another one are read back.

        What the replica holds in rewritten packs is looked for in its new place.
        """
        folder = manifest.folder
        here = await listed_packs(self._source.snapshots, folder)
        there = await listed_packs(self._replica.snapshots, folder)
        moved = MovedPacks(self._replica.snapshots, folder)
        is_moved = False
        for name_of, used in ((folder.pack, wanted.used.chunks), (folder.segments, wanted.used.segments)):
            packs, seen = list(used), set(used)
            while packs:
                pack = packs.pop()
                one, other = here.get(name_of(pack)), there.get(name_of(pack))
                if other is None:
                    record = await moved.find(pack)
                    if record is None:
                        raise NotFoundError("the pack did not arrive", on=name_of(pack), do="Replicate again")
                    is_moved = True
                    packs += set(record.packs) - seen
                    seen.update(record.packs)
                elif other.content_md5 is None or one is None or not _are_alike(one, other):
                    await require_pack(self._replica.snapshots, name_of, pack)
        if is_moved:
            await _require_places(self._replica.snapshots, manifest, there)

    async def _write_manifest(self, reference: SnapshotReference, summary_of: Callable[[int], Summary]) -> Summary:
        """Write the manifest as it is, with a new summary, since the source's metadata may be wrong."""
        name = manifest_name(reference.service, reference.index, reference.id or "")
        data = await self._source.snapshots.read(name, MANIFEST_LIMIT)
        if not has_checksum(data):
            raise IntegrityError("its checksum does not match its bytes", on=name, do="Repair it, then replicate again")
        summary = summary_of(len(data))
        metadata = self._replica.snapshots.authority.signed_metadata(name, data, to_metadata(summary))
        await self._replica.snapshots.create(name, data, metadata=metadata, content_type="application/json")
        return summary


async def _require_places(blobs: SnapshotReader, manifest: Manifest, there: Mapping[str, BlobProperties]) -> None:
    """Raise IntegrityError unless each chunk lies in a pack that is there and large enough."""
    checker = TreeChecker(blobs, there, "sizes", WHOLE, None)
    snapshot = CheckedSnapshot(
        id=manifest.id,
        folder=manifest.folder,
        tree=manifest.tree,
        key_field=manifest.key_field,
        content_digest=manifest.content_digest,
    )
    await checker.check(snapshot)
    for finding in await checker.damage.findings(blobs, [snapshot]) if checker.damage else ():
        raise IntegrityError(finding.what, on=finding.blob, do=repair_advice(finding.blob))


def _are_alike(one: BlobProperties, other: BlobProperties) -> bool:
    return (one.size, one.content_md5) == (other.size, other.content_md5)
