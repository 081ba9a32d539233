"""A planned failover loses nothing; a failback is one the other way, and says what it overwrites."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from indexvault.errors import ConflictError, VerificationError
from indexvault.recovery.failover_job import FailoverReport
from indexvault.search.client import SearchService
from tests.recovery.conftest import note
from tests.recovery.failover_world import (
    ALIAS,
    IDLE,
    INDEXER,
    SOURCE,
    SYNONYMS,
    FailoverWorld,
    fill_notes,
    open_failover,
)
from tests.world import EAST, WEST, quick_rests, upload_batch

__all__ = ["quick_rests"]


async def put_documents(opened: FailoverWorld, service: str, *documents: dict[str, Any]) -> None:
    target: SearchService = opened.world.clients.service(service)
    answer = await target.index_documents("notes", upload_batch(map(msgspec.json.encode, documents)))
    assert all(result.status for result in answer.results.values())


async def put_objects(opened: FailoverWorld) -> None:
    await opened.put(EAST, "synonymmaps", SYNONYMS)
    await opened.put(EAST, "datasources", {**SOURCE, "credentials": {"connectionString": "x"}})
    await opened.put(EAST, "indexers", INDEXER)
    await opened.put(EAST, "indexers", IDLE)
    await opened.put(EAST, "aliases", ALIAS)


async def disabled(opened: FailoverWorld, service: str) -> dict[str, bool]:
    names = [INDEXER["name"], IDLE["name"]]
    return {name: bool((await opened.get(service, "indexers", name)).get("disabled")) for name in names}


def outcomes(report: FailoverReport) -> dict[str, str]:
    return {f"{each.kind}/{each.name}": each.outcome for each in report.objects}


async def test_a_planned_failover_loses_nothing_and_moves_the_indexers() -> None:
    async with open_failover() as opened:
        await fill_notes(opened, 60)
        await put_objects(opened)
        # The standby has the data source already, with a secret of its own.
        await opened.put(WEST, "datasources", {**SOURCE, "credentials": {"connectionString": "y"}})
        await opened.back_up()
        await put_documents(opened, EAST, note(99, "written after the last backup"))
        report = await opened.fail_over(planned=True)
        assert (report.planned, report.following, report.window, report.rounds) == (True, True, timedelta(), 1)
        assert len(await opened.documents(WEST)) == 61
        assert outcomes(report) == {
            "synonymmaps/words": "made",
            "datasources/blobs": "there",
            "indexers/read-blobs": "made",
            "indexers/idle": "made",
            "aliases/current": "made",
        }
        assert report.enabled == ["read-blobs"]
        assert await disabled(opened, EAST) == {"read-blobs": True, "idle": True}
        assert await disabled(opened, WEST) == {"read-blobs": False, "idle": True}
        role = await opened.role()
        assert (role.active, role.planned, role.following) == (WEST, True, True)
        assert await opened.role_in(EAST) == await opened.role_in(WEST)


async def test_an_index_that_is_written_to_meanwhile_is_brought_over_again() -> None:
    async with open_failover() as opened:
        await fill_notes(opened, 30)
        compared: list[str] = []

        async def write_once(run: Any, resources: Any, given: Any) -> Any:
            compared.append(given.index)
            if len(compared) == 1:
                await put_documents(opened, EAST, note(77))
            return await run(resources, given)

        opened.world.around["compare_live_indexes"] = write_once
        report = await opened.fail_over(planned=True)
        assert report.rounds == 2
        assert await opened.documents(WEST) == await opened.documents(EAST)


async def test_an_index_that_is_written_to_all_the_time_is_named_and_nothing_is_swapped() -> None:
    async with open_failover() as opened:
        await fill_notes(opened, 30)
        await put_objects(opened)
        written: list[int] = []

        async def write(run: Any, resources: Any, given: Any) -> Any:
            written.append(len(written))
            await put_documents(opened, EAST, note(500 + len(written)))
            return await run(resources, given)

        opened.world.around["compare_live_indexes"] = write
        with pytest.raises(VerificationError, match=r"after 3 rounds.*notes: .*1 are missing") as caught:
            await opened.fail_over(planned=True)
        assert "Stop what writes to these indexes of contoso-east" in caught.value.do
        assert (await opened.role()).active == EAST
        # What was changed for a while is undone.
        assert await disabled(opened, EAST) == {"read-blobs": False, "idle": True}
        state = await opened.state()
        assert state is not None
        assert state.phase == "given up"


async def test_a_planned_failover_needs_both_services() -> None:
    async with open_failover() as opened:
        await fill_notes(opened, 3)
        await opened.back_up()
        await opened.kill_east()
        with pytest.raises(ConflictError, match="contoso-east does not answer"):
            await opened.fail_over(planned=True)
        assert (await opened.role()).active == EAST


async def test_a_failback_says_what_only_the_old_one_held_and_makes_it_equal() -> None:
    async with open_failover() as opened:
        await fill_notes(opened, 50)
        await opened.back_up()
        await put_documents(opened, EAST, note(900, "in no snapshot"), note(1, "changed after the snapshot"))
        await opened.kill_east()
        await opened.fail_over()
        await put_documents(opened, WEST, note(700, "written in the west"))
        await opened.revive_east()
        checked = await opened.check(to=EAST, planned=True, back=True)
        [told] = checked.indexes[0].notes
        assert told.startswith("contoso-east holds 1 document that contoso-west has not, and 1 that differ")
        assert "would be overwritten" in told
        report = await opened.fail_over(to=EAST, planned=True, back=True)
        assert (report.source, report.to, report.generation) == (WEST, EAST, 2)
        assert "1 document that contoso-west has not" in report.indexes[0].notes[0]
        assert "that was overwritten" in report.indexes[0].notes[0]
        assert await opened.documents(EAST) == await opened.documents(WEST)
        assert len(await opened.documents(EAST)) == 51
        role = await opened.role()
        assert (role.active, role.generation, role.following) == (EAST, 2, True)
        assert await opened.role_in(EAST) == await opened.role_in(WEST)
