"""The age of the newest complete snapshot, as a process knows it that has made none of them."""

from datetime import UTC, datetime, timedelta

import pytest

import indexvault.workflow.telemetry
from indexvault.maintenance.snapshot_age import note_ages
from indexvault.settings.model import PolicySettings
from indexvault.snapshots.unchanged import note_unchanged
from tests import hotels
from tests.memory_store import MemoryStore
from tests.recorded_telemetry import RecordedTelemetry
from tests.snapshots.samples import MORNING, documents, write_snapshot
from tests.world import EAST, open_world

POLICY = PolicySettings(service=EAST, schedule="0 0 2 * * *", indexes=("aged-*", "!aged-tmp"))


async def test_age_is_that_of_the_newest_complete_snapshot_and_grows(telemetry: RecordedTelemetry) -> None:
    now = datetime(2026, 11, 20, 2, tzinfo=UTC)
    async with open_world(MemoryStore("local"), clock=lambda: now) as world:
        await world.fill(hotels.definition(name="aged-hotels"), hotels.hotels(3))
        await world.back_up("aged-hotels")
        assert telemetry.values("indexvault.snapshot.age") >= {("aged-hotels", 0)}
        now += timedelta(hours=3)
        assert telemetry.values("indexvault.snapshot.age") >= {("aged-hotels", 3 * 3600)}
        hidden = hotels.with_field("stars", retrievable=False) | {"name": "aged-lossy"}
        await world.fill(hidden, hotels.hotels(3))
        assert (await world.back_up("aged-lossy")).state == "lossy"
    assert "aged-lossy" not in {index for index, _ in telemetry.values("indexvault.snapshot.age")}


async def test_a_tick_learns_ages_from_the_store_for_what_policies_choose(
    telemetry: RecordedTelemetry, monkeypatch: pytest.MonkeyPatch
) -> None:
    began = datetime(2026, 11, 19, 2, tzinfo=UTC)
    now = began
    store = MemoryStore("local")
    async with open_world(store, clock=lambda: now) as world:
        for name in ("aged-guests", "aged-tmp"):
            await world.fill(hotels.definition(name=name), hotels.hotels(3))
            await world.back_up(name)
    # As a process knows that has only just started.
    monkeypatch.setattr(indexvault.workflow.telemetry, "_NEWEST", {})
    now += timedelta(days=1)
    async with open_world(store, clock=lambda: now) as world:
        await note_ages(world.resources, "local", [POLICY])
        assert telemetry.values("indexvault.snapshot.age") == {("aged-guests", 86400)}


async def test_presumed_snapshots_and_unchanged_indexes_count_for_the_age_and_not_for_the_proved_one(
    telemetry: RecordedTelemetry, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = MORNING
    store = MemoryStore("local")
    for times in ("_NEWEST", "_PROVED"):
        monkeypatch.setattr(indexvault.workflow.telemetry, times, {})
    async with open_world(store, clock=lambda: now) as world:
        hour, name = timedelta(hours=1), "aged-guests"
        full, _ = await write_snapshot(store.snapshots, documents(range(9)), index=name)
        _, presumed = await write_snapshot(
            store.snapshots, documents(range(9)), index=name, created=MORNING + hour, run="later", proved=full
        )
        now = MORNING + 3 * hour
        await note_ages(world.resources, "local", [POLICY])
        assert telemetry.values("indexvault.snapshot.age") == {(name, 2 * 3600)}
        assert telemetry.values("indexvault.snapshot.proved_age") == {(name, 3 * 3600)}
        await note_unchanged(store.runs, presumed.reference, began=now - hour / 2, run="tick-1")
        await note_ages(world.resources, "local", [POLICY])
        assert telemetry.values("indexvault.snapshot.age") == {(name, 1800)}
        assert telemetry.values("indexvault.snapshot.proved_age") == {(name, 3 * 3600)}


async def test_a_snapshot_of_the_future_is_not_the_newest(
    telemetry: RecordedTelemetry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An age of zero until that day would hide that no backup is made any more."""
    right = datetime(2026, 11, 19, 2, tzinfo=UTC)
    now = right
    store = MemoryStore("local")
    monkeypatch.setattr(indexvault.workflow.telemetry, "_NEWEST", {})
    async with open_world(store, clock=lambda: now) as world:
        await world.fill(hotels.definition(name="aged-guests"), hotels.hotels(3))
        await world.back_up("aged-guests")
        now = right + timedelta(days=3000)
        await world.back_up("aged-guests")
        now = right + timedelta(hours=1)
        # This process made the one of the future itself.
        await note_ages(world.resources, "local", [POLICY])
        assert telemetry.values("indexvault.snapshot.age") == {("aged-guests", 3600)}
        monkeypatch.setattr(indexvault.workflow.telemetry, "_NEWEST", {})
        await note_ages(world.resources, "local", [POLICY])
        assert telemetry.values("indexvault.snapshot.age") == {("aged-guests", 3600)}
        await world.back_up("aged-guests")
        assert telemetry.values("indexvault.snapshot.age") == {("aged-guests", 0)}
