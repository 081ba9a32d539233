"""A field that counts from 1970 in numbers, and single documents in which it counts in another unit."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from indexvault.backup.changes.fields import literal_at
from indexvault.backup.state import PLAN_RECORD, Plan
from indexvault.errors import IndexvaultError, UnreachableError
from indexvault.settings.model import ChangesSettings
from indexvault.workflow.checkpoints import Checkpoints
from tests.backup.changes.live_documents import INDEX, by_changes, definition, digest_of_index, manifest_of, write
from tests.memory_store import MemoryStore
from tests.world import Calendar, World, open_world

FIELD = ChangesSettings(field="ts")
STRAY = 400
"""The number of a document with a time in milliseconds, where all others have seconds."""


@pytest.fixture
def clock() -> Calendar:
    return Calendar()


@pytest.fixture
async def world(clock: Calendar) -> AsyncIterator[World]:
    fields = [*definition()["fields"], {"name": "ts", "type": "Edm.Int64", "filterable": True, "sortable": True}]
    async with open_world(MemoryStore("local"), clock=clock) as opened:
        await opened.fill({"name": INDEX, "fields": fields}, [stamped(number, clock) for number in range(300)])
        yield opened


def stamped(number: int, clock: Calendar, *, per_second: int = 1, version: int = 0) -> dict[str, Any]:
    return {"id": f"{number:06}", "ts": int(clock.now.timestamp() * per_second), "version": version}


async def test_one_document_in_another_unit_hides_no_changes(world: World, clock: Calendar) -> None:
    assert (await by_changes(world, FIELD)).state == "complete"
    clock.now += timedelta(minutes=30)
    await write(world, [stamped(STRAY, clock, per_second=1000)])
    await write(world, [stamped(number, clock, version=1) for number in range(40)])
    report = await by_changes(world, FIELD)
    assert report.state == "presumed"
    assert (await manifest_of(world, report.snapshot)).content_digest == await digest_of_index(world)


async def test_a_proof_judges_documents_in_the_unit_that_they_were_asked_for(world: World, clock: Calendar) -> None:
    """What one writer stamps in seconds is missed where all others stamp in milliseconds, and the proof says so."""
    await write(world, [stamped(number, clock, per_second=1000) for number in range(300)])
    assert (await by_changes(world, FIELD)).state == "complete"
    clock.now += timedelta(minutes=30)
    await write(world, [stamped(102, clock, version=7), stamped(103, clock, per_second=1000, version=7)])
    assert (await by_changes(world, FIELD)).state == "presumed"
    full = await world.back_up(INDEX)
    assert full.missed is not None
    assert (full.missed.documents, full.missed.changed) == (1, 1)


@pytest.mark.parametrize("forged", [{"unit": "milliseconds"}, {"valueless": 0}])
async def test_a_resumed_run_believes_neither_the_unit_nor_the_counts_of_its_plan(
    world: World, clock: Calendar, forged: dict[str, Any]
) -> None:
    """Somebody who can write to the runs container hides what was changed; there is no record key."""
    await write(world, [{"id": f"{number:06}", "ts": None, "version": 0} for number in range(5)])
    base = await by_changes(world, FIELD)
    clock.now += timedelta(minutes=30)
    await write(world, [{"id": f"{number:06}", "ts": None, "version": 7} for number in range(5)])
    await write(world, [stamped(number, clock, version=7) for number in range(100, 140)])

    async def kill(_run: Any, _resources: Any, _given: Any) -> Any:
        raise UnreachableError("no answer", on="the store", do="Try again")

    world.around["read_changes"] = kill
    with pytest.raises(IndexvaultError):
        await by_changes(world, FIELD, run="interrupted")
    del world.around["read_changes"]
    checkpoints = Checkpoints(world.store.runs, "interrupted")
    plan = await checkpoints.read(PLAN_RECORD, Plan)
    assert plan is not None
    assert plan.changes is not None
    changes = msgspec.structs.replace(plan.changes, **forged)
    started = (await manifest_of(world, base.snapshot)).started
    changes = msgspec.structs.replace(changes, since=literal_at(changes.unit, started - FIELD.margin))
    await checkpoints.write(PLAN_RECORD, msgspec.structs.replace(plan, changes=changes))
    report = await by_changes(world, FIELD, run="interrupted")
    assert (await manifest_of(world, report.snapshot)).content_digest == await digest_of_index(world)
