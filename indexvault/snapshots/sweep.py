"""Sweep an index: remove the chunks that no manifest names.

A chunk is removed if no manifest names it, it was written longer ago than the grace period, and the last snapshot that
named it was removed longer ago than that. See `announcements` for why a backup may run at the same time.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import msgspec

from indexvault.errors import ConflictError, IndexvaultError, IntegrityError, NotFoundError
from indexvault.model import Clock
from indexvault.snapshots.announcements import SweepRecord, announced_chunks
from indexvault.snapshots.catalogue import read_manifest
from indexvault.snapshots.known import forget_snapshot, known_snapshots, lost_snapshots
from indexvault.snapshots.names import (
    SERVICE_OBJECTS,
    ChunkFolder,
    SnapshotReference,
    manifest_name,
    manifests_prefix,
    parse_chunk_name,
    parse_manifest_name,
)
from indexvault.snapshots.records import RecordStore
from indexvault.snapshots.run_names import sweep_name
from indexvault.snapshots.store import BlobProperties, RunBlobs, SnapshotReader, SnapshotWriter, Store
from indexvault.snapshots.tombstones import Tombstone, read_tombstones, remove_tombstones

GRACE = timedelta(days=1)
"""How long a chunk stays after it was written, and after the last snapshot that named it was removed."""

SWEEP_FOR = timedelta(hours=1)
"""How long one sweep deletes at most; the next one removes the rest."""

_DELETES_AT_ONCE = 8
_LAST_CALL = timedelta(minutes=15)
"""Longer than one deletion takes at most: none is begun in this time before a sweep ends, so none ends after it."""


class Refusal(msgspec.Struct, frozen=True):
    """A blob that could not be deleted, and why in words."""

    blob: str
    why: str


class SweepReport(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a sweep: chunks removed and their stored bytes, chunks in their grace period, blobs refused.

    `hindrance` says why nothing could be swept at all; it is empty otherwise.
    """

    removed: int = 0
    removed_bytes: int = 0
    waiting: int = 0
    waiting_bytes: int = 0
    refused: tuple[Refusal, ...] = ()
    hindrance: str = ""


def sweepable(
    unnamed: Iterable[BlobProperties], tombstones: Iterable[Tombstone], now: datetime, grace: timedelta
) -> list[BlobProperties]:
    """Return the chunks whose grace period is over, of those that no manifest names.

    A tombstone that doesn't know its chunks holds all of them back until its own period is over.
    """
    held: set[tuple[str, str]] = set()
    for tombstone in tombstones:
        if now - tombstone.removed < grace:
            if tombstone.chunks is None:
                return []
            held.update((tombstone.generation, sha256) for sha256 in tombstone.chunks)
    return [
        blob
        for blob in unnamed
        if now - blob.modified >= grace
        and (chunk := parse_chunk_name(blob.name)) is not None
        and (chunk[0].generation, chunk[1]) not in held
    ]


async def sweep_index(
    store: Store, service: str, index: str, *, clock: Clock, grace: timedelta = GRACE, dry_run: bool = False
) -> SweepReport:
    """Remove the chunks of an index that no snapshot needs.

    Nothing is removed while a manifest can't be read or has vanished, since what it names is not known. Raises
    ConflictError if another sweep of the index runs, RemoteError if the store can't be read.
    """
    now = clock()
    seen: set[str] = set()
    try:
        named = await _named_chunks(store.snapshots, service, index, seen)
    except IntegrityError as error:
        return SweepReport(hindrance=f"{error.on}: {error.what}")
    for lost in await _lost(store, service, index, seen):
        return SweepReport(hindrance=f"{lost}: its manifest has vanished, so its chunks are not known")
    # After the manifests: if one was removed since it was listed, its tombstone exists by now.
    tombstones = await read_tombstones(store.runs, service, index)
    unnamed = [
        blob
        async for blob in store.snapshots.list(ChunkFolder(service=service, index=index).prefix)
        if blob.name not in named and parse_chunk_name(blob.name) is not None
    ]
    due = sweepable(unnamed, tombstones.values(), now, grace)
    report = SweepReport(
        waiting=len(unnamed) - len(due),
        waiting_bytes=sum(blob.size for blob in unnamed) - sum(blob.size for blob in due),
    )
    if dry_run:
        return msgspec.structs.replace(report, removed=len(due), removed_bytes=sum(blob.size for blob in due))
    if due:
        report = await _sweep(store, service, index, due=due, seen=seen, report=report, clock=clock)
    if not report.refused and not report.hindrance:
        over = [snapshot for snapshot, tombstone in tombstones.items() if now - tombstone.removed >= grace]
        for snapshot in over:
            reference = SnapshotReference(service=service, index=index, id=snapshot)
            if manifest_name(service, index, snapshot) not in seen:
                # A prune that died, or a record written late, may have left it.
                await forget_snapshot(store.runs, reference)
        await remove_tombstones(store.runs, service, index, over)
    return report


async def _sweep(
    store: Store,
    service: str,
    index: str,
    *,
    due: list[BlobProperties],
    seen: set[str],
    report: SweepReport,
    clock: Clock,
) -> SweepReport:
    until = clock() + SWEEP_FOR
    async with _declared(store.runs, sweep_name(service, index), due, until, clock()):
        # Announcements before manifests: a removed announcement has become a manifest.
        spared = await announced_chunks(store.runs, service, index, clock())
        try:
            spared |= await _named_chunks(store.snapshots, service, index, seen)
        except IntegrityError as error:
            return msgspec.structs.replace(report, hindrance=f"{error.on}: {error.what}")
        going = [blob for blob in due if blob.name not in spared]
        removed, refused = await _delete(store.snapshots, going, until, clock)
    return msgspec.structs.replace(
        report, removed=len(removed), removed_bytes=sum(blob.size for blob in removed), refused=tuple(refused)
    )


async def _delete(
    blobs: SnapshotWriter, going: list[BlobProperties], until: datetime, clock: Clock
) -> tuple[list[BlobProperties], list[Refusal]]:
    waiting = iter(going)
    removed: list[BlobProperties] = []
    refused: list[Refusal] = []

    async def work() -> None:
        for blob in waiting:
            if clock() > until - _LAST_CALL:
                return
            try:
                await blobs.delete(blob.name)
                removed.append(blob)
            except ConflictError as error:
                refused.append(Refusal(blob=blob.name, why=error.what))

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(min(_DELETES_AT_ONCE, len(going))):
                group.create_task(work())
    except* IndexvaultError as errors:
        raise errors.exceptions[0] from None
    return removed, sorted(refused, key=lambda refusal: refusal.blob)


async def _named_chunks(blobs: SnapshotReader, service: str, index: str, seen: set[str]) -> set[str]:
    """Return the chunks named by the manifests that are not in `seen`, and add those manifests to it."""
    named: set[str] = set()
    async for blob in blobs.list(manifests_prefix(service, index)):
        if blob.name in seen:
            continue
        if index == SERVICE_OBJECTS:  # its manifests name no chunks
            seen.add(blob.name)
            continue
        reference = parse_manifest_name(blob.name)
        if reference is None:
            raise IntegrityError("a foreign blob stands among the manifests", on=blob.name, do="Find out who wrote it")
        named.update(await _chunks_of(blobs, reference))
        seen.add(blob.name)
    return named


async def _lost(store: Store, service: str, index: str, seen: set[str]) -> list[SnapshotReference]:
    known = await known_snapshots(store.runs, service, index)
    unseen = [each for each in known if manifest_name(service, index, each.id or "") not in seen]
    return await lost_snapshots(store.snapshots, store.runs, unseen)


async def _chunks_of(blobs: SnapshotReader, reference: SnapshotReference) -> list[str]:
    try:
        manifest = await read_manifest(blobs, reference)
    except NotFoundError:
        # Removed since it was listed: its tombstone keeps its chunks.
        return []
    return [manifest.folder.blob(chunk.sha256) for chunk in manifest.chunks]


@asynccontextmanager
async def _declared(
    runs: RunBlobs, name: str, due: list[BlobProperties], until: datetime, now: datetime
) -> AsyncIterator[None]:
    """Record which blobs are about to be deleted. Raises ConflictError if another sweep of the index runs."""
    sweeps = RecordStore(runs, SweepRecord)
    earlier = await sweeps.read_version(name)
    if earlier is not None and earlier.record.until > now:
        raise ConflictError("its chunks are being swept already", on=name, do="Wait until that has finished")
    record = SweepRecord(until=until, blobs=tuple(blob.name for blob in due))
    try:
        etag = await sweeps.write(name, record, if_match=earlier.etag if earlier else None, if_absent=earlier is None)
    except ConflictError:
        written = await sweeps.read_version(name)
        if written is None or written.record != record:
            raise
        etag = written.etag  # the answer to a first attempt was lost
    try:
        yield
    finally:
        await sweeps.remove(name, if_match=etag)
