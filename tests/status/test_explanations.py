"""What is said of policies, and of what snapshots take up."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from indexvault.backup.run import item_for
from indexvault.errors import NotFoundError
from indexvault.maintenance.pinning import pin_snapshot
from indexvault.maintenance.retention import MaintenanceJob, prune_stores
from indexvault.settings.model import PolicySettings, PriceSettings
from indexvault.snapshots.names import SnapshotReference
from indexvault.snapshots.replicate import replicate_index
from indexvault.snapshots.retention import Retention
from indexvault.status.explanations import explain_policies
from indexvault.status.statistics import estimate, growth_of, statistics_of
from indexvault.workflow.runs import Outcome, RunRecord, Runs, closed, with_outcome
from indexvault.workflow.time_limit import past_limit
from tests import hotels
from tests.memory_store import MemoryStore
from tests.snapshots.test_retention import DAYS, NEW_YEAR
from tests.world import EAST, Calendar, World, open_world

NIGHTLY = PolicySettings(service=EAST, schedule="0 0 2 * * *", keep=Retention(last=1), time_limit=timedelta(hours=6))
DAY = timedelta(days=1)


async def a_run(world: World, clock: Calendar, *, failed: bool) -> str:
    record = RunRecord(
        run=f"{clock.now:%Y%m%dT020000Z}-policy-nightly",
        kind="backup",
        workflow="w",
        service=EAST,
        asked="all",
        owner="policy nightly",
        created=clock.now,
        policy="nightly",
    )
    record = replace(record, items=[item_for(record, "hotels", 0)])
    late = past_limit(timedelta(hours=6), f"run {record.run}").record()
    outcome = Outcome(state="failed", failure=late) if failed else Outcome(state="done")
    await Runs(world.store.runs).create(closed(with_outcome(record, f"{record.run}-0", outcome, clock.now), clock.now))
    return record.run


async def test_a_policy_tells_its_runs_and_what_a_prune_would_do() -> None:
    clock = Calendar()
    async with open_world(MemoryStore("local", clock), clock=clock, policies={"nightly": NIGHTLY}) as world:
        await world.fill(hotels.definition(), hotels.hotels(3))
        await world.store.prepare()
        first = (await world.back_up("hotels")).snapshot
        good = await a_run(world, clock, failed=False)
        made = [first]
        for _ in range(2):
            clock.now += DAY
            made.append((await world.back_up("hotels")).snapshot)
        bad = await a_run(world, clock, failed=True)
        await pin_snapshot(world.clients, SnapshotReference(service=EAST, index="hotels", id=first), "audit", clock.now)
        (found,) = await explain_policies(world.resources, "nightly")
        assert found.last_success is not None
        assert found.last_failure is not None
        assert (found.last_success.run, found.last_failure.run) == (good, bad)
        assert "after its time limit of 6 h" in (found.last_failure.failure or "")
        assert found.next_run == clock.now.replace(hour=2, minute=0) + DAY
        (index,) = found.indexes
        assert [(each.id, each.keep, each.reasons) for each in index.snapshots] == [
            (made[2], True, ("last 1", "the last complete one")),
            (made[1], False, ("no rule keeps it",)),
            (made[0], True, ("pinned: audit",)),
        ]
        assert (index.kept, index.goes, index.policies) == (2, 1, ("nightly",))
        (plan,) = await prune_stores(world.resources, MaintenanceJob(service=EAST, index="hotels"), dry_run=True)
        assert [(each.snapshot.id, each.keep, each.reasons) for each in plan.decisions] == [
            (each.id, each.keep, each.reasons) for each in index.snapshots
        ]
        with pytest.raises(NotFoundError, match="no policy of this name"):
            await explain_policies(world.resources, "nightlyy")


async def test_a_policy_that_has_never_run_is_explained_too() -> None:
    async with open_world(MemoryStore("local"), policies={"nightly": NIGHTLY}) as world:
        (found,) = await explain_policies(world.resources)
        assert (found.last_success, found.last_failure, found.indexes) == (None, None, ())


async def test_statistics_count_what_is_stored_and_what_sharing_saves() -> None:
    clock = Calendar()
    own, west = MemoryStore("local", clock), MemoryStore("west", clock)
    policy = replace(NIGHTLY, replicate_to=("west",))
    async with open_world(own, clock=clock, policies={"nightly": policy}, replicas={"west": west}) as world:
        assert (await statistics_of(world.resources)).indexes == ()
        await world.fill(hotels.definition(), hotels.hotels(400))
        for _ in range(3):
            await world.back_up("hotels")
            clock.now += DAY
        await replicate_index(own, west, EAST, "hotels", clock=clock)
        found = await statistics_of(world.resources, EAST, "hotels")
        assert [each.store for each in found.indexes] == ["local", "west"]
        here = found.indexes[0]
        assert (here.snapshots, here.documents) == (3, 400)
        blobs = [len(blob.data) for name, blob in own.snapshots._blobs.items() if "/hotels/" in name]
        assert (here.stored, here.blobs) == (sum(blobs), len(blobs))
        assert here.apart > here.bytes / 100
        assert here.shared is not None
        assert here.growth == 0  # the first snapshot is no growth, and the others added nothing
        assert found.estimate.as_of == PriceSettings().as_of
        for asked in ((EAST, "motels"), ("contoso-north", None)):
            with pytest.raises(NotFoundError):
                await statistics_of(world.resources, *asked)


def test_growth_is_what_the_last_thirty_days_have_added_a_day() -> None:
    now = DAYS[0].created
    grown = [replace(each, added_stored=1000) for each in DAYS]
    assert growth_of(grown, now) == pytest.approx(31 * 1000 / 30)
    assert growth_of(grown[:3], now) == 1000
    assert growth_of(grown[:1], now) == growth_of([], now) == 0
    assert growth_of(NEW_YEAR, now - timedelta(days=999)) == 0


async def test_an_estimate_is_by_the_prices_of_the_settings() -> None:
    clock = Calendar()
    async with open_world(MemoryStore("local", clock), clock=clock) as world:
        await world.fill(hotels.definition(), hotels.hotels(3))
        await world.back_up("hotels")
        (each,) = (await statistics_of(world.resources, EAST)).indexes
    large = replace(each, stored=250 * 10**9, growth=10**9, writes=20_000)
    prices = PriceSettings(currency="EUR", as_of="ours", gigabyte_month=0.02, ten_thousand_writes=0.06)
    found = estimate([large, large], prices)
    assert (found.currency, found.storage, found.next_month, found.writes) == ("EUR", 10.0, 11.2, 0.24)
