"""A snapshot is announced before it is committed, so that no sweep takes a chunk from under it.

A backup may find that a chunk is there already which no manifest names any more: one left over from a removed snapshot,
which a sweep is about to delete. Neither waits for the other. The backup writes its announcement and then looks for a
sweep; the sweep writes which chunks it is about to delete and then looks for announcements and manifests. Whichever
comes second sees the first, whatever the pace of either: the sweep leaves announced chunks alone, and the backup
refuses to commit on chunks that are being swept.
"""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import msgspec

from indexvault.errors import OutdatedReadingError, RemoteError
from indexvault.snapshots.chunks import Digest
from indexvault.snapshots.manifest import AwareTime, Manifest
from indexvault.snapshots.names import ChunkFolder, announcement_name, announcements_prefix, sweep_name
from indexvault.snapshots.records import read_record, read_records
from indexvault.snapshots.store import RunBlobs

ANNOUNCED_FOR = timedelta(days=1)
"""How long an announcement counts whose run never came back. A commit takes minutes."""

_LOG = logging.getLogger(__name__)


class Announcement(msgspec.Struct, frozen=True):
    """The chunks of a snapshot that is about to be committed."""

    made: AwareTime
    generation: str
    chunks: tuple[Digest, ...]


class SweepRecord(msgspec.Struct, frozen=True):
    """The blobs that a sweep is about to delete; after `until` it deletes no more, and is dead if it is still here."""

    until: AwareTime
    blobs: tuple[str, ...]


@asynccontextmanager
async def announced(runs: RunBlobs, manifest: Manifest, now: datetime) -> AsyncIterator[None]:
    """Keep sweeps away from a manifest's chunks while the block checks that they are there and commits.

    Raises OutdatedReadingError when one of them is being swept. When the block fails the announcement stays, since the
    manifest may have been written all the same; it stops counting by itself.
    """
    name = announcement_name(manifest.service, manifest.index, manifest.id)
    chunks = tuple(chunk.sha256 for chunk in manifest.chunks)
    record = Announcement(made=now, generation=manifest.generation, chunks=chunks)
    await runs.put(name, msgspec.json.encode(record))
    await _require_unswept(runs, manifest, now)
    yield
    try:
        await runs.delete(name)
    except RemoteError as error:
        _LOG.warning("an announcement stays until it expires: %s", error)


async def is_being_swept(runs: RunBlobs, service: str, index: str, now: datetime) -> bool:
    """Return whether a sweep of an index's chunks is under way."""
    sweep = await read_record(runs, sweep_name(service, index), SweepRecord)
    return sweep is not None and sweep.until > now


async def announced_chunks(runs: RunBlobs, service: str, index: str, now: datetime) -> set[str]:
    """Return the names of all chunks that announcements of the last day speak of; older ones are removed."""
    found: set[str] = set()
    async for snapshot, record in read_records(runs, announcements_prefix(service, index), Announcement):
        if now - record.made < ANNOUNCED_FOR:
            folder = ChunkFolder(service=service, index=index, generation=record.generation)
            found.update(folder.blob(sha256) for sha256 in record.chunks)
        else:
            await runs.delete(announcement_name(service, index, snapshot))
    return found


async def _require_unswept(runs: RunBlobs, manifest: Manifest, now: datetime) -> None:
    sweep = await read_record(runs, sweep_name(manifest.service, manifest.index), SweepRecord)
    if sweep is None or sweep.until <= now:
        return
    swept = {manifest.folder.blob(chunk.sha256) for chunk in manifest.chunks} & set(sweep.blobs)
    if swept:
        raise OutdatedReadingError(
            f"{len(swept)} of its chunks are being removed as no other snapshot names them; it was not written",
            on=f"snapshot {manifest.service}/{manifest.index}@{manifest.id}",
            do="Run the backup again: it stores what is missing",
        )
