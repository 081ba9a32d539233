"""Documents that access lists protect: they can be read elevated by POST only."""

import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from emulator.service import EmulatedService
from indexvault.errors import UnreadableIndexError
from tests.memory_store import MemoryStore
from tests.world import EAST, KEYS, WEST, World, open_world, upload_batch

PAPERS: list[dict[str, Any]] = [
    {"id": f"paper-{number:04}", "readers": [["somebody"], [], ["all"], ["none"]][number % 4]} for number in range(1200)
]


def definition(**key: Any) -> dict[str, Any]:
    fields = [
        {"name": "id", "type": "Edm.String", "key": True, "sortable": False, "facetable": False, **key},
        {"name": "readers", "type": "Collection(Edm.String)", "filterable": True, "permissionFilter": "userIds"},
    ]
    return {"name": "papers", "fields": fields, "permissionFilterOption": "enabled"}


@pytest.fixture(params=[True, False], ids=["counted", "not counted"])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    services = [
        EmulatedService(name=name, region=region, api_key=KEYS[name], counts_protected=request.param)
        for name, region in ((EAST, "eastus"), (WEST, "westus2"))
    ]
    async with open_world(MemoryStore("local"), services=services) as opened:
        yield opened


async def fill(world: World, papers: Sequence[dict[str, Any]] = PAPERS, **key: Any) -> None:
    await world.east.create_index("papers", json.dumps(definition(**key)).encode(), preview=True)
    for start in range(0, len(papers), 1000):
        lines = (json.dumps(paper).encode() for paper in papers[start : start + 1000])
        await world.east.index_documents("papers", upload_batch(lines))


@pytest.mark.parametrize(
    "key",
    [{"filterable": True}, {"filterable": True, "sortable": True}, {"filterable": False, "searchable": True}],
    ids=["filtered", "in order", "searched"],
)
async def test_they_are_backed_up_restored_and_proved(world: World, key: dict[str, Any]) -> None:
    number = len(PAPERS) if key["filterable"] else 60  # each is searched for by itself
    await fill(world, PAPERS[:number], **key)
    made = await world.back_up("papers")
    assert (made.state, made.documents) == ("complete", number)
    report = await world.restore(made)
    assert (report.documents, report.extra) == (number, 0)
    assert "look_up" not in await world.requests(WEST)


async def test_a_document_too_many_is_found_by_the_count_that_sees_them(world: World) -> None:
    await fill(world, filterable=True)
    made = await world.back_up("papers")
    extra = json.dumps({"id": "extra", "readers": ["none"]}).encode()

    async def with_extra(run: Any, resources: Any, given: Any) -> Any:
        await world.west.index_documents("restored", upload_batch([extra]))
        return await run(resources, given)

    world.around["settle_target"] = with_extra
    with pytest.raises(Exception, match="1 extra"):
        await world.restore(made)


async def test_a_key_that_can_be_neither_filtered_nor_searched_by_is_told(world: World) -> None:
    await fill(world, filterable=True)
    made = await world.back_up("papers")
    patch = json.dumps({"fields": {"id": {"filterable": False, "searchable": False}}})
    with pytest.raises(UnreadableIndexError, match="can be neither filtered nor searched"):
        await world.restore(made, patch=patch)
