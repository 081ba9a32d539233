"""Packs of which little is alive are rewritten, and whatever happens meanwhile, no snapshot loses anything."""

import contextlib
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from indexvault.errors import ConflictError, IndexvaultError, UnreachableError
from indexvault.snapshots.announcements import Announcement, announced
from indexvault.snapshots.catalogue import list_snapshots, read_manifest
from indexvault.snapshots.live_members import LiveMembers
from indexvault.snapshots.locations import MOST_HOPS, Location, encode_locations
from indexvault.snapshots.manifest import Manifest
from indexvault.snapshots.names import PackFolder, PackName, SnapshotReference, index_prefix, parse_pack_name
from indexvault.snapshots.packs import Packer, scan_members
from indexvault.snapshots.prune import Removal, prune_index
from indexvault.snapshots.repack import MANY, MOST_MOVES, Fill, choose, copy_live, in_batches, is_copied
from indexvault.snapshots.repair import repair_index
from indexvault.snapshots.replicate import replicate_index
from indexvault.snapshots.run_names import announcement_name
from indexvault.snapshots.store import Protection
from indexvault.snapshots.sweep import sweep_index
from indexvault.snapshots.sweep_report import SweepReport
from indexvault.snapshots.used_packs import UsedPacks, used_packs
from indexvault.snapshots.verify import VerifyReport, verify_index
from indexvault.snapshots.writer import commit, commit_announced
from tests.memory_store import MemoryStore
from tests.snapshots.damaging import flip, flip_in, replace
from tests.snapshots.interleaving import interleave
from tests.snapshots.living import Live
from tests.snapshots.samples import chunks_of, document, documents, prepare_snapshot, write_snapshot
from tests.snapshots.whole import require_whole

DAY = timedelta(days=1)
EAST, HOTELS = "contoso-east", "hotels"
TARGET = 2 * 1024
FOLDER = PackFolder(service=EAST, index=HOTELS)
HOTEL_NUMBERS = range(300)
CHANGES = 25


@dataclass
class Calendar:
    """A clock that only the test moves."""

    now: datetime = datetime(2026, 11, 20, 2, 30, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


class History:
    """Snapshots of an index that changes day by day, and which of them are kept."""

    def __init__(self, *, seed: int = 1) -> None:
        self.calendar = Calendar()
        self.store = MemoryStore(clock=self.calendar)
        self.rng = random.Random(seed)
        self.lines = documents(HOTEL_NUMBERS)
        self.made: list[Manifest] = []

    def copied(self) -> "History":
        """Return a history that goes on from here by itself."""
        other = History()
        other.calendar.now = self.calendar.now
        other.rng.setstate(self.rng.getstate())
        other.lines, other.made = dict(self.lines), list(self.made)
        other.store.snapshots._blobs = dict(self.store.snapshots._blobs)
        other.store.runs._blobs = dict(self.store.runs._blobs)
        return other

    async def day(self, changes: int = CHANGES) -> Manifest:
        """Change some documents, and back up a day later."""
        self.calendar.now += DAY
        self.change(changes)
        manifest, used = await self.prepare(f"r{len(self.made):03}")
        await commit(self.store.snapshots, manifest, used)
        self.made.append(manifest)
        return manifest

    def change(self, changes: int) -> None:
        day = len(self.made)
        self.lines |= dict(document(number, f" {day}") for number in self.rng.sample(HOTEL_NUMBERS, changes))

    async def prepare(self, run: str) -> tuple[Manifest, UsedPacks]:
        """Store all of a snapshot but its manifest."""
        return await prepare_snapshot(
            self.store.snapshots,
            self.lines,
            created=self.calendar.now,
            run=run,
            previous=self.made[-1] if self.made else None,
            bits=2,
            pack_bytes=TARGET,
        )

    async def remove(self, *, but: int) -> None:
        """Remove all snapshots but the last ones. What only they needed is in its grace period."""
        going = self.made[:-but]
        await prune_index(
            self.store, EAST, HOTELS, [Removal(each.id, "old") for each in going], clock=self.calendar, grace=100 * DAY
        )
        self.made = self.made[-but:]

    async def sweep(self, **more: Any) -> SweepReport:
        return await sweep_index(self.store, EAST, HOTELS, clock=self.calendar, target=TARGET, **more)

    async def require_whole(self) -> None:
        """Check every snapshot that there is."""
        for summary in await list_snapshots(self.store.snapshots):
            await require_whole(self.store.snapshots, await read_manifest(self.store.snapshots, summary))

    async def names(self, kind: str = "") -> set[str]:
        return {
            blob.name
            async for blob in self.store.snapshots.list(index_prefix(EAST, HOTELS))
            if f"/{kind}" in blob.name and "/manifests/" not in blob.name
        }

    async def settle(self) -> None:
        """Sweep until all grace periods are over and nothing is left to do."""
        for _ in range(6):
            self.calendar.now += DAY
            await self.sweep()

    async def require_settled(self) -> None:
        """Check that nothing is there that no snapshot needs, but what is dead in packs that are alive enough."""
        await self.settle()
        before = await self.names()
        report = await self.sweep()
        assert (report.removed, report.waiting, report.rewritten, report.not_rewritten) == (0, 0, 0, "")
        assert await self.names() == before
        assert report.wasted_bytes < 0.6 * report.stored_bytes
        live = LiveMembers(self.store.snapshots, EAST, HOTELS)
        for each in self.made:
            await live.walk("", each.tree)
        names = [name for blob in before if (name := parse_pack_name(blob)) is not None]
        await live.resolve(name for name in names if name.kind == "locations")
        for name in names:
            assert live.is_needed(name) if name.kind == "locations" else live.number(name), name


_WORN: dict[tuple[int, int, int], History] = {}


async def worn(*, days: int = 8, but: int = 2, seed: int = 1) -> History:
    """Return a history whose first packs are mostly dead, with every grace period over."""
    if (days, but, seed) not in _WORN:
        history = History(seed=seed)
        for _ in range(days):
            await history.day()
        await history.remove(but=but)
        history.calendar.now += 2 * DAY
        _WORN[days, but, seed] = history
    return _WORN[days, but, seed].copied()


async def test_what_is_alive_moves_and_the_rest_goes() -> None:
    history = await worn()
    before = await history.names("packs")
    idle = await history.sweep(enough=0.0, dry_run=True)
    said = await history.sweep(dry_run=True)
    report = await history.sweep()
    assert report.rewritten == said.rewritten > 4
    assert (report.rewritten_bytes, report.wasted_bytes) == (said.rewritten_bytes, said.wasted_bytes)
    assert report.wasted_bytes < idle.wasted_bytes / 2
    assert await history.names("locations")
    assert before - await history.names("packs")
    blobs = history.store.snapshots._blobs
    total = sum(len(blobs[name].data) for name in await history.names("packs") | await history.names("segments"))
    assert total == report.stored_bytes
    await history.require_whole()
    for each in history.made:
        assert not (await used_packs(history.store.snapshots, each)).names(FOLDER) <= await history.names()
    await history.require_settled()


async def test_backups_go_on_after_it_without_storing_anything_again() -> None:
    history = await worn()
    await history.sweep()
    before = await history.names()
    await history.day(changes=0)
    assert await history.names() == before, "the old addresses still lead there"
    for _ in range(6):
        await history.day(changes=20)
        await history.remove(but=2)
        await history.sweep()
        await history.require_whole()
    await history.require_settled()


async def test_records_go_when_no_tree_needs_them() -> None:
    history = await worn()
    await history.sweep()
    assert await history.names("locations")
    history.calendar.now += DAY
    manifest, _ = await write_snapshot(
        history.store.snapshots, documents(range(5000, 5300)), created=history.calendar.now, run="all new"
    )
    history.made.append(manifest)
    await history.remove(but=1)
    await history.settle()
    assert not await history.names("locations")
    assert await history.names() == (await used_packs(history.store.snapshots, manifest)).names(FOLDER)


async def test_young_packs_stay_as_they_are() -> None:
    history = await worn()
    assert (await history.sweep(grace=100 * DAY)).rewritten == 0


@pytest.mark.parametrize("when", ["before", "after"])
async def test_killed_at_any_write_it_is_finished_by_the_next(when: str) -> None:
    number = 0
    while True:
        history = await worn(days=6)
        killed = await _killed(history, number, when)
        await history.require_whole()
        if not killed:
            break
        history.calendar.now += timedelta(hours=2)
        await history.sweep()
        await history.require_whole()
        await history.require_settled()
        await history.require_whole()
        number += 1
    assert number > 12


async def _killed(history: History, number: int, when: str) -> bool:
    """Sweep, and die at a change; return whether there was such a one."""
    changes = 0
    alive = True

    def watch(half: Any, name: str) -> Callable[[], None]:
        original = getattr(half, name)

        async def call(*given: Any, **named: Any) -> Any:
            nonlocal changes, alive
            if not alive:
                raise _KilledError
            changes += 1
            if changes == number + 1:
                alive = False
                if when == "after":
                    await original(*given, **named)
                raise _KilledError
            return await original(*given, **named)

        setattr(half, name, call)
        return lambda: setattr(half, name, original)

    halves = [(history.store.snapshots, "create"), (history.store.snapshots, "delete")]
    undo = [watch(*each) for each in [*halves, (history.store.runs, "put"), (history.store.runs, "delete")]]
    with contextlib.suppress(_KilledError, BaseExceptionGroup):
        await history.sweep()
    for each in undo:
        each()
    return not alive


class _KilledError(Exception):
    """The process is dead."""


async def test_a_store_that_fails_at_any_request_leaves_everything_whole() -> None:
    number = 0
    while True:
        history = await worn(days=6)
        failed = await _failing(history, number)
        await history.require_whole()
        if not failed:
            break
        history.calendar.now += timedelta(hours=2)
        await history.require_settled()
        await history.require_whole()
        number += 3
    assert number > 20


async def _failing(history: History, number: int) -> bool:
    """Sweep with a store that fails from some request on; return whether it came to that."""
    failed = False

    async def fail() -> None:
        nonlocal failed
        failed = True
        raise UnreachableError("no answer", on="store", do="Try again")

    with contextlib.suppress(IndexvaultError):
        await interleave(history.store, history.sweep, fail, number, passes_on=True)
    history.store.snapshots = _fresh(history.store.snapshots)
    history.store.runs = _fresh(history.store.runs)
    return failed


def _fresh(half: Any) -> Any:
    """Return a half of a store as it is without what watches it."""
    made = type(half)(half._where, half._clock)
    for name, value in vars(half).items():
        if not callable(value) or name == "_clock":
            setattr(made, name, value)
    return made


class TestBesideOthers:
    """Something else runs whole before the n-th call that a sweep makes to the store, and the other way round."""

    @pytest.mark.parametrize("order", ["sweep first", "backup first", "backup first, suspended for days"])
    async def test_a_backup_that_reuses_the_packs(self, order: str) -> None:
        stop = committed = 0
        came = True
        while came:
            history = await worn(days=6)
            history.change(20)
            again, used = await history.prepare("again")
            done: list[str] = []

            async def backup(
                history: History = history, again: Manifest = again, used: UsedPacks = used, done: list[str] = done
            ) -> None:
                await commit_announced(history.store, again, used, clock=history.calendar)
                done.append(again.id)

            async def sweep(history: History = history) -> None:
                history.calendar.now += 2 * DAY if "days" in order else timedelta(0)
                await history.sweep()

            one, other = (sweep, backup) if order == "sweep first" else (backup, sweep)
            came = await interleave(history.store, one, other, stop)
            await history.require_whole()
            committed += bool(done)
            stop += 1
        assert committed > 0
        if "days" not in order:
            assert committed == stop, "what was rewritten is no reason to refuse a backup"

    async def test_a_backup_of_what_it_takes_for_dead(self) -> None:
        """A run finds the pack of an old snapshot, all of which it needs, while that is rewritten."""
        refused = stop = 0
        came = True
        while came:
            history = await worn(days=6)
            old = History(seed=1)
            old.store, old.calendar = history.store, history.calendar
            old.change(CHANGES)
            again, used = await old.prepare("old")  # fills the same packs as the first day's

            async def backup(history: History = history, again: Manifest = again, used: UsedPacks = used) -> None:
                nonlocal refused
                try:
                    await commit_announced(history.store, again, used, clock=history.calendar)
                except IndexvaultError:
                    refused += 1
                    raise

            came = await interleave(history.store, history.sweep, backup, stop)
            await history.require_whole()
            stop += 1
        assert 0 < refused < stop

    async def test_a_restore(self) -> None:
        """A reader stands before any of its requests while packs are rewritten and removed."""
        stop = 0
        came = True
        while came:
            history = await worn(days=6)
            history.change(20)
            manifest = history.made[-1]
            failed: list[BaseException] = []

            async def read(
                history: History = history, manifest: Manifest = manifest, failed: list[BaseException] = failed
            ) -> None:
                try:
                    await require_whole(history.store.snapshots, manifest)
                except (IndexvaultError, AssertionError) as error:
                    failed.append(error)

            async def sweeps(history: History = history) -> None:
                await history.sweep()
                history.calendar.now += 2 * DAY
                await history.sweep(enough=0.99)

            came = await interleave(history.store, read, sweeps, stop)
            assert not failed
            stop += 1

    async def test_a_copy_to_another_store(self) -> None:
        """What the copy does not find any more, the next one does."""
        stop = 0
        came = True
        while came:
            history = await worn(days=6)
            replica = MemoryStore("west", history.calendar)

            async def copy(history: History = history, replica: MemoryStore = replica) -> None:
                await replicate_index(history.store, replica, EAST, HOTELS, clock=history.calendar)

            came = await interleave(history.store, copy, history.sweep, stop)
            for _ in range(2):
                await copy()
                for each in history.made:
                    await require_whole(replica.snapshots, await read_manifest(replica.snapshots, reference_of(each)))
                history.calendar.now += 2 * DAY
                await sweep_index(replica, EAST, HOTELS, clock=history.calendar, target=TARGET)
            stop += 3

    @pytest.mark.parametrize("order", ["sweep first", "repair first", "repair first, of another clock"])
    async def test_a_repair_that_finds_its_pack_there(self, order: str) -> None:
        """An earlier repair, which was killed, has left the pack that this one makes: no snapshot needs it yet."""
        broken, audit = await damaged()
        repaired = broken.copied()
        await mend(repaired, audit)
        (left,) = await repaired.names("packs") - await broken.names("packs")
        broken.store.snapshots._blobs[left] = repaired.store.snapshots._blobs[left]
        broken.calendar.now += 2 * DAY
        stop = mended = 0
        came = True
        while came:
            history = broken.copied()

            async def repair(history: History = history) -> None:
                nonlocal mended
                await mend(history, audit)
                mended += 1

            async def sweep(history: History = history) -> None:
                ahead = timedelta(hours=3) if "clock" in order else timedelta(0)
                await sweep_index(
                    history.store, EAST, HOTELS, clock=lambda: history.calendar() + ahead, target=TARGET, enough=0
                )

            one, other = (sweep, repair) if order == "sweep first" else (repair, sweep)
            came = await interleave(history.store, one, other, stop)
            history.calendar.now += timedelta(hours=4)
            if (again := await verify_index(history.store.snapshots, EAST, HOTELS)).damage:
                await mend(history, again)
            await history.require_whole()
            stop += 1
        assert 0 < mended < 2 * stop

    @pytest.mark.parametrize("order", ["backup first", "repair first"])
    async def test_a_backup_that_reuses_what_is_repaired(self, order: str) -> None:
        broken, audit = await damaged()
        again, used = await broken.prepare("again")
        stop = 0
        came = True
        while came:
            history = broken.copied()

            async def repair(history: History = history) -> None:
                await mend(history, audit)

            async def backup(history: History = history) -> None:
                await commit_announced(history.store, again, used, clock=history.calendar)

            one, other = (repair, backup) if order == "repair first" else (backup, repair)
            came = await interleave(history.store, one, other, stop)
            await history.require_whole()
            stop += 1
        assert stop > 5

    @pytest.mark.parametrize("later", [timedelta(0), timedelta(hours=2), 2 * DAY])
    async def test_a_second_sweep(self, later: timedelta) -> None:
        stop = 0
        came = True
        while came:
            history = await worn(days=6)

            async def second(history: History = history) -> None:
                history.calendar.now += later
                await history.sweep()

            came = await interleave(history.store, history.sweep, second, stop)
            await history.require_whole()
            history.calendar.now += timedelta(hours=2)
            await history.sweep()
            await history.require_whole()
            stop += 1
        assert stop > 20

    async def test_a_clock_that_is_ahead(self) -> None:
        """Another machine takes the sweep for dead, since its clock is hours ahead."""
        stop = 0
        came = True
        while came:
            history = await worn(days=6)

            async def ahead(history: History = history) -> None:
                def clock() -> datetime:
                    return history.calendar() + timedelta(hours=3)

                await sweep_index(history.store, EAST, HOTELS, clock=clock, target=TARGET)

            came = await interleave(history.store, history.sweep, ahead, stop)
            await history.require_whole()
            stop += 1

    @pytest.mark.parametrize("minutes", [1, 20])
    @pytest.mark.parametrize("ahead", [timedelta(minutes=20), timedelta(hours=3)])
    async def test_a_backup_while_a_clock_that_is_ahead_takes_over(self, ahead: timedelta, minutes: int) -> None:
        """A backup reuses what one sweep is about to delete, and sees the declaration of the other instead."""
        committed = stop = 0
        came = True
        while came:
            history = await worn(days=6)
            old = History(seed=1)
            old.store, old.calendar = history.store, history.calendar
            old.change(CHANGES)
            again, used = await old.prepare("old")  # what the removed snapshot of the first day had

            async def backup(history: History = history, again: Manifest = again, used: UsedPacks = used) -> None:
                nonlocal committed

                def clock() -> datetime:
                    return history.calendar() + ahead

                # Announced, but not yet looked for a sweep, when the other one begins.
                record = Announcement(made=history.calendar.now, generation="", tree=again.tree)
                name = announcement_name(EAST, HOTELS, again.id)
                await history.store.runs.put(name, msgspec.json.encode(record))
                with contextlib.suppress(ConflictError):
                    await sweep_index(history.store, EAST, HOTELS, clock=clock, target=TARGET, enough=0.9)
                history.calendar.now += timedelta(minutes=minutes)
                await commit_announced(history.store, again, used, clock=clock)
                committed += 1

            # Within a request, a sweep may be suspended for as long as a request takes.
            skip = "delete" if minutes > 15 else ""
            came = await interleave(history.store, history.sweep, backup, stop, skip=skip)
            await history.require_whole()
            stop += 2
        assert committed > 0

    @pytest.mark.parametrize("ahead", [timedelta(hours=-3), timedelta(hours=3)])
    async def test_a_backup_whose_own_clock_is_wrong(self, ahead: timedelta) -> None:
        """It must not take the declaration of a sweep for one of a process that died."""
        refused = stop = 0
        came = True
        while came:
            history = await worn(days=6)
            old = History(seed=1)
            old.store, old.calendar = history.store, history.calendar
            old.change(CHANGES)
            again, used = await old.prepare("old")

            async def backup(history: History = history, again: Manifest = again, used: UsedPacks = used) -> None:
                nonlocal refused
                try:
                    await commit_announced(history.store, again, used, clock=lambda: history.calendar() + ahead)
                except IndexvaultError:
                    refused += 1
                    raise

            came = await interleave(history.store, history.sweep, backup, stop)
            await history.require_whole()
            stop += 1
        assert 0 < refused < stop

    async def test_a_snapshot_that_is_removed_or_announced_meanwhile(self) -> None:
        history = await worn()
        history.change(20)
        again, used = await history.prepare("again")
        async with announced(history.store, again, used, history.calendar.now):
            await history.sweep()
            await commit(history.store.snapshots, again, used)
        await history.require_whole()


class TestRefusals:
    async def test_a_container_that_keeps_blobs_is_not_filled_with_copies(self) -> None:
        for kind, said in (("container", "the container refuses deletions"), ("version", "keeps versions of deleted")):
            history = await worn()
            history.store.snapshots.protected = Protection(kind=kind)  # type: ignore[arg-type]
            await history.sweep()
            report = await history.sweep()
            assert said in report.not_rewritten
            assert report.rewritten == 0
            assert not await history.names("locations")
            assert report.wasted_bytes > 0.3 * report.stored_bytes

    async def test_the_first_refusal_ends_it(self) -> None:
        history = await worn()
        history.store.snapshots.immutable = await history.names("packs")
        first = await history.sweep(enough=0.9)
        copies = await history.names()
        assert first.refused
        assert first.rewritten == 0
        again = await history.sweep(enough=0.9)
        assert again.refused
        assert await history.names() == copies, "nothing is copied twice"
        await history.require_whole()
        history.store.snapshots.immutable = set()
        assert (await history.sweep()).removed > 0
        await history.require_settled()
        await history.require_whole()


class TestDoubts:
    async def test_a_pack_of_which_something_alive_is_damaged_stays(self) -> None:
        history = await worn()
        clean = await history.names("packs")
        await history.sweep(dry_run=True)
        blobs = history.store.snapshots._blobs
        live = LiveMembers(history.store.snapshots, EAST, HOTELS)
        for each in history.made:
            await live.walk("", each.tree)
        for name in clean:
            pack = parse_pack_name(name)
            assert pack is not None
            data = bytearray(blobs[name].data)
            for member in scan_members(bytes(data), name):
                if live.has(pack, member.offset):
                    data[member.offset + member.stored // 2 + 20] ^= 1
                    break
            blobs[name] = type(blobs[name])(bytes(data), {}, blobs[name].modified, "")
        report = await history.sweep()
        assert "a member" in report.not_rewritten
        dead = {name for name in clean if not live.number(parse_pack_name(name))}  # type: ignore[arg-type]
        assert await history.names("packs") == clean - dead

    async def test_a_record_is_not_believed_before_its_copies_are_compared(self) -> None:
        history = await worn()
        packs = [pack for blob in sorted(await history.names("packs")) if (pack := parse_pack_name(blob)) is not None]
        name = [pack for pack in packs if await _alive_in(history, pack)][0]  # noqa: RUF015 - asynchronous
        data = await history.store.snapshots.read(name.blob, 1 << 30)
        members = list(scan_members(data, name.blob))
        other = next(pack for pack in packs if pack != name)
        lie = [Location(each.offset, other.sha256, each.offset, each.stored) for each in members]
        await history.store.snapshots.create(FOLDER.locations(name.sha256), encode_locations(lie))
        history.calendar.now += 2 * DAY
        report = await history.sweep()
        assert "not where its record of locations says" in report.not_rewritten
        assert name.blob in await history.names("packs")
        await history.require_whole()

    async def test_a_record_that_leads_to_no_pack_stops_a_sweep(self) -> None:
        history = await worn()
        packs = [pack for blob in sorted(await history.names("packs")) if (pack := parse_pack_name(blob)) is not None]
        name = [pack for pack in packs if await _alive_in(history, pack)][0]  # noqa: RUF015 - asynchronous
        data = await history.store.snapshots.read(name.blob, 1 << 30)
        lie = [Location(each.offset, "ab" * 32, each.offset, each.stored) for each in scan_members(data, name.blob)]
        await history.store.snapshots.create(FOLDER.locations(name.sha256), encode_locations(lie))
        history.calendar.now += 2 * DAY
        before = await history.names("packs")
        report = await history.sweep()
        assert "ab" * 32 in report.hindrance
        assert await history.names("packs") == before

    async def test_what_is_needed_since_the_proof_keeps_a_pack(self) -> None:
        """A killed sweep left a record. Of its copies, those that no snapshot needed are gone by now."""
        committed = stop = 0
        came = True
        while came:
            history = History()
            blobs = history.store.snapshots
            old = await history.day()
            again, used = await history.prepare("again")
            history.change(100)
            kept, kept_used = await history.prepare("kept")
            await commit(blobs, kept, kept_used)
            live = LiveMembers(blobs, EAST, HOTELS)
            await live.walk("", kept.tree)
            for name in sorted(await history.names("packs") & (await used_packs(blobs, old)).names(FOLDER)):
                pack = parse_pack_name(name)
                assert pack is not None
                data = await blobs.read(name, 1 << 30)
                packer = Packer(1 << 30)
                alive = [each for each in scan_members(data, name) if live.has(pack, each.offset)]
                for each in alive:
                    packer.add(each.sha256, data[each.offset : each.offset + each.stored])
                new = packer.finish()
                if new is None:
                    continue
                await blobs.create(FOLDER.pack(new.name), new.data)
                there = {was.offset: (new.name, now.offset) for was, now in zip(alive, new.members, strict=True)}
                record = [
                    Location(each.offset, *there.get(each.offset, ("ab" * 32, each.offset)), each.stored)
                    for each in scan_members(data, name)
                ]
                await blobs.create(FOLDER.locations(pack.sha256), encode_locations(record))
            history.made.append(kept)
            await history.remove(but=1)
            history.calendar.now += 200 * DAY

            async def backup(history: History = history, again: Manifest = again, used: UsedPacks = used) -> None:
                nonlocal committed
                await commit_announced(history.store, again, used, clock=history.calendar)
                committed += 1

            came = await interleave(history.store, history.sweep, backup, stop)
            await history.require_whole()
            stop += 3
        assert 0 < committed < stop

    async def test_a_record_that_can_t_be_read_stops_everything(self) -> None:
        history = await worn()
        await history.sweep()
        name = min(await history.names("locations"))
        blobs = history.store.snapshots._blobs
        blobs[name] = type(blobs[name])(b"x", {}, blobs[name].modified, "")
        before = await history.names()
        history.calendar.now += 3 * DAY
        assert name in (await history.sweep()).hindrance
        assert await history.names() == before

    async def test_a_record_that_is_lost_stops_everything(self) -> None:
        """What it leads to looks like something that no snapshot needs."""
        history = await worn()
        await history.sweep()
        name = min(await history.names("locations"))
        blobs = history.store.snapshots._blobs
        record = blobs.pop(name)
        before = await history.names()
        history.calendar.now += 3 * DAY
        old = FOLDER.pack(name.rpartition("/")[2].partition(".")[0])
        for dry_run in (True, False):
            report = await history.sweep(dry_run=dry_run)
            assert f"{old}: the pack is gone" in report.hindrance
            assert (report.removed, report.rewritten) == (0, 0)
        assert await history.names() == before
        blobs[name] = record
        await history.require_settled()
        await history.require_whole()

    async def test_packs_that_an_announced_snapshot_lacks_stop_nothing_for_good(self) -> None:
        """As in a replica to which they are being copied."""
        history = await worn()
        other = History(seed=2)
        other.calendar = history.calendar
        other.store.snapshots._clock = history.calendar
        coming = await other.day(changes=200)
        async with announced(history.store, coming, UsedPacks(), history.calendar.now):
            report = await history.sweep()
            assert (report.hindrance, report.removed, report.rewritten) == ("", 0, 0)
        assert (await history.sweep()).removed > 0

    async def test_a_pack_is_not_moved_back_to_where_it_came_from(self) -> None:
        """One, joined with another and parted from it again, is the same pack: its record would lead in a circle."""
        history = await worn(days=1, but=1)
        names = [parse_pack_name(name) for name in sorted(await history.names("packs"))]
        one, other, *_ = [name for name in names if name is not None]
        live = LiveMembers(history.store.snapshots, EAST, HOTELS)
        await live.walk("", history.made[0].tree)
        joined = await copy_live(history.store.snapshots, [one, other], live, target=1 << 20)
        (together,) = {parse_pack_name(name) for name in joined.stored}
        assert together is not None
        await live.resolve(joined.rewritten)
        assert live.is_superseded(one)
        assert await is_copied(history.store.snapshots, one, live)
        for pack in (one, other):
            await history.store.snapshots.delete(pack.blob)
        parted = await copy_live(
            history.store.snapshots, [together], live, taken={one.sha256, other.sha256}, target=TARGET
        )
        assert not {one.blob, other.blob} & parted.stored.keys()
        await history.require_whole()

    async def test_a_record_that_leads_back_to_its_pack_proves_nothing(self) -> None:
        history = await worn(days=1, but=1)
        name = parse_pack_name(min(await history.names("packs")))
        assert name is not None
        live = LiveMembers(history.store.snapshots, EAST, HOTELS)
        await live.walk("", history.made[0].tree)
        data = await history.store.snapshots.read(name.blob, 1 << 30)
        for was, now in ((name.sha256, "ab" * 32), ("ab" * 32, name.sha256)):
            circle = [Location(each.offset, now, each.offset, each.stored) for each in scan_members(data, name.blob)]
            await history.store.snapshots.create(FOLDER.locations(was), encode_locations(circle))
        await live.resolve([PackName("locations", FOLDER, name.sha256), PackName("locations", FOLDER, "ab" * 32)])
        assert live.is_superseded(name)
        assert not await is_copied(history.store.snapshots, name, live)
        history.calendar.now += 3 * DAY
        await history.sweep()
        await history.require_whole()

    async def test_of_two_packs_whose_records_lead_to_each_other_none_goes(self) -> None:
        history = await worn(days=1, but=1)
        blobs = history.store.snapshots
        old = parse_pack_name(min(await history.names("packs")))
        assert old is not None
        data = await blobs.read(old.blob, 1 << 30)
        members = list(scan_members(data, old.blob))
        packer = Packer(1 << 30)
        for each in reversed(members):
            packer.add(each.sha256, data[each.offset : each.offset + each.stored])
        new = packer.finish()
        assert new is not None
        await blobs.create(FOLDER.pack(new.name), new.data)
        there = [
            Location(was.offset, new.name, now.offset, now.stored)
            for was, now in zip(reversed(members), new.members, strict=True)
        ]
        back = [Location(each.offset, old.sha256, each.was, each.stored) for each in there]
        await blobs.create(FOLDER.locations(old.sha256), encode_locations(there))
        await blobs.create(FOLDER.locations(new.name), encode_locations(back))
        history.calendar.now += 3 * DAY
        report = await history.sweep()
        await history.require_whole()
        assert "is not where its record" in report.not_rewritten


async def damaged() -> tuple[History, VerifyReport]:
    """Return a history one of whose packs is damaged, in what is needed and in what is not, and its verification."""
    history = await worn(days=6)
    live = LiveMembers(history.store.snapshots, EAST, HOTELS)
    for each in history.made:
        await live.walk("", each.tree)
    for chunk in await chunks_of(history.store.snapshots, history.made[-1]):
        name = PackName("packs", FOLDER, chunk.pack)
        members = scan_members(await history.store.snapshots.read(name.blob, 1 << 30), name.blob)
        if dead := [each for each in members if not live.has(name, each.offset)]:
            await replace(history.store, name.blob, flip_in(chunk))
            await replace(history.store, name.blob, flip(dead[0].offset + dead[0].stored // 2))
            break
    audit = await verify_index(history.store.snapshots, EAST, HOTELS)
    assert len(audit.damage) == 1
    return history, audit


async def mend(history: History, audit: VerifyReport) -> None:
    """Repair from the live index."""
    report = await repair_index(history.store, audit, [Live(history.lines)], history.calendar)
    if report.left:
        raise ConflictError(report.left[0].why, on=report.left[0].blob, do="Repair again")


def reference_of(manifest: Manifest) -> SnapshotReference:
    return SnapshotReference(service=EAST, index=HOTELS, id=manifest.id)


async def _alive_in(history: History, pack: PackName) -> int:
    live = LiveMembers(history.store.snapshots, EAST, HOTELS)
    for each in history.made:
        await live.walk("", each.tree)
    return live.number(pack)


def fill(number: int, size: int, live: int, hops: int = 0) -> Fill:
    return Fill(PackName("packs", FOLDER, f"{number:064x}"), size, live, hops)


class TestChoosing:
    def test_packs_that_are_mostly_dead_are_rewritten(self) -> None:
        fills = [fill(1, 1000, 660), fill(2, 1000, 650), fill(3, 1000, 0), fill(4, 1000, 1)]
        assert choose(fills, target=1000) == [fills[1], fills[3]]

    def test_small_ones_are_joined_once_they_fill_a_pack_or_are_many(self) -> None:
        few = [fill(number, 300, 300) for number in range(3)]
        assert choose(few, target=1000) == []
        assert choose([*few, fill(4, 300, 300)], target=1000) == [*few, fill(4, 300, 300)]
        tiny = [fill(number, 20, 20) for number in range(MANY)]
        assert choose(tiny, target=1000) == tiny
        assert choose(tiny[:-1], target=1000) == []

    def test_those_of_other_sizes_are_not_moved_with_them(self) -> None:
        tiny = [fill(number, 20, 20) for number in range(MANY)]
        larger = fill(100, 400, 400)
        assert larger not in choose([*tiny, larger], target=1000)

    def test_what_was_moved_too_often_stays(self) -> None:
        assert choose([fill(1, 1000, 10, MOST_MOVES)], target=1000) == []
        assert MOST_MOVES < MOST_HOPS

    def test_batches_are_bounded(self) -> None:
        fills = [fill(number, 1000, 500) for number in range(200)]
        batches = in_batches(fills, target=1000)
        assert [each for batch in batches for each in batch] == fills
        assert max(len(batch) for batch in batches) <= 64
        assert in_batches([]) == []
