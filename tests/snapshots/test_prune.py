"""Pruning: what is removed, what stays, and that a backup at the same time loses nothing."""

import contextlib
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from indexvault.errors import ConflictError, IntegrityError, NotFoundError
from indexvault.snapshots.announcements import ANNOUNCED_FOR, SweepRecord, announced
from indexvault.snapshots.catalogue import list_snapshots, read_manifest
from indexvault.snapshots.chunks import add_digests
from indexvault.snapshots.manifest import Manifest
from indexvault.snapshots.names import ChunkFolder, SnapshotReference, manifest_name
from indexvault.snapshots.pins import Pin, pin, read_pins, unpin
from indexvault.snapshots.prune import PruneReport, Removal, decide_proved, prune_index, remove_snapshot
from indexvault.snapshots.retention import Retention
from indexvault.snapshots.run_names import sweep_name, tombstone_name
from indexvault.snapshots.store import BlobProperties, Store
from indexvault.snapshots.sweep import SWEEP_FOR, sweep_index, sweepable
from indexvault.snapshots.tombstones import Tombstone, write_tombstone
from indexvault.snapshots.writer import commit, commit_announced, store_chunk
from tests.memory_store import MemoryStore
from tests.snapshots.samples import cut, document, documents, manifest_of, verified, write_snapshot

type Action = Callable[[], Awaitable[None]]

DAY = timedelta(days=1)
EAST, HOTELS = "contoso-east", "hotels"


@dataclass
class Calendar:
    """A clock that only the test moves. It starts now: a real store sets the times of its blobs."""

    now: datetime

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def calendar() -> Calendar:
    return Calendar(datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1))


async def snapshot(store: Store, calendar: Calendar, changed: Iterable[int] = (), *, days: int = 0) -> Manifest:
    lines = documents(range(400)) | dict(document(number, f" {days}") for number in changed)
    manifest, _ = await write_snapshot(
        store.snapshots, lines, created=calendar.now - timedelta(days=100 - days), run=f"r{days:03}"
    )
    return manifest


async def prune(store: Store, calendar: Calendar, *going: Manifest) -> PruneReport:
    removals = [Removal(manifest.id, "older than the last 2") for manifest in going]
    return await prune_index(store, EAST, HOTELS, removals, clock=calendar)


async def chunk_names(store: Store) -> set[str]:
    return {blob.name async for blob in store.snapshots.list(ChunkFolder(service=EAST, index=HOTELS).prefix)}


def named(*manifests: Manifest) -> set[str]:
    return {manifest.folder.blob(chunk.sha256) for manifest in manifests for chunk in manifest.chunks}


async def test_the_manifest_goes_at_once_and_its_own_chunks_after_the_grace_period(
    store: Store, calendar: Calendar
) -> None:
    old, new = await snapshot(store, calendar), await snapshot(store, calendar, [7, 300], days=1)
    report = await prune(store, calendar, old)
    assert report.removed == (old.id,)
    assert (report.sweep.removed, report.sweep.waiting) == (0, 2)
    assert [summary.id for summary in await list_snapshots(store.snapshots)] == [new.id]
    assert await chunk_names(store) == named(old, new)
    calendar.now += DAY
    report = await prune(store, calendar)
    assert (report.sweep.removed, report.sweep.waiting) == (2, 0)
    assert report.sweep.removed_bytes > 0
    assert await chunk_names(store) == named(new)
    assert not (await verified(store.snapshots, new)).damage
    assert await store.runs.read(tombstone_name(EAST, HOTELS, old.id), 1 << 20) is None


async def test_a_failed_backup_s_chunks_go_and_a_running_one_s_stay(store: Store, calendar: Calendar) -> None:
    kept = await snapshot(store, calendar)
    for sealed in cut(dict(document(number, " new") for number in range(20))):
        await store_chunk(store.snapshots, kept.folder, sealed, {})
    assert (await prune(store, calendar)).sweep.removed == 0
    calendar.now += DAY
    assert (await prune(store, calendar)).sweep.removed > 0
    assert await chunk_names(store) == named(kept)


async def test_a_complete_snapshot_of_the_future_stands_for_no_other(store: Store, calendar: Calendar) -> None:
    """`@latest` does not mean it, so without the other there would be nothing to restore."""
    old, future = await snapshot(store, calendar), await snapshot(store, calendar, days=1000)
    for going in ([old], [old, future]):
        with pytest.raises(ConflictError, match="no complete snapshot would be left"):
            await prune(store, calendar, *going)
    assert (await prune(store, calendar, future)).removed == (future.id,)


async def test_what_is_no_chunk_is_never_removed(store: Store, calendar: Calendar) -> None:
    kept = await snapshot(store, calendar)
    foreign = f"{kept.folder.prefix}notes.txt"
    await store.snapshots.create(foreign, b"keep out")
    calendar.now += 100 * DAY
    await prune(store, calendar)
    assert foreign in await chunk_names(store)


async def test_chunks_of_another_generation_go_by_their_own_manifests(store: Store, calendar: Calendar) -> None:
    old = await snapshot(store, calendar)
    lines = documents(range(400))
    fresh, _ = await write_snapshot(store.snapshots, lines, created=calendar.now - DAY, run="fresh", generation="g2")
    await prune(store, calendar, old)
    calendar.now += DAY
    assert (await prune(store, calendar)).sweep.removed == len(old.chunks)
    assert await chunk_names(store) == named(fresh)


async def test_a_snapshot_pinned_at_the_last_moment_stays(store: Store, calendar: Calendar) -> None:
    old, _new = await snapshot(store, calendar), await snapshot(store, calendar, days=1)
    reference = SnapshotReference(service=EAST, index=HOTELS, id=old.id)
    assert await pin(store, reference, Pin(calendar.now, "audit")) == reference
    await pin(store, reference, Pin(calendar.now, "again"))
    assert await read_pins(store.runs, EAST, HOTELS) == {old.id: Pin(calendar.now, "audit")}
    report = await prune(store, calendar, old)
    assert (report.removed, report.pinned) == ((), (old.id,))
    await pin(store, reference, Pin(calendar.now))
    assert await unpin(store.runs, reference)
    assert not await unpin(store.runs, reference)
    assert (await prune(store, calendar, old)).removed == (old.id,)


async def test_a_snapshot_that_is_being_removed_can_t_be_pinned(store: Store, calendar: Calendar) -> None:
    old, _new = await snapshot(store, calendar), await snapshot(store, calendar, days=1)
    reference = SnapshotReference(service=EAST, index=HOTELS, id=old.id)
    await store.runs.put(tombstone_name(EAST, HOTELS, old.id), msgspec.json.encode(Tombstone(calendar.now, "old")))
    with pytest.raises(ConflictError, match="being removed"):
        await pin(store, reference, Pin(calendar.now))
    assert await read_pins(store.runs, EAST, HOTELS) == {}
    await remove_snapshot(store, reference, "old", clock=calendar)
    with pytest.raises(NotFoundError):
        await pin(store, reference, Pin(calendar.now))


async def test_a_pin_outlives_a_second_one_that_comes_during_a_removal(store: Store, calendar: Calendar) -> None:
    one, _ = await snapshot(store, calendar), await snapshot(store, calendar, [7], days=1)
    reference = SnapshotReference(service=EAST, index=HOTELS, id=one.id)
    await pin(store, reference, Pin(calendar.now, "audit"))
    await write_tombstone(store.runs, EAST, HOTELS, one.id, Tombstone(removed=calendar.now, reason="killed here"))
    with pytest.raises(ConflictError, match="is being removed"):
        await pin(store, reference, Pin(calendar.now, "again"))
    assert (await prune(store, calendar, one)).pinned == (one.id,)
    assert (await read_pins(store.runs, EAST, HOTELS))[one.id].reason == "audit"


async def test_what_another_prune_has_removed_stops_nothing(store: Store, calendar: Calendar) -> None:
    one, other, _ = [await snapshot(store, calendar, [day], days=day) for day in range(3)]
    await prune(store, calendar, one)
    report = await prune(store, calendar, one, other)
    assert report.removed == (other.id,)


@pytest.mark.parametrize(("damaged", "kept"), [(2, [2, 1]), (0, [2, 0]), (1, [2, 1])])
async def test_a_manifest_that_can_t_be_read_stays_and_nothing_goes_for_its_sake(
    store: Store, calendar: Calendar, damaged: int, kept: list[int]
) -> None:
    made = [await snapshot(store, calendar, [day], days=day) for day in range(3)]
    name = manifest_name(EAST, HOTELS, made[damaged].id)
    properties = await store.snapshots.properties(name)
    assert properties is not None
    await store.snapshots.delete(name)
    await store.snapshots.create(name, b"{}", metadata=properties.metadata, content_type="application/json")
    listed = await list_snapshots(store.snapshots)
    assert [each.state for each in listed] == ["complete"] * 3
    decisions = await decide_proved(store, listed, [Retention(last=1)], now=calendar.now)
    assert [each.snapshot.id for each in decisions if each.keep] == [made[number].id for number in kept]
    reasons = next(each.reasons for each in decisions if each.snapshot.id == made[damaged].id)
    assert reasons == ("its manifest can't be read",)


async def test_the_last_complete_snapshot_is_not_removed_whoever_asks(store: Store, calendar: Calendar) -> None:
    first, second = await snapshot(store, calendar), await snapshot(store, calendar, days=1)
    with pytest.raises(ConflictError, match="no complete snapshot"):
        await prune(store, calendar, first, second)
    assert len(await list_snapshots(store.snapshots)) == 2


async def test_nothing_is_swept_while_a_manifest_can_t_be_read(store: Store, calendar: Calendar) -> None:
    old, _new = await snapshot(store, calendar), await snapshot(store, calendar, [1], days=1)
    broken = manifest_name(EAST, HOTELS, "20260101T000000Z-abcdef")
    await store.snapshots.create(broken, b"{}")
    await prune(store, calendar, old)
    before = await chunk_names(store)
    calendar.now += DAY
    report = await prune(store, calendar)
    assert broken in report.sweep.hindrance
    assert await chunk_names(store) == before


async def test_a_damaged_snapshot_can_be_removed_and_its_chunks_wait_like_others(
    store: Store, calendar: Calendar
) -> None:
    old, _new = await snapshot(store, calendar), await snapshot(store, calendar, [1], days=1)
    name = manifest_name(EAST, HOTELS, old.id)
    data = bytearray(await store.snapshots.read(name, 1 << 20))
    data[100] ^= 1
    await store.snapshots.delete(name)
    await store.snapshots.create(name, bytes(data))
    calendar.now += DAY
    assert (await prune(store, calendar, old)).sweep.waiting == 1
    calendar.now += DAY
    assert (await prune(store, calendar)).sweep.removed == 1


async def test_a_refused_removal_is_reported_and_leaves_the_snapshot_whole(calendar: Calendar) -> None:
    store = MemoryStore(clock=calendar)
    old, new = await snapshot(store, calendar), await snapshot(store, calendar, [1], days=1)
    store.snapshots.immutable = {manifest_name(EAST, HOTELS, old.id)}
    report = await prune(store, calendar, old)
    assert [refusal.blob for refusal in report.refused] == [manifest_name(EAST, HOTELS, old.id)]
    assert await store.runs.read(tombstone_name(EAST, HOTELS, old.id), 1 << 20) is None
    assert not (await verified(store.snapshots, old)).damage
    (only,) = named(old) - named(new)
    store.snapshots.immutable = {only}
    await prune(store, calendar, old)
    calendar.now += DAY
    report = await prune(store, calendar)
    assert [(refusal.blob, refusal.why) for refusal in report.sweep.refused] == [
        (only, "an immutability policy keeps the blob")
    ]
    assert only in await chunk_names(store)
    store.snapshots.immutable = set()
    assert (await prune(store, calendar)).sweep.removed == 1


async def test_a_killed_removal_is_finished_by_the_next(store: Store, calendar: Calendar) -> None:
    old, new = await snapshot(store, calendar), await snapshot(store, calendar, [1], days=1)
    reference = SnapshotReference(service=EAST, index=HOTELS, id=old.id)
    await remove_snapshot(store, reference, "old", clock=calendar)
    dead = SweepRecord(until=calendar.now + DAY, blobs=tuple(named(old)))
    await store.runs.put(sweep_name(EAST, HOTELS), msgspec.json.encode(dead))
    calendar.now += DAY
    assert (await prune(store, calendar)).sweep.removed == 1
    assert await chunk_names(store) == named(new)


async def test_two_sweeps_at_once_are_one_too_many(store: Store, calendar: Calendar) -> None:
    old, _new = await snapshot(store, calendar), await snapshot(store, calendar, [1], days=1)
    await prune(store, calendar, old)
    calendar.now += DAY
    running = SweepRecord(until=calendar.now + SWEEP_FOR, blobs=())
    await store.runs.put(sweep_name(EAST, HOTELS), msgspec.json.encode(running))
    with pytest.raises(ConflictError, match="swept already"):
        await prune(store, calendar)


async def test_a_sweep_whose_announcement_got_no_answer_goes_on(calendar: Calendar) -> None:
    """The store sends it again by itself, and finds it there."""
    store = MemoryStore("east", calendar)
    kept = await snapshot(store, calendar)
    for sealed in cut(dict(document(number, " new") for number in range(20))):
        await store_chunk(store.snapshots, kept.folder, sealed, {})
    calendar.now += DAY
    put = store.runs.put

    async def put_twice(name: str, data: bytes, **conditions: Any) -> str:
        etag = await put(name, data, **conditions)
        return await put(name, data, **conditions) if name == sweep_name(EAST, HOTELS) else etag

    store.runs.put = put_twice  # type: ignore[method-assign]
    assert (await prune(store, calendar)).sweep.removed > 0
    assert await store.runs.read(sweep_name(EAST, HOTELS), 10_000) is None


class TestWithABackup:
    """A backup finds an old chunk that no manifest names while a sweep is about to delete it."""

    async def left_over(self, store: Store, calendar: Calendar) -> tuple[Manifest, Manifest]:
        """Return a removed snapshot whose own chunk is due, and one that stays."""
        old, kept = await snapshot(store, calendar), await snapshot(store, calendar, [1], days=1)
        await prune(store, calendar, old)
        calendar.now += 2 * DAY
        return old, kept

    async def store_again(self, store: Store, calendar: Calendar, kept: Manifest) -> Manifest:
        """Back up the removed documents again, up to the commit."""
        known = {chunk.sha256: chunk.stored for chunk in kept.chunks}
        sealed = cut(documents(range(400)))
        stored = [await store_chunk(store.snapshots, kept.folder, each, known) for each in sealed]
        assert not any(part.added for part in stored)
        digest = add_digests(part.digest for part in stored)
        return manifest_of([part.chunk for part in stored], digest, created=calendar.now, run="again")

    async def test_a_backup_that_announced_first_keeps_its_chunk(self, store: Store, calendar: Calendar) -> None:
        _old, kept = await self.left_over(store, calendar)
        again = await self.store_again(store, calendar, kept)
        async with announced(store.runs, again, calendar.now):
            report = await sweep_index(store, EAST, HOTELS, clock=calendar)
            assert report.removed == 0
            await commit(store.snapshots, again)
        assert (await sweep_index(store, EAST, HOTELS, clock=calendar)).removed == 0
        assert not (await verified(store.snapshots, again)).damage

    async def test_a_backup_that_comes_after_the_sweep_is_refused(self, store: Store, calendar: Calendar) -> None:
        _old, kept = await self.left_over(store, calendar)
        again = await self.store_again(store, calendar, kept)
        assert (await sweep_index(store, EAST, HOTELS, clock=calendar)).removed == 1
        async with announced(store.runs, again, calendar.now):
            with pytest.raises(IntegrityError, match="the chunk is gone"):
                await commit(store.snapshots, again)
        assert len(await list_snapshots(store.snapshots)) == 1

    async def test_a_backup_in_the_middle_of_the_sweep_is_refused(self, store: Store, calendar: Calendar) -> None:
        old, kept = await self.left_over(store, calendar)
        again = await self.store_again(store, calendar, kept)
        sweep = SweepRecord(until=calendar.now + SWEEP_FOR, blobs=tuple(named(old)))
        await store.runs.put(sweep_name(EAST, HOTELS), msgspec.json.encode(sweep))
        with pytest.raises(ConflictError, match="being removed"):
            async with announced(store.runs, again, calendar.now):
                pytest.fail("it must not come to a commit")

    async def test_an_announcement_whose_run_died_stops_counting(self, store: Store, calendar: Calendar) -> None:
        _old, kept = await self.left_over(store, calendar)
        again = await self.store_again(store, calendar, kept)
        with pytest.raises(RuntimeError):
            async with announced(store.runs, again, calendar.now):
                raise RuntimeError
        assert (await sweep_index(store, EAST, HOTELS, clock=calendar)).removed == 0
        calendar.now += ANNOUNCED_FOR
        assert (await sweep_index(store, EAST, HOTELS, clock=calendar)).removed == 1

    @pytest.mark.parametrize("stop", range(40))
    async def test_every_interleaving_leaves_only_whole_snapshots(self, stop: int, calendar: Calendar) -> None:
        """Run a whole sweep before the n-th call that a commit makes to the store, and the other way round.

        The commit may be suspended there for days.
        """
        for first, suspended in (("commit", timedelta(0)), ("commit", 2 * DAY), ("sweep", timedelta(0))):
            store = MemoryStore(clock=calendar)
            _old, kept = await self.left_over(store, calendar)
            again = await self.store_again(store, calendar, kept)

            async def backup(store: Store = store, again: Manifest = again) -> None:
                await commit_announced(store, again, clock=calendar)

            async def sweep(store: Store = store) -> None:
                await sweep_index(store, EAST, HOTELS, clock=calendar)

            async def sweep_later(sweep: Action = sweep, suspended: timedelta = suspended) -> None:
                calendar.now += suspended
                await sweep()

            one, other = (backup, sweep_later) if first == "commit" else (sweep, backup)
            await _interleave(store, one, other, stop)
            for summary in await list_snapshots(store.snapshots):
                report = await verified(store.snapshots, await read_manifest(store.snapshots, summary))
                assert not report.damage, (first, suspended, stop)


async def _interleave(store: MemoryStore, one: Action, other: Action, stop: int) -> None:
    """Run `other` whole just before the `stop`-th call to the store that `one` makes; both may be refused."""
    calls = 0
    in_other = False

    async def attempt(action: Action) -> None:
        with contextlib.suppress(ConflictError, IntegrityError):
            await action()

    def watch(half: object, name: str) -> None:
        original = getattr(half, name)

        async def call(*given: object, **named: object) -> object:
            nonlocal calls, in_other
            if not in_other:
                if calls == stop:
                    in_other = True
                    await attempt(other)
                    in_other = False
                calls += 1
            return await original(*given, **named)

        setattr(half, name, call)

    for name in ("create", "read", "delete", "properties"):
        watch(store.snapshots, name)
    for name in ("put", "read", "delete"):
        watch(store.runs, name)
    await attempt(one)


class TestSweepable:
    NOW = datetime(2026, 11, 20, tzinfo=UTC)

    def blob(self, letter: str, age: timedelta) -> BlobProperties:
        folder = ChunkFolder(service=EAST, index=HOTELS)
        return BlobProperties(name=folder.blob(letter * 64), size=1, modified=self.NOW - age)

    def test_old_chunks_go_and_young_or_lately_named_ones_wait(self) -> None:
        young, old, named_lately = self.blob("a", DAY / 2), self.blob("b", DAY), self.blob("c", 9 * DAY)
        tombstones = [
            Tombstone(self.NOW - DAY / 2, "", "", ("c" * 64,)),
            Tombstone(self.NOW - DAY, "", "", ("b" * 64,)),
        ]
        assert sweepable([young, old, named_lately], tombstones, self.NOW, DAY) == [old]

    def test_a_tombstone_speaks_of_its_own_generation(self) -> None:
        old = self.blob("a", 9 * DAY)
        assert sweepable(
            [old], [Tombstone(removed=self.NOW, reason="", generation="g2", chunks=("a" * 64,))], self.NOW, DAY
        ) == [old]

    def test_a_tombstone_without_chunks_holds_everything(self) -> None:
        old = self.blob("a", 9 * DAY)
        assert sweepable([old], [Tombstone(self.NOW - DAY / 2, "")], self.NOW, DAY) == []
        assert sweepable([old], [Tombstone(self.NOW - DAY, "")], self.NOW, DAY) == [old]
