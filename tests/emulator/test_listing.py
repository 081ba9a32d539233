import aiohttp
import pytest

from emulator.server import running
from emulator.service import EmulatedService
from tests.emulator.calls import Caller, plain

EARLIER = "2025-11-01-preview"
PAGED = "2026-05-01-preview"
SEARCHED = "2026-08-01-preview"
STABLE = "2026-04-01"


@pytest.fixture
async def many(east: Caller) -> Caller:
    for index in range(12):
        await east.create(plain(f"index-{index:02}"))
    return east


async def names(caller: Caller, query: str, version: str) -> list[str]:
    answer = await caller.call("GET", f"/indexes?$select=name{query}", version=version)
    assert answer.status == 200, answer.raw
    return [entry["name"] for entry in answer.body["value"]]


@pytest.mark.parametrize("version", [STABLE, EARLIER])
async def test_lists_of_other_versions_are_whole_and_take_no_paging(many: Caller, version: str) -> None:
    assert len(await names(many, "", version)) == 12
    assert (await many.call("GET", "/indexes?$top=5", version=version)).status == 400


async def test_a_page_that_the_service_ends_has_a_link_and_the_links_lead_through_the_list(many: Caller) -> None:
    found: list[str] = []
    path: str | None = "/indexes?$select=name&pageSize=5"
    pages = 0
    while path is not None:
        answer = await many.call("GET", path, version=SEARCHED if pages == 0 else None)
        found += [entry["name"] for entry in answer.body["value"]]
        link = answer.body.get("@odata.nextLink")
        path = link.removeprefix(many.endpoint) if link else None
        pages += 1
    assert pages == 3
    assert found == sorted(set(found))
    assert len(found) == 12


async def test_a_page_that_the_caller_ends_has_none(many: Caller) -> None:
    answer = await many.call("GET", "/indexes?$top=5&$skip=10&$count=true", version=PAGED)
    assert [entry["name"] for entry in answer.body["value"]] == ["index-10", "index-11"]
    assert answer.body["@odata.count"] == 12
    first = await many.call("GET", "/indexes?$top=5", version=PAGED)
    assert "@odata.nextLink" not in first.body
    assert len(first.body["value"]) == 5


async def test_fifty_items_are_the_default(session: aiohttp.ClientSession) -> None:
    async with running([EmulatedService(name="wide", quotas={"synonym_maps": 60})]) as emulator:
        wide = Caller(session, emulator.endpoint("wide"))
        for number in range(51):
            await wide.call("POST", "/synonymmaps", {"name": f"map-{number:02}", "synonyms": "a, b"})
        whole = await wide.call("GET", "/synonymmaps", version=STABLE)
        first = await wide.call("GET", "/synonymmaps", version=PAGED)
    assert [len(answer.body["value"]) for answer in (whole, first)] == [51, 50]
    assert "@odata.nextLink" not in whole.body
    assert first.body["@odata.nextLink"].startswith(f"{wide.endpoint}/synonymmaps?")


async def test_a_search_finds_a_part_of_the_name(many: Caller) -> None:
    assert await names(many, "&search=-1", SEARCHED) == ["index-10", "index-11"]
    assert (await many.call("GET", "/indexes?search=x", version=PAGED)).status == 400


@pytest.mark.parametrize("query", ["$top=-1", "$skip=x", "pageSize=-5"])
async def test_a_page_needs_a_number(many: Caller, query: str) -> None:
    assert (await many.call("GET", f"/indexes?{query}", version=SEARCHED)).status == 400


async def test_aliases_are_not_paged(many: Caller) -> None:
    assert (await many.call("GET", "/aliases?$top=5", version=PAGED)).status == 400
