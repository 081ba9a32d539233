"""Moves of an index that the stable api-version refuses, since it was made with a newer one."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from emulator.service import EmulatedService
from indexvault.errors import IndexvaultError
from indexvault.move.job import MoveJob
from indexvault.move.workflow import ACTIVITIES, MOVE_INDEX, PREFLIGHT_MOVE
from indexvault.search.transport import PREVIEW
from indexvault.workflow.local import LocalEngine
from tests.memory_store import MemoryStore
from tests.move.test_move_index import Mover
from tests.world import EAST, KEYS, WEST, open_world, upload_batch

PAPERS = [{"id": f"{number:02}", "label": f"l{number}"} for number in range(30)]


def labelled(**key: Any) -> bytes:
    fields = [
        {"name": "id", "type": "Edm.String", "key": True, "filterable": True, **key},
        {"name": "label", "type": "Edm.String", "sensitivityLabel": True},
    ]
    return json.dumps({"name": "papers", "fields": fields}).encode()


@asynccontextmanager
async def mover(*, sortable: bool = True, knows_preview: bool = True) -> AsyncIterator[Mover]:
    services = [
        EmulatedService(name=EAST, api_key=KEYS[EAST], newer_indexes="refused in lists"),
        EmulatedService(name=WEST, api_key=KEYS[WEST], newer_indexes="refused in lists", knows_preview=knows_preview),
    ]
    async with (
        open_world(MemoryStore("local"), services=services) as world,
        LocalEngine(world.resources, ACTIVITIES, [MOVE_INDEX, PREFLIGHT_MOVE]) as engine,
    ):
        await world.east.create_index("papers", labelled(sortable=sortable), preview=True)
        await world.east.index_documents("papers", upload_batch(json.dumps(paper).encode() for paper in PAPERS))
        yield Mover(world, engine)


def job(one: Mover) -> MoveJob:
    return one.job(index="papers", target_index="papers", delete_source=True, alias="reading")


@pytest.mark.parametrize("sortable", [True, False], ids=["in order", "looked up"])
async def test_it_is_moved_with_the_preview_and_its_source_deleted(*, sortable: bool) -> None:
    async with mover(sortable=sortable) as one:
        checked = await one.engine.run(PREFLIGHT_MOVE, job(one))
        assert any(check.name == "api_version" and PREVIEW in check.what for check in checked.checks)
        report = await one.engine.run(MOVE_INDEX, job(one))
        assert (report.source_deleted, report.compared) == (True, len(PAPERS))
        assert await one.world.east.index_names() == []
        present = await one.world.west.index_definition("papers", preview=True)
        assert b'"sensitivityLabel":true' in bytes(present.body)
        assert await one.world.west.alias_target("reading") == "papers"


async def test_a_target_that_knows_stable_versions_only_is_told_before_anything_is_written() -> None:
    async with mover(knows_preview=False) as one:
        checked = await one.engine.run(PREFLIGHT_MOVE, job(one))
        [failed] = [check for check in checked.checks if check.name == "api_version"]
        assert (failed.outcome, PREVIEW in failed.what) == ("failed", True)
        with pytest.raises(IndexvaultError, match="api_version"):
            await one.engine.run(MOVE_INDEX, job(one))
        assert await one.world.west.index_names() == []
        assert await one.world.east.count("papers") == len(PAPERS)
