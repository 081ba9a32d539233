"""Pruning: what is removed, what stays, and that a backup at the same time loses nothing."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from indexvault.errors import ConflictError, IntegrityError, NotFoundError
from indexvault.snapshots.announcements import ANNOUNCED_FOR, SWEEP_FOR, SweepRecord, announced
from indexvault.snapshots.catalogue import list_snapshots, read_manifest
from indexvault.snapshots.manifest import MANIFEST_LIMIT, Loss, Manifest
from indexvault.snapshots.names import SnapshotReference, index_prefix, manifest_name, snapshot_id
from indexvault.snapshots.pins import Pin, pin, pins_by_id, unpin
from indexvault.snapshots.prune import (
    PruneReport,
    Removal,
    decide_proved,
    prune_index,
    remove_snapshot,
    require_complete,
)
from indexvault.snapshots.retention import Retention
from indexvault.snapshots.run_names import sweep_name, tombstone_name
from indexvault.snapshots.store import Store
from indexvault.snapshots.summary import summarise, to_metadata
from indexvault.snapshots.sweep import sweep_index
from indexvault.snapshots.tombstones import Tombstone, write_tombstone
from indexvault.snapshots.tree import Tree
from indexvault.snapshots.used_packs import UsedPacks, used_packs
from indexvault.snapshots.writer import commit, commit_announced
from tests.memory_store import MemoryStore
from tests.snapshots.interleaving import interleave
from tests.snapshots.samples import MORNING, document, documents, manifest_of, prepare_snapshot, write_snapshot
from tests.snapshots.whole import require_whole

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


def lines_of(changed: Iterable[int], days: int) -> dict[str, bytes]:
    return documents(range(1500)) | dict(document(number, f" {days}") for number in changed)


async def snapshot(
    store: Store,
    calendar: Calendar,
    changed: Iterable[int] = (),
    *,
    days: int = 0,
    previous: Manifest | None = None,
    generation: str = "",
) -> Manifest:
    """Make a snapshot. The trees have segments, and what `previous` has stays where it is."""
    manifest, _ = await write_snapshot(
        store.snapshots,
        lines_of(changed, days),
        created=calendar.now - timedelta(days=100 - days),
        run=f"r{days:03}",
        previous=previous,
        generation=generation,
    )
    assert manifest.tree.level
    return manifest


async def three(store: Store, calendar: Calendar) -> tuple[Manifest, Manifest, Manifest]:
    """Return a first snapshot, one with packs of its own beside the first's, and one as the first was."""
    first = await snapshot(store, calendar)
    own = await snapshot(store, calendar, [7, 800], days=1, previous=first)
    return first, own, await snapshot(store, calendar, days=2, previous=first)


async def prune(store: Store, calendar: Calendar, *going: Manifest) -> PruneReport:
    removals = [Removal(manifest.id, "older than the last 2") for manifest in going]
    return await prune_index(store, EAST, HOTELS, removals, clock=calendar)


async def pack_names(store: Store) -> set[str]:
    blobs = [blob.name async for blob in store.snapshots.list(index_prefix(EAST, HOTELS))]
    return {name for name in blobs if "/manifests/" not in name}


async def needed(store: Store, *manifests: Manifest) -> set[str]:
    return {name for each in manifests for name in (await used_packs(store.snapshots, each)).names(each.folder)}


async def test_the_manifest_goes_at_once_and_its_own_packs_after_the_grace_period(
    store: Store, calendar: Calendar
) -> None:
    first, own, last = await three(store, calendar)
    report = await prune(store, calendar, own)
    assert report.removed == (own.id,)
    going = await needed(store, own) - await needed(store, first, last)
    assert len(going) == 2, "a pack of chunks and one of segments"
    assert report.sweep.removed == 0
    assert {summary.id for summary in await list_snapshots(store.snapshots)} == {first.id, last.id}
    assert going <= await pack_names(store)
    calendar.now += DAY
    report = await prune(store, calendar)
    assert (report.sweep.removed, report.sweep.waiting) == (2, 0)
    assert report.sweep.removed_bytes > 0
    assert await pack_names(store) == await needed(store, first, last)
    for manifest in (first, last):
        await require_whole(store.snapshots, manifest)
    assert await store.runs.read(tombstone_name(EAST, HOTELS, own.id), 1 << 20) is None


async def test_a_failed_backup_s_packs_go_and_a_running_one_s_stay(store: Store, calendar: Calendar) -> None:
    kept = await snapshot(store, calendar)
    await prepare_snapshot(store.snapshots, lines_of([7], 1), previous=kept)
    report = await prune(store, calendar)
    assert (report.sweep.removed, report.sweep.waiting) == (0, 2)
    calendar.now += DAY
    assert (await prune(store, calendar)).sweep.removed == 2
    assert await pack_names(store) == await needed(store, kept)


async def test_a_complete_snapshot_of_the_future_stands_for_no_other(store: Store, calendar: Calendar) -> None:
    """`@latest` does not mean it, so without the other there would be nothing to restore."""
    old, future = await snapshot(store, calendar), await snapshot(store, calendar, days=1000)
    for going in ([old], [old, future]):
        with pytest.raises(ConflictError, match="no complete snapshot would be left"):
            await prune(store, calendar, *going)
    assert (await prune(store, calendar, future)).removed == (future.id,)


async def test_what_is_no_pack_is_never_removed(store: Store, calendar: Calendar) -> None:
    kept = await snapshot(store, calendar)
    for kind in ("packs", "segments", "locations"):
        await store.snapshots.create(f"{kept.folder.prefix(kind)}notes.txt", b"keep out")
    calendar.now += 100 * DAY
    await prune(store, calendar)
    assert len(await pack_names(store) - await needed(store, kept)) == 3


async def test_packs_of_another_generation_go_by_their_own_manifests(store: Store, calendar: Calendar) -> None:
    old = await snapshot(store, calendar)
    fresh = await snapshot(store, calendar, days=1, generation="g2")
    await prune(store, calendar, old)
    calendar.now += DAY
    assert (await prune(store, calendar)).sweep.removed == 2
    assert await pack_names(store) == await needed(store, fresh)


async def test_a_snapshot_pinned_at_the_last_moment_stays(store: Store, calendar: Calendar) -> None:
    old, _new = await snapshot(store, calendar), await snapshot(store, calendar, days=1)
    reference = SnapshotReference(service=EAST, index=HOTELS, id=old.id)
    assert await pin(store, reference, Pin(calendar.now, "audit")) == reference
    await pin(store, reference, Pin(calendar.now, "again"))
    assert await pins_by_id(store.runs, EAST, HOTELS) == {old.id: Pin(calendar.now, "audit")}
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
    assert await pins_by_id(store.runs, EAST, HOTELS) == {}
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
    assert await pins_by_id(store.runs, EAST, HOTELS) == {one.id: Pin(calendar.now, "audit")}


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


async def test_metadata_that_calls_a_lossy_snapshot_complete_has_no_complete_one_removed(
    store: Store, calendar: Calendar
) -> None:
    whole = await snapshot(store, calendar)
    lossy, summary = await write_snapshot(
        store.snapshots,
        lines_of([1], 1),
        created=calendar.now - timedelta(days=1),
        losses=(Loss(field="Secret", reason="hidden"),),
    )
    name = manifest_name(EAST, HOTELS, lossy.id)
    data = await store.snapshots.read(name, MANIFEST_LIMIT)
    await store.snapshots.delete(name)
    wrong = msgspec.structs.replace(summary, state="complete", losses=0)
    metadata = store.snapshots.authority.signed_metadata(name, data, to_metadata(wrong))
    await store.snapshots.create(name, data, metadata=metadata, content_type="application/json")
    listed = await list_snapshots(store.snapshots)
    assert [each.state for each in listed] == ["complete", "complete"]
    decisions = await decide_proved(store, listed, [Retention(last=1)], now=calendar.now)
    assert {each.snapshot.id: each.keep for each in decisions} == {whole.id: True, lossy.id: True}


async def test_the_last_complete_snapshot_is_not_removed_whoever_asks(store: Store, calendar: Calendar) -> None:
    first, second = await snapshot(store, calendar), await snapshot(store, calendar, days=1)
    with pytest.raises(ConflictError, match="no complete snapshot"):
        await prune(store, calendar, first, second)
    assert len(await list_snapshots(store.snapshots)) == 2


async def test_nothing_is_swept_while_a_manifest_can_t_be_read(store: Store, calendar: Calendar) -> None:
    _first, own, _last = await three(store, calendar)
    broken = manifest_name(EAST, HOTELS, "20260101T000000Z-abcdef")
    await store.snapshots.create(broken, b"{}")
    await prune(store, calendar, own)
    before = await pack_names(store)
    calendar.now += DAY
    report = await prune(store, calendar)
    assert broken in report.sweep.hindrance
    assert await pack_names(store) == before


async def test_nothing_is_swept_while_a_segment_can_t_be_read(calendar: Calendar) -> None:
    store = MemoryStore(clock=calendar)
    first, own, _last = await three(store, calendar)
    await prune(store, calendar, own)
    calendar.now += DAY
    (segments,) = {first.folder.segments(node.pack) for node in first.tree.nodes}
    data = await store.snapshots.read(segments, 1 << 30)
    for broken in (data[:100] + bytes([data[100] ^ 1]) + data[101:], None):
        await store.snapshots.delete(segments)
        if broken is not None:
            await store.snapshots.create(segments, broken)
        before = await pack_names(store)
        report = await prune(store, calendar)
        assert segments in report.sweep.hindrance
        assert await pack_names(store) == before


async def test_a_damaged_snapshot_can_be_removed_and_its_packs_wait_like_others(
    store: Store, calendar: Calendar
) -> None:
    _first, own, _last = await three(store, calendar)
    name = manifest_name(EAST, HOTELS, own.id)
    data = bytearray(await store.snapshots.read(name, 1 << 20))
    data[100] ^= 1
    await store.snapshots.delete(name)
    await store.snapshots.create(name, bytes(data))
    calendar.now += DAY
    assert (await prune(store, calendar, own)).sweep.waiting == 2
    calendar.now += DAY
    assert (await prune(store, calendar)).sweep.removed == 2


async def test_a_removed_snapshot_whose_segments_can_t_be_read_holds_everything_for_its_grace_period(
    calendar: Calendar,
) -> None:
    store = MemoryStore(clock=calendar)
    first, own, last = await three(store, calendar)
    await prepare_snapshot(store.snapshots, lines_of([9], 9), previous=first)
    (segments,) = await needed(store, own) & {name for name in await pack_names(store) if "/segments/" in name} - (
        await needed(store, first)
    )
    await store.snapshots.delete(segments)
    calendar.now += DAY
    report = await prune(store, calendar, own)
    assert (report.sweep.removed, report.sweep.waiting, report.sweep.hindrance) == (0, 3, "")
    calendar.now += DAY
    assert (await prune(store, calendar)).sweep.removed == 3
    assert await pack_names(store) == await needed(store, first, last)


async def test_a_refused_removal_is_reported_and_leaves_the_snapshot_whole(calendar: Calendar) -> None:
    store = MemoryStore(clock=calendar)
    first, own, last = await three(store, calendar)
    store.snapshots.immutable = {manifest_name(EAST, HOTELS, own.id)}
    report = await prune(store, calendar, own)
    assert [refusal.blob for refusal in report.refused] == [manifest_name(EAST, HOTELS, own.id)]
    assert await store.runs.read(tombstone_name(EAST, HOTELS, own.id), 1 << 20) is None
    await require_whole(store.snapshots, own)
    only = await needed(store, own) - await needed(store, first, last)
    store.snapshots.immutable = only
    await prune(store, calendar, own)
    calendar.now += DAY
    report = await prune(store, calendar)
    assert [(refusal.blob, refusal.why) for refusal in report.sweep.refused] == [
        (name, "an immutability policy keeps the blob") for name in sorted(only)
    ]
    assert only <= await pack_names(store)
    store.snapshots.immutable = set()
    assert (await prune(store, calendar)).sweep.removed == 2


async def test_a_killed_removal_is_finished_by_the_next(store: Store, calendar: Calendar) -> None:
    first, own, last = await three(store, calendar)
    reference = SnapshotReference(service=EAST, index=HOTELS, id=own.id)
    await remove_snapshot(store, reference, "old", clock=calendar)
    dead = SweepRecord(until=calendar.now + DAY, blobs=tuple(await needed(store, own)))
    await store.runs.put(sweep_name(EAST, HOTELS), msgspec.json.encode(dead))
    calendar.now += DAY
    assert (await prune(store, calendar)).sweep.removed == 2
    assert await pack_names(store) == await needed(store, first, last)


async def test_two_sweeps_at_once_are_one_too_many(store: Store, calendar: Calendar) -> None:
    _first, own, _last = await three(store, calendar)
    await prune(store, calendar, own)
    calendar.now += DAY
    running = SweepRecord(until=calendar.now + SWEEP_FOR, blobs=())
    await store.runs.put(sweep_name(EAST, HOTELS), msgspec.json.encode(running))
    with pytest.raises(ConflictError, match="swept already"):
        await prune(store, calendar)


async def test_a_sweep_whose_announcement_got_no_answer_goes_on(calendar: Calendar) -> None:
    """The store sends it again by itself, and finds it there."""
    store = MemoryStore("east", calendar)
    kept = await snapshot(store, calendar)
    await prepare_snapshot(store.snapshots, lines_of([7], 1), previous=kept)
    calendar.now += DAY
    put = store.runs.put

    async def put_twice(name: str, data: bytes, **conditions: Any) -> str:
        etag = await put(name, data, **conditions)
        return await put(name, data, **conditions) if name == sweep_name(EAST, HOTELS) else etag

    store.runs.put = put_twice  # type: ignore[method-assign]
    assert (await prune(store, calendar)).sweep.removed > 0
    assert await store.runs.read(sweep_name(EAST, HOTELS), 10_000) is None


async def test_a_dry_run_writes_nothing_and_says_what_would_go(calendar: Calendar) -> None:
    store = MemoryStore(clock=calendar)
    _first, own, _last = await three(store, calendar)
    await prune(store, calendar, own)
    calendar.now += DAY
    before = [dict(store.snapshots._blobs), dict(store.runs._blobs)]
    said = await sweep_index(store, EAST, HOTELS, clock=calendar, dry_run=True)
    assert [store.snapshots._blobs, store.runs._blobs] == before
    assert said == await sweep_index(store, EAST, HOTELS, clock=calendar)


class TestWithABackup:
    """A backup finds an old pack that no manifest names while a sweep is about to delete it."""

    async def left_over(self, store: Store, calendar: Calendar) -> tuple[Manifest, Manifest]:
        """Return a removed snapshot whose own packs are due, and one that stays."""
        first, own, _last = await three(store, calendar)
        await prune(store, calendar, own)
        calendar.now += 2 * DAY
        return own, first

    async def store_again(self, store: Store, calendar: Calendar, kept: Manifest) -> tuple[Manifest, UsedPacks]:
        """Back up the removed documents again, up to the commit."""
        before = await pack_names(store)
        prepared = await prepare_snapshot(
            store.snapshots, lines_of([7, 800], 1), created=calendar.now, run="again", previous=kept
        )
        assert await pack_names(store) == before
        return prepared

    async def test_a_backup_that_announced_first_keeps_its_packs(self, store: Store, calendar: Calendar) -> None:
        _own, kept = await self.left_over(store, calendar)
        again, used = await self.store_again(store, calendar, kept)
        async with announced(store, again, used, calendar.now):
            report = await sweep_index(store, EAST, HOTELS, clock=calendar)
            assert report.removed == 0
            await commit(store.snapshots, again, used)
        assert (await sweep_index(store, EAST, HOTELS, clock=calendar)).removed == 0
        await require_whole(store.snapshots, again)

    async def test_a_backup_that_comes_after_the_sweep_is_refused(self, store: Store, calendar: Calendar) -> None:
        _own, kept = await self.left_over(store, calendar)
        again, used = await self.store_again(store, calendar, kept)
        assert (await sweep_index(store, EAST, HOTELS, clock=calendar)).removed == 2
        async with announced(store, again, used, calendar.now):
            with pytest.raises(IntegrityError, match="the pack is gone"):
                await commit(store.snapshots, again, used)
        assert len(await list_snapshots(store.snapshots)) == 2

    async def test_a_backup_in_the_middle_of_the_sweep_is_refused(self, store: Store, calendar: Calendar) -> None:
        _own, kept = await self.left_over(store, calendar)
        again, used = await self.store_again(store, calendar, kept)
        going = await needed(store, again) - await needed(store, kept)
        sweep = SweepRecord(until=calendar.now + SWEEP_FOR, blobs=tuple(going))
        await store.runs.put(sweep_name(EAST, HOTELS), msgspec.json.encode(sweep))
        with pytest.raises(ConflictError, match="being removed"):
            async with announced(store, again, used, calendar.now):
                pytest.fail("it must not come to a commit")

    async def test_an_announcement_whose_run_died_stops_counting(self, store: Store, calendar: Calendar) -> None:
        _own, kept = await self.left_over(store, calendar)
        again, used = await self.store_again(store, calendar, kept)
        with pytest.raises(RuntimeError):
            async with announced(store, again, used, calendar.now):
                raise RuntimeError
        assert (await sweep_index(store, EAST, HOTELS, clock=calendar)).removed == 0
        calendar.now += ANNOUNCED_FOR
        assert (await sweep_index(store, EAST, HOTELS, clock=calendar)).removed == 2

    @pytest.mark.parametrize("first", ["commit", "commit, suspended for days", "sweep"])
    async def test_every_interleaving_leaves_only_whole_snapshots(self, first: str, calendar: Calendar) -> None:
        """Run a whole sweep before the n-th call that a commit makes to the store, and the other way round.

        The commit may be suspended there for days.
        """
        began = calendar.now
        stop = 0
        while True:
            calendar.now = began
            store = MemoryStore(clock=calendar)
            _own, kept = await self.left_over(store, calendar)
            again, used = await self.store_again(store, calendar, kept)

            async def backup(store: Store = store, again: Manifest = again, used: UsedPacks = used) -> None:
                await commit_announced(store, again, used, clock=calendar)

            async def sweep(store: Store = store) -> None:
                if "days" in first:
                    calendar.now += 2 * DAY
                await sweep_index(store, EAST, HOTELS, clock=calendar)

            one, other = (sweep, backup) if first == "sweep" else (backup, sweep)
            came_to_it = await interleave(store, one, other, stop)
            for summary in await list_snapshots(store.snapshots):
                await require_whole(store.snapshots, await read_manifest(store.snapshots, summary))
            stop += 1
            if not came_to_it:
                break
        assert stop > 5


def test_presumed_snapshots_never_stay_without_a_proved_one() -> None:
    """An index whose full readings are lossy has no complete snapshot to keep."""
    full = msgspec.structs.replace(summarise(manifest_of(Tree(), "0" * 64)), state="lossy", losses=1)
    later = snapshot_id(MORNING + timedelta(hours=1), b"abc")
    presumed = msgspec.structs.replace(
        full, id=later, created=MORNING + timedelta(hours=1), state="presumed", proved=full.id
    )
    now = MORNING + timedelta(days=1)
    with pytest.raises(ConflictError, match="only presumed snapshots would be left"):
        require_complete([presumed, full], {full.id}, now)
    require_complete([presumed, full], {presumed.id}, now)
    require_complete([presumed, full], {full.id, presumed.id}, now)
