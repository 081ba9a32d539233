"""Targets of the fuzzer: every kind of record in the runs container."""

import random
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import msgspec

from indexvault.api.run_views import view_run
from indexvault.backup import state as backup_state
from indexvault.backup.reveal_records import Reveal, RevealRecords, with_retrievable
from indexvault.errors import IntegrityError
from indexvault.maintenance.other_app import AppTick, seen_at
from indexvault.maintenance.verified import Verified, read_verified, verified_after
from indexvault.model import IndexName
from indexvault.move.job import MoveState
from indexvault.move.state import other_move, read_move_state
from indexvault.recovery.drift_records import DriftState, read_drift, read_drifts
from indexvault.recovery.drill_records import DrillResults, OpenDrill, all_open, read_results
from indexvault.recovery.failover_state import FailoverState, read_failover
from indexvault.recovery.standby_records import StandbyState, read_standby, read_state
from indexvault.restore import state as restore_state
from indexvault.restore.followed import Followed, read_followed
from indexvault.restore.service.state import ServiceRestoreState, read_service_restore_state
from indexvault.settings.model import EnvironmentSecret, WebhookSettings
from indexvault.snapshots.announcements import Announcement, SweepRecord, announced_trees, is_being_swept
from indexvault.snapshots.authority import AcceptedSnapshots
from indexvault.snapshots.holds import Hold, is_held, is_live, read_holds
from indexvault.snapshots.names import SERVICE_OBJECTS, SnapshotReference
from indexvault.snapshots.pins import Pin, pins_by_id
from indexvault.snapshots.records import RecordStore
from indexvault.snapshots.restored import Restored, read_restored
from indexvault.snapshots.roles import PairRole, read_role
from indexvault.snapshots.run_names import (
    LAST_TICK,
    NOTICES,
    accepted_name,
    announcement_name,
    app_name,
    checkpoint_name,
    drift_name,
    drill_name,
    failover_name,
    followed_name,
    hold_name,
    lock_name,
    move_name,
    open_drill_name,
    pin_name,
    record_name,
    restore_name,
    restored_name,
    reveal_name,
    role_name,
    standby_name,
    sweep_name,
    tombstone_name,
    unchanged_name,
    unfinished_name,
    verified_name,
)
from indexvault.snapshots.tombstones import Tombstone, read_tombstones
from indexvault.snapshots.unchanged import Unchanged, as_of, read_unchanged
from indexvault.status.notices import Notices, due_changes, undelivered, updated
from indexvault.status.ticks import TickRecord, judge_tick
from indexvault.workflow.checkpoints import Checkpoints
from indexvault.workflow.lock_holder import Holder, locked_error, read_holder
from indexvault.workflow.progress import ActivityProgress, read_progress
from indexvault.workflow.runs import RunRecord, Runs, cancelled, closed
from indexvault.workflow.unfinished import Unfinished, read_unfinished
from tests.memory_store import MemoryStore
from tests.soak import fuzz_examples as examples
from tests.soak import fuzz_inputs as inputs
from tests.soak.fuzz_stored import read_stored
from tests.soak.fuzz_target import Target, wait

_ID = "20261120T023000Z-7f3a9c"
_INDEX = IndexName("contoso-east", "hotels")
_REFERENCE = SnapshotReference(service=_INDEX.service, index=_INDEX.index, id=_ID)
_NOW = examples.NOW


def _one(kind: type[Any], name: str, read: Callable[[MemoryStore], Awaitable[Any]]) -> tuple[type[Any], str, Any]:
    return kind, name, read


async def _read_lock(store: MemoryStore) -> None:
    holder = await read_holder(store.runs, _INDEX)
    if holder is not None:
        assert (holder.expires > _NOW) in {True, False}
        str(locked_error(_INDEX, holder))


async def _read_run(store: MemoryStore) -> None:
    record = await Runs(store.runs).read("run-1")
    assert record is not None
    msgspec.json.encode(view_run(record, {}, _NOW))
    closed(record, _NOW)
    msgspec.json.encode(cancelled(record, _NOW))


async def _read_progress(store: MemoryStore) -> None:
    other = checkpoint_name("run-1", "progress-other")
    await store.runs.put(other, msgspec.json.encode(ActivityProgress(_NOW, {})))
    await read_progress([store.runs], "run-1")


async def _read_restore(store: MemoryStore) -> None:
    found = await restore_state.read_restore_state(store.runs, _INDEX)
    if found is not None:
        str(restore_state.unfinished(found, _INDEX))
        assert found.marked


async def _read_move(store: MemoryStore) -> None:
    found = await read_move_state(store.runs, _INDEX)
    if found is not None:
        str(other_move(found))


async def _read_reveals(store: MemoryStore) -> None:
    async for reveal in RevealRecords(store.runs).all():
        with_retrievable(bytes(reveal.definition.stable.body), reveal.fields, retrievable=False)


async def _read_sweep(store: MemoryStore) -> None:
    await is_being_swept(store.runs, _INDEX.service, _INDEX.index, _NOW)


async def _read_announcements(store: MemoryStore) -> None:
    await announced_trees(store.runs, _INDEX.service, _INDEX.index, _NOW)


async def _read_holds(store: MemoryStore) -> None:
    assert await is_held(store.runs, _REFERENCE, lambda _store: store.runs, _NOW) in {True, False}
    async for _snapshot, hold in read_holds(store.runs, *_PLACE):
        assert hold.reason
        await is_live(hold, lambda _store: store.runs, _NOW)


async def _read_tombstones(store: MemoryStore) -> None:
    for tombstone in (await read_tombstones(store.runs, _INDEX.service, _INDEX.index)).values():
        assert (_NOW - tombstone.removed).days < 10**9


async def _read_verified(store: MemoryStore) -> None:
    found = await read_verified(store.runs, *_PLACE)
    verified_after(found, 1, [], [], _NOW)


async def _read_unchanged(store: MemoryStore) -> None:
    found = await read_unchanged(store.runs, _INDEX.service, now=_NOW)
    for reference, record in found.items():
        assert record.words
        as_of(_NOW, reference, found)


async def _read_drills(store: MemoryStore) -> None:
    found = await read_results(store.runs, _INDEX)
    if found is not None:
        assert found.last.is_good == (not found.last.faults)


async def _read_open_drills(store: MemoryStore) -> None:
    async for drill in all_open(store.runs):
        str(drill.target)


async def _read_failover(store: MemoryStore) -> None:
    found = await read_failover(store.runs, "contoso")
    if found is not None and found.report is not None:
        assert found.report.keeps_point in {True, False}
        assert found.report.keeps_time in {True, False}
        assert all(found.report.faults)


async def _read_standby(store: MemoryStore) -> None:
    for found in await read_standby(store.runs, "contoso", _INDEX.service):
        assert found.is_equal in {True, False}
    await read_state(store.runs, "contoso", _INDEX)


async def _read_drifts(store: MemoryStore) -> None:
    for found in await read_drifts(store.runs, "contoso"):
        assert found.differs in {True, False}
    await read_drift(store.runs, "contoso", _INDEX.index)


async def _read_notices(store: MemoryStore) -> None:
    found = await RecordStore(store.runs, Notices).read(NOTICES)
    assert found is not None
    webhooks = {"hook": WebhookSettings(url=EnvironmentSecret(env="HOOK"))}
    due_changes(updated(found, [], webhooks, _NOW), "hook", webhooks["hook"])
    undelivered(found, webhooks)


async def _read_tick(store: MemoryStore) -> None:
    judge_tick(await RecordStore(store.runs, TickRecord).read(LAST_TICK), timedelta(hours=1), _NOW)


def _checkpoint(kind: type[Any]) -> tuple[type[Any], str, Any]:
    return kind, checkpoint_name("run-1", "part"), lambda store: Checkpoints(store.runs, "run-1").read("part", kind)


_PLACE = (_INDEX.service, _INDEX.index)
_RECORDS: tuple[tuple[type[Any], str, Any], ...] = (
    _one(Holder, lock_name(*_PLACE), _read_lock),
    _one(RunRecord, record_name("run-1"), _read_run),
    _one(ActivityProgress, checkpoint_name("run-1", "progress-x"), _read_progress),
    _one(restore_state.RestoreState, restore_name(*_PLACE), _read_restore),
    _one(MoveState, move_name(*_PLACE), _read_move),
    _one(
        ServiceRestoreState,
        restore_name(_INDEX.service, SERVICE_OBJECTS),
        lambda store: read_service_restore_state(store.runs, _INDEX.service),
    ),
    _one(Reveal, reveal_name(*_PLACE), _read_reveals),
    _one(Unfinished, unfinished_name(*_PLACE), lambda store: read_unfinished(store.runs, _INDEX)),
    _one(Pin, pin_name(*_PLACE, _ID), lambda store: pins_by_id(store.runs, *_PLACE)),
    _one(Hold, hold_name(*_PLACE, _ID, "run-1"), _read_holds),
    _one(Tombstone, tombstone_name(*_PLACE, _ID), _read_tombstones),
    _one(Announcement, announcement_name(*_PLACE, _ID), _read_announcements),
    _one(SweepRecord, sweep_name(*_PLACE), _read_sweep),
    _one(Verified, verified_name(*_PLACE), _read_verified),
    _one(Unchanged, unchanged_name(*_PLACE), _read_unchanged),
    _one(Followed, followed_name(*_PLACE), lambda store: read_followed(store.runs, _INDEX)),
    _one(Restored, restored_name(*_PLACE), lambda store: read_restored(store.runs, _INDEX, _NOW)),
    _one(DrillResults, drill_name(*_PLACE), _read_drills),
    _one(OpenDrill, open_drill_name(*_PLACE), _read_open_drills),
    _one(PairRole, role_name("contoso", 1), lambda store: read_role(store.runs, "contoso")),
    _one(FailoverState, failover_name("contoso"), _read_failover),
    _one(StandbyState, standby_name("contoso", *_PLACE), _read_standby),
    _one(DriftState, drift_name("contoso", _INDEX.index), _read_drifts),
    _one(Notices, NOTICES, _read_notices),
    _one(TickRecord, LAST_TICK, _read_tick),
    _one(AppTick, app_name("func-east"), lambda store: seen_at(store.runs, "func-east")),
    _one(
        AcceptedSnapshots,
        accepted_name(*_PLACE),
        lambda store: RecordStore(store.runs, AcceptedSnapshots).read(accepted_name(*_PLACE)),
    ),
    *map(
        _checkpoint,
        (
            restore_state.RestorePlan,
            restore_state.TargetIndex,
            restore_state.LoadCheckpoint,
            restore_state.Hiding,
            backup_state.Plan,
            backup_state.PlanHeader,
            backup_state.ScannedRange,
            backup_state.CollectedPartition,
            backup_state.KeptRanges,
            backup_state.StartedOver,
        ),
    ),
)


def _draw_record(rng: random.Random) -> tuple[int, bytes]:
    at = rng.randrange(len(_RECORDS))
    return at, inputs.damaged_json(rng, [examples.example_of(_RECORDS[at][0], rng)])


def _use_record(given: tuple[int, bytes]) -> None:
    at, data = given
    _kind, name, read = _RECORDS[at]
    wait(read_stored(data, name, read))


RECORDS: tuple[Target, ...] = (
    Target(name="record", draw=_draw_record, use=_use_record, raises=(IntegrityError,), weight=3),
)
