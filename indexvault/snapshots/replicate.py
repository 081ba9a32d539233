"""Copy an index's snapshots to a second store, each one whole before it exists there.

For each snapshot that the second store lacks, the oldest first: check the chunks it lacks in the first store, so that
no damage is copied; copy them, from account to account if possible; compare all chunks by size and MD5 with those of
the first store; write the manifest. So whenever a replication is interrupted, every snapshot that exists in the second
store can be restored from it.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta

import msgspec

from indexvault.errors import ConflictError, IndexvaultError, IntegrityError, NotFoundError, RefusedError, RemoteError
from indexvault.model import Clock
from indexvault.snapshots.announcements import announced, write_announced
from indexvault.snapshots.catalogue import list_snapshots, read_manifest
from indexvault.snapshots.checksum import has_checksum
from indexvault.snapshots.chunks import Chunk, OnChunk
from indexvault.snapshots.known import note_snapshot
from indexvault.snapshots.manifest import MANIFEST_LIMIT, Manifest
from indexvault.snapshots.names import SERVICE_OBJECTS, SnapshotReference, manifest_name
from indexvault.snapshots.reader import read_chunk, read_stored_chunk
from indexvault.snapshots.service_manifest import read_service_manifest, summarise_service
from indexvault.snapshots.store import BlobProperties, SnapshotReader, Store
from indexvault.snapshots.summary import Summary, summarise, to_metadata

COPIES_AT_ONCE = 16

_REPLACED = "what the other store holds under this name is not authentic; delete its manifest, then replicate again"

_LOG = logging.getLogger(__name__)


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

    `copied` are ids, `chunks` and stored `bytes` what was copied, `by_the_accounts` how many of the chunks went from
    account to account. `lag` is what is left.
    """

    copied: tuple[str, ...]
    skipped: tuple[SkippedSnapshot, ...]
    chunks: int
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
    source: Store, replica: Store, service: str, index: str, *, clock: Clock, progress: OnChunk | None = None
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
        chunks=replicator.chunks,
        bytes=replicator.bytes,
        by_the_accounts=replicator.by_the_accounts,
        lag=lag(here, await list_snapshots(replica.snapshots, service, index), clock()),
    )


async def replicate_snapshot(
    source: Store, replica: Store, snapshot: Summary, *, clock: Clock, progress: OnChunk | None = None
) -> int:
    """Copy one snapshot to a store that may lack it, and return how many chunks were copied.

    Raises RemoteError if a store can't be reached; IntegrityError, NotFoundError or ConflictError if the snapshot can't
    be copied.
    """
    replicator = _Replicator(source, replica, clock, progress)
    await replicator.replicate(snapshot)
    return replicator.chunks


class _Replicator:
    def __init__(self, source: Store, replica: Store, clock: Clock, progress: OnChunk | None) -> None:
        self._source = source
        self._replica = replica
        self._clock = clock
        self._progress = progress
        self._accounts_copy = True
        self.chunks = 0
        self.bytes = 0
        self.by_the_accounts = 0

    async def replicate(self, snapshot: Summary) -> None:
        if snapshot.index == SERVICE_OBJECTS:
            objects = await read_service_manifest(self._source.snapshots, snapshot.reference)
            written = await self._write_manifest(snapshot.reference, lambda size: summarise_service(objects, size))
            await note_snapshot(self._replica.runs, written)
            return
        manifest = await read_manifest(self._source.snapshots, snapshot)
        async with announced(self._replica.runs, manifest, self._clock()):
            arrived = await _listed(self._replica.snapshots, manifest)
            lacking = {
                manifest.folder.blob(chunk.sha256): chunk
                for chunk in manifest.chunks
                if manifest.folder.blob(chunk.sha256) not in arrived
            }
            await self._copy_all(manifest, lacking)
        # Again, since copying may have taken longer than an announcement counts.
        summary = await write_announced(
            self._replica,
            manifest,
            clock=self._clock,
            check=lambda: self._require_same(manifest),
            write=lambda: self._write_manifest(snapshot.reference, lambda _: summarise(manifest)),
        )
        await note_snapshot(self._replica.runs, summary)

    async def _copy_all(self, manifest: Manifest, lacking: Mapping[str, Chunk]) -> None:
        waiting = iter(lacking.items())

        async def work() -> None:
            for name, chunk in waiting:
                await self._copy(manifest, name, chunk)
                self.chunks += 1
                self.bytes += chunk.stored
                if self._progress is not None:
                    self._progress(chunk)

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(COPIES_AT_ONCE, len(lacking))):
                    group.create_task(work())
        except* IndexvaultError as errors:
            raise errors.exceptions[0] from None

    async def _copy(self, manifest: Manifest, name: str, chunk: Chunk) -> None:
        one, other = self._source.snapshots, self._replica.snapshots
        # Check it before it is copied: accounts copy damage as it is.
        stored, _ = await read_stored_chunk(one, manifest.folder, chunk)
        if self._accounts_copy and await self._copy_by_the_accounts(name):
            return
        await other.create(name, stored, content_type="application/gzip")

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

    async def _require_same(self, manifest: Manifest) -> None:
        """Compare the snapshot's chunks in both stores. Those whose MD5 is unknown are read back."""
        sent, arrived = (
            await _listed(self._source.snapshots, manifest),
            await _listed(self._replica.snapshots, manifest),
        )
        for chunk in manifest.chunks:
            name = manifest.folder.blob(chunk.sha256)
            one, other = sent.get(name), arrived.get(name)
            if other is None:
                raise NotFoundError("the chunk did not arrive", on=name, do="Replicate again")
            same = one is not None and (one.size, one.content_md5) == (other.size, other.content_md5)
            if not same or other.content_md5 is None:
                await read_chunk(self._replica.snapshots, manifest.folder, chunk)

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


async def _listed(blobs: SnapshotReader, manifest: Manifest) -> dict[str, BlobProperties]:
    return {blob.name: blob async for blob in blobs.list(manifest.folder.prefix)}
