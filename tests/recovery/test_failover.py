"""A failover with the other region gone: to the newest snapshots in reach, proved, and swapped once."""

import asyncio
import time
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from indexvault.errors import (
    CancelledError,
    ConflictError,
    IntegrityError,
    NotFoundError,
    SettingsError,
    VerificationError,
)
from indexvault.model import IndexName
from indexvault.recovery.pair_fence import require_standby
from indexvault.snapshots.run_names import failover_name
from indexvault.workflow.activity import Work
from indexvault.workflow.lock_activities import Claim, locks_of, take_lock
from tests.memory_store import MemoryStore
from tests.recovery.conftest import NOTES, note
from tests.recovery.failover_world import (
    ALIAS,
    IDLE,
    INDEXER,
    PAIR,
    SOURCE,
    SYNONYMS,
    fill_notes,
    open_failover,
)
from tests.recovery.test_failover_planned import put_documents
from tests.world import EAST, WEST, quick_rests

__all__ = ["quick_rests"]


@pytest.mark.parametrize("hangs", [False, True], ids=["refused", "hanging"])
async def test_a_failover_with_service_and_store_of_the_other_region_gone(hangs: bool) -> None:  # noqa: FBT001
    async with open_failover() as opened:
        await fill_notes(opened)
        snapshot = await opened.back_up()
        opened.clock.now += timedelta(minutes=42)
        await opened.kill_east(hangs=hangs)
        started = time.monotonic()
        report = await opened.fail_over()
        assert time.monotonic() - started < 60
        assert (report.source, report.to, report.generation, report.planned) == (EAST, WEST, 1, False)
        [brought] = report.indexes
        assert (brought.outcome, brought.snapshot, brought.documents) == ("brought", snapshot, 400)
        assert brought.age == timedelta(minutes=43)
        assert report.window == timedelta(minutes=43)
        assert report.keeps_point
        assert report.unread == ["local"]
        assert not report.following
        role = await opened.role()
        assert (role.active, role.generation, role.run, role.window) == (WEST, 1, "failover-1", timedelta(minutes=43))
        assert len(await opened.documents(WEST)) == 400
        await opened.revive_east()
        assert await opened.role_in(EAST) is None


async def test_a_damaged_snapshot_swaps_nothing_and_an_older_one_can_be_named() -> None:
    async with open_failover() as opened:
        await fill_notes(opened, 30)
        older = await opened.back_up()
        await put_documents(opened, EAST, note(500))
        await opened.back_up(full_every=timedelta(seconds=1))
        await opened.kill_east()
        damage_newest(opened.west_store)
        with pytest.raises(VerificationError) as caught:
            await opened.fail_over()
        assert caught.value.what.startswith("notes: ")
        assert "contoso-east stays the active service" in caught.value.what
        assert caught.value.do == (
            f"Take an older one: --snapshot contoso-east/notes@{older}; or leave out what can't be mended:"
            " --leave-out notes"
        )
        assert await opened.role_in(WEST) is None
        checked = await opened.check()
        assert [each.outcome for each in checked.indexes] == ["failed"]
        report = await opened.fail_over(snapshots=(f"{EAST}/notes@{older}",))
        assert report.indexes[0].snapshot == older
        assert len(await opened.documents(WEST)) == 30
        assert (await opened.role()).active == WEST


def damage_newest(store: MemoryStore) -> None:
    """Change a byte of every pack that was stored last."""
    blobs = store.snapshots._blobs
    packs = [name for name in blobs if "/packs/" in name or "/chunks/" in name]
    newest = max(blobs[name].modified for name in packs)
    for name in packs:
        if blobs[name].modified == newest:
            data = bytearray(blobs[name].data)
            data[len(data) // 2] ^= 1
            blobs[name] = msgspec.structs.replace(blobs[name], data=bytes(data))


async def test_an_index_without_a_snapshot_in_reach_stops_the_failover_unless_it_is_left_out() -> None:
    async with open_failover() as opened:
        await fill_notes(opened, 5)
        await opened.world.fill({**NOTES, "name": "rooms"}, [note(1)])
        await opened.back_up()
        await opened.back_up("rooms", copied=False)
        await opened.back_up_objects()
        await opened.kill_east()
        with pytest.raises(ConflictError) as caught:
            await opened.fail_over()
        assert caught.value.what == "rooms: no snapshot of it is in reach; nothing was changed"
        assert caught.value.do == "To fail over all the same, leave them out: --leave-out rooms"
        assert await opened.state() is None
        report = await opened.fail_over(leave_out=("rooms",))
        assert [(each.index, each.outcome) for each in report.indexes] == [("notes", "brought"), ("rooms", "left out")]
        assert report.faults == ["index rooms: it is left out, as asked"]


async def test_the_same_command_again_after_the_end_does_nothing_and_tells_what_was_done() -> None:
    async with open_failover() as opened:
        await fill_notes(opened, 5)
        await opened.back_up()
        first = await opened.fail_over()
        again = await opened.fail_over()
        assert again.repeated
        assert (again.run, again.generation, again.indexes) == (first.run, 1, first.indexes)
        assert (await opened.role()).generation == 1


async def test_the_service_that_is_active_is_not_failed_over_to() -> None:
    async with open_failover() as opened:
        with pytest.raises(ConflictError, match="contoso-east is the active service"):
            await opened.fail_over(to=EAST)


async def test_two_at_once_are_one_failover() -> None:
    async with open_failover() as opened:
        await fill_notes(opened, 20)
        await opened.back_up()
        held = asyncio.Event()
        go_on = asyncio.Event()

        async def wait(run: Any, resources: Any, given: Any) -> Any:
            held.set()
            await go_on.wait()
            return await run(resources, given)

        opened.world.around["open_failover_index"] = wait
        first = asyncio.create_task(opened.fail_over())
        await held.wait()
        try:
            # No time passes, so the first one's leases hold.
            with pytest.raises(ConflictError, match="is already running as run failover-1"):
                await opened.fail_over(after=timedelta())
        finally:
            go_on.set()
        assert (await first).generation == 1
        assert (await opened.role()).run == "failover-1"


async def test_a_cold_pair_is_restored_to_the_service_that_is_named() -> None:
    cold = msgspec.structs.replace(PAIR, mode="hot-cold", standby=None, store="westus2")
    async with open_failover(pair=cold) as opened:
        await fill_notes(opened, 10)
        await opened.put(EAST, "synonymmaps", SYNONYMS)
        await opened.put(EAST, "aliases", ALIAS)
        await opened.back_up()
        await opened.back_up_objects()
        await opened.kill_east()
        report = await opened.fail_over(to=WEST)
        assert [(each.index, each.mode) for each in report.indexes] == [("notes", "create")]
        assert {each.name: each.outcome for each in report.objects} == {"words": "made", "current": "made"}
        assert (await opened.role()).active == WEST


async def test_only_services_of_the_pair_can_become_active() -> None:
    async with open_failover() as opened:
        opened.settle(standby=None, store="local", mode="hot-cold")
        with pytest.raises(SettingsError, match="contoso-west is not in the pair"):
            await opened.fail_over()
        with pytest.raises(NotFoundError, match="no service of this name"):
            await opened.fail_over(to="north")


async def test_objects_of_a_warm_standby_are_changed_and_its_own_secrets_kept() -> None:
    async with open_failover() as opened:
        await fill_notes(opened, 10)
        await opened.put(EAST, "datasources", SOURCE)
        await opened.put(EAST, "indexers", {**INDEXER, "schedule": {"interval": "PT1H"}})
        await opened.put(EAST, "indexers", IDLE)
        await opened.put(EAST, "synonymmaps", SYNONYMS)
        await fill_notes(opened, 2, service=WEST)
        await opened.put(WEST, "datasources", SOURCE)
        await opened.put(WEST, "indexers", {**INDEXER, "disabled": True})
        await opened.put(WEST, "synonymmaps", {**SYNONYMS, "synonyms": "old, older"})
        await opened.back_up()
        await opened.back_up_objects()
        await opened.kill_east()
        opened.settle(kinds={"synonymmaps": "hot-hot"})
        report = await opened.fail_over()
        assert {f"{each.kind}/{each.name}": each.outcome for each in report.objects} == {
            "datasources/blobs": "there",
            "indexers/idle": "made",
            "indexers/read-blobs": "changed",
        }
        assert report.enabled == ["read-blobs"]
        there = await opened.get(WEST, "indexers", "read-blobs")
        assert (there["schedule"]["interval"], there.get("disabled")) == ("PT1H", False)
        assert (await opened.get(WEST, "indexers", "idle"))["disabled"] is True
        assert (await opened.get(WEST, "synonymmaps", "words"))["synonyms"] == "old, older"
        assert len(await opened.documents(WEST)) == 10
        assert report.indexes[0].mode == "sync"


async def test_a_forged_state_is_refused_and_nothing_of_it_is_followed() -> None:
    async with open_failover() as opened:
        await fill_notes(opened, 5)
        await opened.back_up()
        await opened.fail_over()
        state = await opened.state()
        assert state is not None
        other = msgspec.structs.replace(state, job=msgspec.structs.replace(state.job, pair="other"))
        for data in (b"{}", msgspec.json.encode(other)):
            await opened.west_store.runs.put(failover_name("contoso"), data)
            with pytest.raises(IntegrityError, match="the record of this pair's failover can't be read"):
                await opened.fail_over()
        assert (await opened.role()).generation == 1


async def test_a_state_that_nobody_with_the_key_has_written_counts_for_nothing() -> None:
    async with open_failover() as forger:
        await fill_notes(forger, 5)
        await forger.back_up()
        await forger.fail_over()
        forged = await forger.west_store.runs.read(failover_name("contoso"), 10**6)
    assert forged is not None
    async with open_failover(record_key="3f9c" + "b1d07e52a86440" * 4) as opened:
        await fill_notes(opened, 7)
        await opened.back_up()
        await opened.west_store.runs.put(failover_name("contoso"), forged.data)
        report = await opened.fail_over()
        assert (report.repeated, report.indexes[0].documents) == (False, 7)


async def test_a_following_in_flight_can_write_nothing_after_the_swap() -> None:
    async with open_failover() as opened:
        await fill_notes(opened, 20)
        await opened.back_up()
        target = IndexName(WEST, "notes")
        work = Work(run="follow-1-0", service=WEST, index=target, part_of="follow-1")
        await take_lock(opened.resources, Claim(work, "pair contoso"))
        report = await opened.fail_over()
        assert report.generation == 1
        with pytest.raises((ConflictError, CancelledError)):
            await take_lock(opened.resources, Claim(work, "pair contoso"))
        [lock] = locks_of(opened.resources, work)
        with pytest.raises(ConflictError):
            await lock.hold()
        with pytest.raises(ConflictError, match="contoso-west is active since generation 1"):
            await require_standby(opened.resources, "contoso", WEST, 0)


async def test_a_run_that_a_person_has_started_keeps_its_lock() -> None:
    async with open_failover() as opened:
        await fill_notes(opened, 20)
        await opened.back_up()
        work = Work(run="restore-9", service=WEST, index=IndexName(WEST, "notes"))
        await take_lock(opened.resources, Claim(work, "indexvault restore"))
        with pytest.raises(ConflictError, match="locked by run restore-9"):
            await opened.fail_over()
        assert (await opened.role()).generation == 0


async def test_a_hot_pair_swaps_only_what_is_alike_or_repaired() -> None:
    hot = msgspec.structs.replace(PAIR, mode="hot-hot", drift_schedule="0 0 * * * *")
    async with open_failover(pair=hot) as opened:
        await fill_notes(opened, 30)
        await fill_notes(opened, 28, service=WEST)
        with pytest.raises(VerificationError, match=r"notes: 0 documents differ, 2 are missing, 0 extra"):
            await opened.fail_over()
        assert (await opened.role()).generation == 0
        report = await opened.fail_over(repair=True)
        assert report.indexes[0].notes == ["2 documents were made as on contoso-east"]
        assert len(await opened.documents(WEST)) == 30
        assert (await opened.role()).active == WEST


async def test_a_hot_pair_swaps_without_the_other_service_and_says_what_is_not_known() -> None:
    hot = msgspec.structs.replace(PAIR, mode="hot-hot", drift_schedule="0 0 * * * *")
    async with open_failover(pair=hot) as opened:
        await fill_notes(opened, 3)
        await fill_notes(opened, 3, service=WEST)
        await opened.kill_east()
        report = await opened.fail_over()
        assert "what differs between the two is not known: contoso-east does not answer" in report.warnings
        assert (await opened.role()).active == WEST
