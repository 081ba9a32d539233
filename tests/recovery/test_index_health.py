"""Queries that tell whether a service answers, over HTTP against the emulator."""

import asyncio
from collections.abc import Sequence

import pytest

from indexvault.recovery.index_health import AT_ONCE, IndexHealth, next_turn
from tests import hotels
from tests.memory_store import MemoryStore
from tests.world import EAST, World, open_world

SOON = 0.3


class Seconds:
    """Monotonic seconds that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def health_of(world: World, *patterns: str, now: Seconds | None = None) -> IndexHealth:
    service = world.clients.health_service(EAST)
    return IndexHealth(service, patterns or ("*",), seconds=SOON, now=now or Seconds())


async def fill(world: World, *names: str) -> None:
    for name in names:
        await world.fill(hotels.definition(name=name), hotels.hotels(2))
    await world.control("DELETE", EAST, "/requests")


async def queries(world: World) -> int:
    return sum(each["requests"] for name, each in (await world.requests(EAST)).items() if "search" in name)


async def test_a_service_answers_when_each_of_its_indexes_does() -> None:
    async with open_world(MemoryStore("local")) as world:
        await fill(world, "hotels", "motels", "tmp-1")
        assert await health_of(world, "*", "!tmp-*").ask() == "answers"
        assert await queries(world) == 2


@pytest.mark.parametrize(
    "fault",
    [
        {"fault": "latency", "seconds": 60},
        {"fault": "throttled"},
        {"fault": "throttled", "retry_after": 30},
        {"fault": "unavailable"},
        {"fault": "reset"},
        {"fault": "truncated"},
        {"fault": "coverage", "percent": 50},
    ],
    ids=lambda fault: "-".join(map(str, fault.values())),
)
async def test_one_index_that_does_not_answer_in_time_makes_the_service_silent(fault: dict[str, object]) -> None:
    async with open_world(MemoryStore("local")) as world:
        await fill(world, "hotels", "motels")
        health = health_of(world)
        assert await health.ask() == "answers"
        await world.faults(EAST, fault | {"path": r"motels.*docs/search"})
        async with asyncio.timeout(5):
            assert await health.ask() == "silent"
        await world.faults(EAST)
        async with asyncio.timeout(5):  # after a Retry-After the service is left alone for a second
            while await health.ask() != "answers":  # noqa: ASYNC110 - a service is polled
                await asyncio.sleep(0.1)


async def test_a_single_refusal_is_asked_again_within_the_time() -> None:
    async with open_world(MemoryStore("local")) as world:
        await fill(world, "hotels")
        await world.faults(EAST, {"fault": "throttled", "path": "docs/search", "times": 1})
        assert await IndexHealth(world.clients.health_service(EAST), ("*",)).ask() == "answers"


async def test_a_dead_service_is_not_listed_and_one_that_dies_is_silent() -> None:
    async with open_world(MemoryStore("local")) as world:
        await fill(world, "hotels")
        health = health_of(world)
        assert await health.ask() == "answers"
        await world.faults(EAST, {"fault": "reset"})
        assert await health.ask() == "silent"
        assert await health_of(world).ask() == "not listed"


async def test_a_service_without_an_index_of_the_pair_does_not_answer_for_it() -> None:
    async with open_world(MemoryStore("local")) as world:
        await fill(world, "other")
        assert await health_of(world, "hotels*").ask() == "none"
        assert await health_of(world, "hotels").ask() == "silent"  # named in full, it has to be there


async def test_an_index_that_its_owner_deletes_or_adds_changes_nothing_for_the_others() -> None:
    seconds = Seconds()
    async with open_world(MemoryStore("local")) as world:
        await fill(world, "hotels", "motels")
        health = health_of(world, now=seconds)
        assert await health.ask() == "answers"
        await world.east.delete_index("motels", before=await world.east.index_definition("motels"))
        await fill(world, "inns")
        assert await health.ask() == "answers"
        assert await health.ask() == "answers"
        assert sorted(health._names or ()) == ["hotels", "inns"]


async def test_a_turn_asks_few_queries_and_the_next_turn_the_others() -> None:
    names = [f"hotels-{number:02}" for number in range(45)]
    async with open_world(MemoryStore("local")) as world:
        await fill(world, *names)
        await world.faults(EAST, {"fault": "unavailable", "path": r"hotels-44.*docs/search"})
        health = health_of(world)
        found = []
        for _ in range(4):
            await world.control("DELETE", EAST, "/requests")
            found.append(await health.ask())
            assert await queries(world) <= 22  # one of them is asked three times
        assert found == ["answers", "answers", "silent", "silent"]


async def test_queries_wait_for_no_backup_of_this_process() -> None:
    async with open_world(MemoryStore("local")) as world:
        await fill(world, "hotels")
        await world.faults(EAST, {"fault": "latency", "path": "stats", "seconds": 3600})
        held = [asyncio.create_task(world.east.index_statistics("hotels")) for _ in range(20)]
        try:
            assert await health_of(world).ask() == "answers"
        finally:
            await world.faults(EAST)
            for task in held:
                task.cancel()
            await asyncio.gather(*held, return_exceptions=True)


@pytest.mark.parametrize(
    ("names", "silent", "start", "expected", "then"),
    [
        ("", "", 3, "", 0),
        ("abc", "", 0, "abc", 0),
        ("abcdef", "", 0, "abcd", 4),
        ("abcdef", "", 4, "efab", 2),
        ("abcdef", "b", 0, "bacd", 4),
        ("abcdef", "bcdef", 0, "bcad", 4),
        ("abcdef", "abcdef", 5, "abfc", 3),
    ],
)
def test_silent_indexes_are_asked_first_and_leave_room_for_the_others(
    names: Sequence[str], silent: str, start: int, expected: str, then: int
) -> None:
    turn = next_turn(list(names), frozenset(silent), start, most=4)
    assert ("".join(turn.names), turn.start) == (expected, then)


async def test_a_service_in_trouble_is_asked_no_more_than_it_takes_to_know() -> None:
    async with open_world(MemoryStore("local")) as world:
        await fill(world, *(f"hotels-{number}" for number in range(12)))
        await world.faults(EAST, {"fault": "latency", "seconds": 60, "path": "docs/search"})
        assert await health_of(world).ask() == "silent"
        assert await queries(world) <= AT_ONCE
