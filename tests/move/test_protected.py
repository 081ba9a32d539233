"""Moves of documents that access lists protect: they are compared elevated, or not at all."""

import json
from dataclasses import replace
from typing import Any

import pytest

from emulator.service import EmulatedService
from indexvault.errors import IndexvaultError
from indexvault.move.workflow import ACTIVITIES, MOVE_INDEX
from indexvault.search.batch import batch, delete_action
from indexvault.search.page import PageReader
from indexvault.search.query import DocumentQuery
from indexvault.workflow.activity import Activity, Resources
from indexvault.workflow.local import LocalEngine
from tests.memory_store import MemoryStore
from tests.move.test_move_index import Mover
from tests.world import EAST, KEYS, WEST, World, open_world, upload_batch

PAPERS: list[dict[str, Any]] = [
    {"id": f"p{number:02}", "readers": [["somebody"], [], ["all"]][number % 3]} for number in range(30)
]
LOST = "p00"
"""A document that only somebody may read."""
COMPARING = {"compare_source", "compare_snapshot"}


def definition(**key: Any) -> bytes:
    fields = [
        {"name": "id", "type": "Edm.String", "key": True, "filterable": True, **key},
        {"name": "readers", "type": "Collection(Edm.String)", "filterable": True, "permissionFilter": "userIds"},
    ]
    return json.dumps({"name": "papers", "fields": fields, "permissionFilterOption": "enabled"}).encode()


async def keys_in_west(world: World) -> list[str]:
    page = await world.west.documents("papers", DocumentQuery(top=1000), PageReader("id"), elevated=True)
    return [document.key for document in page.documents]


@pytest.mark.parametrize("counted", [True, False], ids=["counted", "not counted"])
@pytest.mark.parametrize("sortable", [True, False], ids=["in order", "looked up"])
@pytest.mark.parametrize("loses", [True, False], ids=["loses one", "loses none"])
async def test_a_source_is_deleted_only_after_its_protected_documents_were_compared(
    *, counted: bool, sortable: bool, loses: bool
) -> None:
    services = [
        EmulatedService(name=name, region=region, api_key=KEYS[name], counts_protected=counted)
        for name, region in ((EAST, "eastus"), (WEST, "westus2"))
    ]
    lost = False

    def losing(activity: Activity[Any, Any], world: World) -> Activity[Any, Any]:
        async def run(resources: Resources, given: Any) -> Any:
            nonlocal lost
            if loses and not lost:
                await world.west.index_documents("papers", batch([delete_action("id", LOST)]))
                lost = True
            return await activity.run(resources, given)

        return replace(activity, run=run) if activity.name in COMPARING else activity

    async with open_world(MemoryStore("local"), services=services) as world:
        await world.east.create_index("papers", definition(sortable=sortable), preview=True)
        lines = (json.dumps(paper).encode() for paper in PAPERS)
        await world.east.index_documents("papers", upload_batch(lines))
        moving = [losing(activity, world) for activity in ACTIVITIES]
        async with LocalEngine(world.resources, moving, [MOVE_INDEX]) as engine:
            job = Mover(world, engine).job(index="papers", target_index="papers", delete_source=True)
            try:
                await engine.run(MOVE_INDEX, job)
            except IndexvaultError:
                assert loses
                assert "papers" in await world.east.index_names()
                return
        assert lost is loses
        assert await world.east.index_names() == []
        assert len(await keys_in_west(world)) == len(PAPERS)
