"""A backup announces its snapshot before it commits it, so that no sweep deletes a pack the snapshot needs.

A backup may reuse a pack that no manifest names any more: one left over from a removed snapshot, which a sweep is
about to delete, or one that is about to be rewritten. Neither waits for the other. The backup writes its announcement
and then looks for a sweep; the sweep writes which packs it is about to delete and then looks for announcements and
manifests. Whichever comes second sees the first: the sweep leaves announced packs alone, and the backup refuses to
commit on packs that are being swept, unless they were rewritten and it finds what it needs in its new place.

A backup announces under the name of its plan, and in the same record fixes the snapshot's id: a commit that is repeated
finds both there.

An announcement counts for a day. A process may be suspended for longer between its check of the packs and its
manifest, so `write_announced` looks at the clock before and after.
"""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import msgspec

from indexvault.errors import IndexvaultError, IntegrityError, OutdatedReadingError, RemoteError
from indexvault.model import Clock
from indexvault.snapshots.manifest import AwareTime, Manifest
from indexvault.snapshots.names import PackFolder, manifest_name
from indexvault.snapshots.records import RecordStore, Version
from indexvault.snapshots.run_names import announcement_name, announcements_prefix, sweep_name
from indexvault.snapshots.store import RunBlobs, Store
from indexvault.snapshots.tree import Tree
from indexvault.snapshots.used_packs import UsedPacks, require_packs

ANNOUNCED_FOR = timedelta(days=1)
"""How long the announcement of a run that died counts. A commit takes minutes."""

RELIED_ON_FOR = ANNOUNCED_FOR / 2
"""How long a run relies on its own announcement: the clock of a sweep may be ahead."""

SWEEP_FOR = timedelta(hours=1)
"""How long one sweep works at most; the next one does the rest."""

LAST_CALL = timedelta(minutes=15)
"""Longer than one deletion takes at most: none is begun in this time before a sweep ends, so none ends after it."""

_LOG = logging.getLogger(__name__)


class Announcement(msgspec.Struct, frozen=True):
    """The tree of a snapshot that is about to be committed. Its segments are stored already.

    `id` and `created` are what the snapshot will have, if whoever announces it may have to find them again.
    """

    made: AwareTime
    generation: str
    tree: Tree
    id: str = ""
    created: AwareTime | None = None


class Announced(msgspec.Struct, frozen=True):
    """An announcement that was written under the name of a plan: whoever made it removes it, after its other records.

    As long as it is there, a commit that is repeated looks for the manifest.
    """

    name: str
    made: AwareTime


class SweepRecord(msgspec.Struct, frozen=True):
    """The blobs that a sweep is about to delete. It deletes none after `until`; a record older than that is stale.

    Both times are by the clock of the sweep, which may be wrong; how long they are apart is right. Among the blobs are
    those of a sweep that it took over from, which may be in the middle of a deletion. When it `is_over`, only these are
    left.
    """

    until: AwareTime
    blobs: tuple[str, ...]
    is_over: bool = False
    made: AwareTime | None = None


@asynccontextmanager
async def announced(
    store: Store, manifest: Manifest, used: UsedPacks, now: datetime, *, earlier: Announced | None = None
) -> AsyncIterator[None]:
    """Keep sweeps away from a manifest's packs while the block checks that they are there and commits.

    It is announced now, unless it was `earlier` at the same time, and then it is left announced. Raises
    OutdatedReadingError if one of the packs is being swept. If the block fails the announcement stays, since the
    manifest may have been written all the same; it expires by itself.
    """
    name = earlier.name if earlier is not None else announcement_name(manifest.service, manifest.index, manifest.id)
    if earlier is None or earlier.made != now:
        await RecordStore(store.runs, Announcement).write(name, _announcement_of(manifest, now))
    await _require_unswept(store, manifest, used, name, now)
    yield
    if earlier is None:
        await forget_announcement(store.runs, name)


async def announce_once(
    runs: RunBlobs, name: str, fresh: Announcement, *, is_valid: Callable[[Announcement], bool]
) -> Announcement:
    """Announce a snapshot under a name unless an earlier attempt has, and return what is announced then.

    An earlier announcement of the same tree keeps its id, so that two attempts can't make two snapshots; it is made
    again if it has stood for long. One of another tree, or that is not valid, is replaced. Raises IntegrityError if it
    can't be read.
    """
    records = RecordStore(runs, Announcement)
    there = await records.write_once(name, fresh)
    if there == fresh:
        return fresh
    if (there.generation, there.tree) != (fresh.generation, fresh.tree) or not is_valid(there):
        there = fresh
    elif timedelta() <= fresh.made - there.made < RELIED_ON_FOR / 2:
        return there
    else:
        there = msgspec.structs.replace(there, made=fresh.made)
    await records.write(name, there)
    return there


async def read_announcement(runs: RunBlobs, name: str) -> Announcement | None:
    """Return what is announced under a name, or None. Raises IntegrityError if it can't be read."""
    return await RecordStore(runs, Announcement).read(name)


async def forget_announcement(runs: RunBlobs, name: str) -> None:
    """Remove an announcement. A store that fails is logged and not raised: it expires by itself."""
    try:
        await runs.delete(name)
    except RemoteError as error:
        _LOG.warning("an announcement stays until it expires: %s", error)


def _announcement_of(manifest: Manifest, now: datetime) -> Announcement:
    return Announcement(
        made=now, generation=manifest.generation, tree=manifest.tree, id=manifest.id, created=manifest.created
    )


async def write_announced[Written](
    store: Store,
    manifest: Manifest,
    used: UsedPacks,
    *,
    clock: Clock,
    check: Callable[[], Awaitable[None]],
    write: Callable[[], Awaitable[Written]],
    earlier: Announced | None = None,
) -> Written:
    """Check that a manifest's packs are there and write it, and keep sweeps away from them all the while.

    It may have been announced `earlier` (see `announced`). If that took longer than an announcement is relied on, it is
    announced and checked again; a manifest that was written by then and fails is removed. Raises as `announced`,
    `check` and `write` do.
    """
    written: list[Written] = []
    made = clock() if earlier is None else earlier.made
    while True:
        try:
            async with announced(store, manifest, used, made, earlier=earlier):
                await check()
                if not written and clock() - made < RELIED_ON_FOR:
                    written.append(await write())
        except IndexvaultError:
            if written:
                await store.snapshots.delete(manifest_name(manifest.service, manifest.index, manifest.id))
            raise
        if written and clock() - made < RELIED_ON_FOR:
            return written[0]
        made = clock()


async def is_being_swept(runs: RunBlobs, service: str, index: str, now: datetime) -> bool:
    """Return whether a sweep of an index's packs is under way."""
    sweep = await RecordStore(runs, SweepRecord).read(sweep_name(service, index))
    return sweep is not None and sweep.until > now


async def announced_trees(
    runs: RunBlobs, service: str, index: str, now: datetime, *, forget: bool = True
) -> list[tuple[PackFolder, Tree]]:
    """Return the trees in announcements of the last day, with where their packs lie.

    Older announcements are removed, unless `forget` is False.
    """
    found: list[tuple[PackFolder, Tree]] = []
    async for name, record in RecordStore(runs, Announcement).list(announcements_prefix(service, index)):
        if now - record.made < ANNOUNCED_FOR:
            found.append((PackFolder(service=service, index=index, generation=record.generation), record.tree))
        elif forget:
            await runs.delete(name)
    return found


async def _require_unswept(store: Store, manifest: Manifest, used: UsedPacks, name: str, now: datetime) -> None:
    found = await RecordStore(store.runs, SweepRecord).read_version(sweep_name(manifest.service, manifest.index))
    if found is None or not found.record.blobs or await _is_stale(store, name, found, now):
        return
    try:
        await require_packs(store.snapshots, manifest, used, without=frozenset(found.record.blobs))
    except IntegrityError as error:
        raise OutdatedReadingError(
            f"what it needs of {error.on} is being removed as no other snapshot names it; it was not written",
            on=f"snapshot {manifest.service}/{manifest.index}@{manifest.id}",
            do="Run the backup again: it stores what is missing",
        ) from error


async def _is_stale(store: Store, name: str, sweep: Version[SweepRecord], now: datetime) -> bool:
    """Return whether a sweep has ended without taking its declaration back, as when its process was killed."""
    if sweep.record.until > now:
        return False
    # The clock here may be ahead. The store's has been read twice: for that record, and for the announcement.
    announcement = await RecordStore(store.runs, Announcement).read_version(name)
    if announcement is None or announcement.modified is None or sweep.modified is None:
        return True
    lasts = sweep.record.until - sweep.record.made if sweep.record.made is not None else SWEEP_FOR
    return announcement.modified - sweep.modified >= lasts
