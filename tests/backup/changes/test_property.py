"""Random histories: a reading by changes equals a full reading of the same moment, by content digest."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Literal

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from indexvault.backup.limits import Limits
from tests.backup.changes.live_documents import (
    CHANGES,
    by_changes,
    definition,
    delete,
    digest_of_index,
    document,
    manifest_of,
    write,
)
from tests.memory_store import MemoryStore
from tests.world import EAST, Calendar, Run, World, open_world

DOCUMENTS = 400
LIMITS = Limits(smallest_range=150, sorted_run_bytes=20_000, segment_bytes=8_000, few_changes=10_000)
SKEW = int(CHANGES.margin.total_seconds()) - 1
"""Seconds by which a writer's clock may be off, before the margin."""

type Kind = Literal["write", "delete", "hot", "null", "silent"]
type Operation = tuple[Kind, int, int, int]
"""What is done, from which document on, to how many, and how far the writer's clock is off, in seconds."""

type Tick = tuple[Sequence[Operation], Sequence[Operation], Sequence[Operation]]
"""What is done before a run, while it reads the changes, and while it finds deletions and merges."""

numbers = st.integers(0, 999)
honest: st.SearchStrategy[Operation] = st.tuples(
    st.sampled_from(["write", "write", "delete", "hot", "null"]), numbers, st.integers(1, 30), st.integers(-SKEW, SKEW)
)
ticks = st.tuples(*(st.lists(honest, max_size=size) for size in (4, 2, 2)))
histories: st.SearchStrategy[list[Tick]] = st.lists(ticks, min_size=1, max_size=4)
forgetful = st.lists(
    st.tuples(st.sampled_from(["silent", "delete", "write"]), numbers, st.integers(1, 30), st.just(0)), max_size=6
)


class Writer:
    def __init__(self, world: World, clock: Calendar) -> None:
        self.world = world
        self.clock = clock
        self.version = 0

    async def carry_out(self, operations: Sequence[Operation]) -> None:
        for kind, start, amount, skew in operations:
            self.version += 1
            moment = self.clock.now + timedelta(seconds=skew)
            chosen = [(start + 37 * number) % 1000 for number in range(amount)]
            if kind == "delete":
                await delete(self.world, chosen)
            elif kind == "hot":
                many = range(start, start + 4 * amount)
                await write(self.world, [document(number, moment, self.version) for number in many])
            elif kind == "silent":
                old = self.clock.now - timedelta(days=50)
                await write(self.world, [document(number, old, self.version) for number in chosen])
            else:
                at = None if kind == "null" else moment
                await write(self.world, [document(number, at, self.version) for number in chosen])


async def run_history(history: Sequence[Tick], *, facetable: bool, faults: int | None = None) -> None:
    clock = Calendar()
    async with open_world(MemoryStore("local"), clock=clock, limits=LIMITS) as world:
        old = clock.now - timedelta(days=1)
        await world.fill(definition(facetable=facetable), [document(2 * n, old) for n in range(DOCUMENTS)])
        assert (await by_changes(world)).state == "complete"
        rules: list[dict[str, Any]] = [{"fault": "short_page", "operation": "search", "documents": 23}]
        if faults is not None:
            rules.append({"fault": "unavailable", "operation": "search", "probability": 0.1})
        await world.faults(EAST, *rules, seed=faults or 7)
        writer = Writer(world, clock)
        meanwhile: dict[str, Sequence[Operation]] = {}

        def while_running(name: str) -> None:
            async def run(activity: Run, resources: Any, given: Any) -> Any:
                await writer.carry_out(meanwhile.pop(name, ()))
                return await activity(resources, given)

            world.around[name] = run

        for name in ("read_changes", "merge_changes", "commit_snapshot"):
            while_running(name)
        for before, reading, merging in history:
            clock.now += timedelta(minutes=7)
            await writer.carry_out(before)
            meanwhile |= {"read_changes": reading, "merge_changes": merging}
            await by_changes(world)
        clock.now += timedelta(minutes=7)
        last = await by_changes(world)
        assert (await manifest_of(world, last.snapshot)).content_digest == await digest_of_index(world)
        assert last.presumption is not None or last.unchanged


@given(history=histories, facetable=st.booleans())
@example(history=[([], [("delete", 0, 30, 0)], [("write", 1, 30, 0)])], facetable=False)
@example(history=[([("hot", 100, 30, -SKEW)], [("hot", 100, 30, SKEW)], [("hot", 90, 30, 0)])], facetable=True)
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow])
async def test_it_equals_a_full_reading_of_the_same_moment(history: list[Tick], facetable: bool) -> None:  # noqa: FBT001 - hypothesis
    await run_history(history, facetable=facetable)


@pytest.mark.slow
@given(history=histories, facetable=st.booleans(), seed=st.integers(0, 1000))
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
async def test_it_equals_a_full_reading_where_the_service_fails(
    history: list[Tick],
    facetable: bool,  # noqa: FBT001 - hypothesis
    seed: int,
) -> None:
    await run_history(history, facetable=facetable, faults=seed)


@given(forgetful)
@example([("silent", 0, 30, 0), ("delete", 2, 5, 0)])
@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.too_slow])
async def test_the_proof_finds_every_document_that_a_writer_did_not_declare(operations: list[Operation]) -> None:
    clock = Calendar()
    async with open_world(MemoryStore("local"), clock=clock, limits=LIMITS) as world:
        old = clock.now - timedelta(days=1)
        await world.fill(definition(), [document(2 * n, old) for n in range(DOCUMENTS)])
        await by_changes(world)
        clock.now += timedelta(hours=1)
        await Writer(world, clock).carry_out(operations)
        await by_changes(world)
        clock.now += CHANGES.prove_every
        proof = await by_changes(world)
        assert proof.state == "complete"
        assert (await manifest_of(world, proof.snapshot)).content_digest == await digest_of_index(world)
