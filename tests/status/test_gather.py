"""The facts as they are gathered from services and stores, also from those that fail."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from indexvault.errors import NotFoundError, UnreachableError
from indexvault.recovery.drill_job import DrillReport
from indexvault.recovery.drill_records import note_result
from indexvault.settings.model import PolicySettings
from indexvault.snapshots.names import manifest_name
from indexvault.snapshots.run_names import record_name
from indexvault.snapshots.store import BlobProperties
from indexvault.status.facts import Fleet, IndexFacts
from indexvault.status.gather import read_fleet
from indexvault.workflow.runs import RunRecord, Runs
from tests import hotels
from tests.memory_store import MemoryStore
from tests.snapshots.samples import MORNING, documents, write_snapshot
from tests.world import EAST, WEST, Calendar, World, open_world

NIGHTLY = PolicySettings(service=EAST, schedule="0 0 2 * * *", indexes=("*", "!tmp-*"), replicate_to=("west",))


def index_of(fleet: Fleet, name: str) -> IndexFacts:
    return next(index for index in fleet.indexes if index.index == name)


async def two_indexes(world: World) -> None:
    for name in ("hotels", "tmp-hotels"):
        await world.fill(hotels.definition(name=name), hotels.hotels(5))
        await world.back_up(name)


async def test_facts_of_an_index_with_its_snapshots() -> None:
    clock = Calendar()
    async with open_world(
        MemoryStore("local"), clock=clock, policies={"nightly": NIGHTLY}, replicas={"west": MemoryStore("west")}
    ) as world:
        await two_indexes(world)
        clock.now += timedelta(hours=3)
        fleet = await read_fleet(world.resources)
    hotel = index_of(fleet, "hotels")
    assert hotel.last_complete is not None
    assert hotel.last_complete.documents == 5
    assert hotel.last_proved == hotel.last_complete == hotel.history[-1]
    assert hotel.recovery_point == timedelta(days=2)
    assert hotel.next_run == datetime(2026, 11, 17, 2, tzinfo=UTC)
    assert [reason.what for reason in hotel.health.reasons] == ["store west has no complete copy"]
    assert index_of(fleet, "tmp-hotels").health.level == "grey"
    assert index_of(fleet, "$service").health.reasons[0].kind == "no-snapshot"
    assert fleet.health.level == "red"
    assert [store.store for store in fleet.replicas] == ["local", "west"]


async def test_the_last_good_drill_stands_beside_one_that_failed() -> None:
    nightly = replace(NIGHTLY, replicate_to=())
    async with open_world(MemoryStore("local"), clock=Calendar(), policies={"nightly": nightly}) as world:
        await two_indexes(world)
        good = DrillReport(
            service=EAST,
            index="hotels",
            target_service=WEST,
            run="drill",
            snapshot="20261116T023000Z-000000",
            snapshot_created=MORNING,
            started=MORNING,
            finished=MORNING,
            seconds=60.0,
        )
        await note_result(world.store.runs, good)
        drilled = index_of(await read_fleet(world.resources), "hotels")
        assert drilled.last_drill == MORNING
        assert "drill" not in {reason.kind for reason in drilled.health.reasons}
        await note_result(world.store.runs, replace(good, recovery_time=timedelta(seconds=1)))
        failed = index_of(await read_fleet(world.resources), "hotels")
    assert failed.last_drill == MORNING
    assert [each.what for each in failed.health.reasons if each.kind == "drill"] == [
        "the last drill failed: the restore took 60 s, and 1 s are allowed"
    ]


async def test_a_service_that_does_not_answer_takes_nothing_else_down() -> None:
    async with open_world(
        MemoryStore("local"), policies={"nightly": NIGHTLY}, replicas={"west": MemoryStore("west")}
    ) as world:
        await two_indexes(world)
        await world.ask_east_with(key="wrong")
        fleet = await read_fleet(world.resources)
    east, west = fleet.services
    assert (east.health.level, west.health.level) == ("red", "grey")
    assert EAST in east.unread
    hotel = index_of(fleet, "hotels")
    assert hotel.last_complete is not None
    assert hotel.health.level == "red"
    assert "is not known" in hotel.health.words


class FailingBlobs:
    """Listings of a store that refuses, hangs, or breaks."""

    def __init__(self, how: str) -> None:
        self.how = how

    async def list(self, prefix: str) -> AsyncIterator[BlobProperties]:
        await self._fail(prefix)
        yield BlobProperties("", 0, datetime.now(UTC))

    async def folders(self, prefix: str) -> AsyncIterator[str]:
        await self._fail(prefix)
        yield ""

    async def _fail(self, prefix: str) -> None:
        if self.how == "hangs":
            await asyncio.Event().wait()
        if self.how == "breaks":
            raise ZeroDivisionError(prefix)
        raise UnreachableError("no answer", on="account east", do="Check it")


@pytest.mark.parametrize(
    ("how", "words"),
    [("refuses", "account east: no answer"), ("hangs", "did not answer within 0.1 s"), ("breaks", "unexpectedly")],
)
async def test_a_store_that_fails_is_red_and_says_why(how: str, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with open_world(
        MemoryStore("local"), policies={"nightly": NIGHTLY}, replicas={"west": MemoryStore("west")}
    ) as world:
        await two_indexes(world)
        failing = FailingBlobs(how)
        for half in (world.store.snapshots, world.store.runs):
            monkeypatch.setattr(half, "list", failing.list)
        monkeypatch.setattr(world.store.snapshots, "folders", failing.folders)
        fleet = await asyncio.wait_for(read_fleet(world.resources, seconds=0.1), 2)
    stores = {store.store: store for store in fleet.replicas}
    assert words in stores["local"].unread
    assert stores["west"].health.level == "green"
    assert {index.index for index in fleet.indexes if index.service == EAST} == {"hotels", "tmp-hotels", "$service"}
    assert all(index.health.level == "red" for index in fleet.indexes if index.service == EAST)


async def test_a_vanished_and_a_damaged_snapshot_are_red() -> None:
    clock = Calendar()
    async with open_world(
        MemoryStore("local"), clock=clock, policies={"nightly": NIGHTLY}, replicas={"west": MemoryStore("west")}
    ) as world:
        await world.fill(hotels.definition(), hotels.hotels(5))
        first = await world.back_up("hotels")
        clock.now += timedelta(minutes=1)
        second = await world.back_up("hotels")
        await world.store.snapshots.delete(manifest_name(EAST, "hotels", first.snapshot))
        name = manifest_name(EAST, "hotels", second.snapshot)
        await world.store.snapshots.delete(name)
        await world.store.snapshots.create(name, b"not a manifest")
        hotel = index_of(await read_fleet(world.resources), "hotels")
    assert set(hotel.damaged) == {first.snapshot, second.snapshot}
    assert hotel.health.level == "red"
    assert "has vanished" in hotel.health.words
    assert hotel.last_complete is None


async def test_an_unreadable_record_of_a_run_is_told() -> None:
    async with open_world(
        MemoryStore("local"), policies={"nightly": NIGHTLY}, replicas={"west": MemoryStore("west")}
    ) as world:
        now = world.resources.clock()
        record = RunRecord(
            run="20261116T020000Z-policy-nightly",
            kind="backup",
            workflow="run_backup",
            service=EAST,
            asked="indexes * of contoso-east",
            owner="policy nightly",
            created=now,
            policy="nightly",
            choose=["*"],
        )
        await Runs(world.store.runs).create(record)
        await world.store.runs.put(record_name("20261116T010000Z-backup-000000"), b"{")
        fleet = await read_fleet(world.resources)
    assert [run.run for run in fleet.runs] == [record.run]
    assert fleet.services[0].policies[0].last_run == record.run
    assert any("20261116T010000Z-backup-000000" in reason.what for reason in fleet.services[0].health.reasons)
    assert index_of(fleet, "$service").running == record.run


async def test_nothing_is_written_and_a_store_without_containers_is_no_failure() -> None:
    store = MemoryStore("local")
    async with open_world(store) as world:
        fleet = await read_fleet(world.resources)
    assert not store.snapshots._blobs
    assert not store.runs._blobs
    assert fleet.health.level == "green"
    assert {service.service for service in fleet.services} == {EAST, WEST}


async def test_one_service_or_index_alone() -> None:
    async with open_world(MemoryStore("local")) as world:
        await two_indexes(world)
        fleet = await read_fleet(world.resources, service=EAST, index="hotels")
        assert [index.index for index in fleet.indexes] == ["hotels"]
        with pytest.raises(NotFoundError):
            await read_fleet(world.resources, service="nowhere")


async def test_more_snapshots_take_no_more_requests() -> None:
    """The listing brings what is to be known of each."""
    counts = []
    for snapshots in (1, 40):
        store = CountingStore("local")
        for number in range(snapshots):
            created = MORNING - timedelta(hours=number)
            await write_snapshot(store.snapshots, documents(range(2)), created=created, run=f"run-{number}")
        async with open_world(store, clock=lambda: MORNING) as world:
            store.requests.clear()
            fleet = await read_fleet(world.resources)
            assert index_of(fleet, "hotels").snapshots == snapshots
        counts.append(dict(store.requests))
    assert counts[0] == counts[1]


class CountingStore(MemoryStore):
    """Counts the requests to the half with the snapshots."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.requests: Counter[str] = Counter()
        blobs = self.snapshots
        for operation in ("list", "folders", "read", "properties"):
            setattr(blobs, operation, self._counted(operation, getattr(blobs, operation)))

    def _counted(self, operation: str, method: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any) -> Any:
            self.requests[operation] += 1
            return method(*arguments)

        return counted
