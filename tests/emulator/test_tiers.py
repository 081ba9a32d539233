import aiohttp
import pytest

from emulator.server import running
from emulator.service import EmulatedService
from tests.emulator.calls import Caller, plain, things

MB, GB, TB = 2**20, 2**30, 2**40
COUNTERS = ("indexesCount", "storageSize", "vectorIndexSize", "indexersCount", "synonymMaps", "aliasesCount")
TABLE: dict[str, tuple[int | None, ...]] = {
    "free": (3, 50 * MB, None, 3, 3, 6),
    "basic": (15, 15 * GB, 5 * GB, 15, 3, 30),
    "standard": (50, 160 * GB, 35 * GB, 50, 5, 100),
    "standard2": (200, 512 * GB, 150 * GB, 200, 10, 400),
    "standard3": (200, 1 * TB, 300 * GB, 200, 20, 400),
    "standard3hd": (1000, 1 * TB, 300 * GB, 0, 20, 2000),
    "storage_optimized_l1": (10, 2 * TB, 150 * GB, 10, 10, 20),
    "storage_optimized_l2": (10, 4 * TB, 300 * GB, 10, 10, 20),
}
"""The service limits of Microsoft's documentation, 2026-09, with one partition."""
SOURCE: dict[str, object] = {"type": "azureblob", "credentials": {"connectionString": "x"}, "container": {"name": "c"}}
BODIES: dict[str, dict[str, object]] = {
    "indexes": {"fields": plain()["fields"]},
    "synonymmaps": {"synonyms": "a, b"},
    "aliases": {"indexes": ["things"]},
    "datasources": SOURCE,
    "skillsets": {"skills": []},
    "indexers": {"dataSourceName": "a", "targetIndexName": "things"},
}


@pytest.mark.parametrize("tier", TABLE)
async def test_a_tier_says_its_quotas(tier: str, session: aiohttp.ClientSession) -> None:
    async with running([EmulatedService(name="one", tier=tier)]) as up:
        body = (await Caller(session, up.endpoint("one")).call("GET", "/servicestats")).body
    quotas = {name: counter["quota"] for name, counter in body["counters"].items()}
    assert tuple(quotas[name] for name in COUNTERS) == TABLE[tier]
    assert quotas["dataSourcesCount"] == quotas["skillsetCount"] == quotas["indexersCount"]
    assert body["limits"] == {
        "maxStoragePerIndex": quotas["storageSize"],
        "maxFieldsPerIndex": 100 if tier == "basic" else 1000,
        "maxFieldNestingDepthPerIndex": 10,
        "maxComplexCollectionFieldsPerIndex": 40,
        "maxComplexObjectsInCollectionsPerDocument": 3000,
    }


async def test_every_kind_has_its_quota(session: aiohttp.ClientSession) -> None:
    quotas = {"indexes": 3, "synonym_maps": 2, "aliases": 2, "indexers": 2}
    async with running([EmulatedService(name="one", quotas=quotas)]) as up:
        one = Caller(session, up.endpoint("one"))
        await one.create(plain())
        for kind, body in BODIES.items():
            posted = [
                await one.call("POST", f"/{kind}", {"name": f"{kind}-{name}" if kind != "datasources" else name} | body)
                for name in "abc"
            ]
            assert [answer.status for answer in posted] == [201, 201, 429], kind
            assert "quota has been exceeded" in posted[-1].message.lower()


@pytest.mark.parametrize("quota", ["storage", "vectors"])
async def test_a_service_that_is_full_takes_no_more_documents(quota: str, session: aiohttp.ClientSession) -> None:
    async with running([EmulatedService(name="one", quotas={quota: 100})]) as up:
        one = Caller(session, up.endpoint("one"))
        await one.create(things())
        batch = [{"id": f"k{at}", "vector": [1.0, 2.0, 3.0]} for at in range(20)]
        assert (await one.upload(batch)).status == 200
        full = await one.upload([{"id": "more"}])
        assert full.status == 429
        assert "quota" in full.message
        assert (await one.search({"search": "*", "top": 0, "count": True})).body["@odata.count"] == 20


async def test_an_index_of_the_serverless_tier_has_a_limit_of_its_own(session: aiohttp.ClientSession) -> None:
    async with running([EmulatedService(name="one", tier="serverless_developer")]) as up:
        body = (await Caller(session, up.endpoint("one")).call("GET", "/servicestats")).body
    assert body["counters"]["indexesCount"]["quota"] == 30
    assert body["limits"]["maxStoragePerIndex"] == 1 * GB
