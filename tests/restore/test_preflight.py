from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from emulator.service import EmulatedService
from indexvault.errors import ConflictError, NotFoundError, QuotaError, SettingsError, UnauthorizedError
from indexvault.model import is_index_name
from indexvault.restore.checks import Check, failure
from indexvault.restore.limits import Demand, limit_checks, vector_bytes
from indexvault.restore.report import PreflightReport
from indexvault.search.schema import Field, Schema
from indexvault.search.statistics import Counter, ServiceCounters, ServiceLimits, ServiceStatistics
from tests import hotels
from tests.memory_store import MemoryStore
from tests.world import EAST, KEYS, WEST, World, open_world

ROOMY = Counter(usage=0, quota=10**12)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with open_world(MemoryStore("local")) as opened:
        yield opened


def statistics(**counters: Counter) -> ServiceStatistics:
    given: dict[str, Counter] = {"document_count": ROOMY, "indexes_count": ROOMY, "storage_size": ROOMY} | counters
    return ServiceStatistics(counters=ServiceCounters(**given), limits=ServiceLimits())


def demand(**changes: int) -> Demand:
    return Demand(**({"indexes": 1, "aliases": 0, "synonym_maps": 0, "documents": 100, "bytes": 1000} | changes))


def outcomes(schema: Schema, demanded: Demand, tier: str, known: ServiceStatistics) -> dict[str, str]:
    return {check.name: check.outcome for check in limit_checks(schema, demanded, tier, known)}


def wide(count: int) -> Schema:
    return Schema(name="x", fields=tuple(Field(f"f{number}", "Edm.String") for number in range(count)))


def test_the_table_speaks_where_the_service_does_not() -> None:
    assert outcomes(wide(101), demand(), "basic", statistics())["fields"] == "failed"
    assert outcomes(wide(100), demand(), "basic", statistics())["fields"] == "ok"
    assert outcomes(wide(101), demand(), "standard", statistics())["fields"] == "ok"


def test_what_the_service_says_of_itself_goes_first() -> None:
    older = msgspec.structs.replace(statistics(), limits=ServiceLimits(max_fields_per_index=50))
    assert outcomes(wide(51), demand(), "standard", older)["fields"] == "failed"


@pytest.mark.parametrize(
    ("counter", "usage", "quota", "outcome"),
    [
        ("indexes_count", 4, 5, "ok"),
        ("indexes_count", 5, 5, "failed"),
        ("document_count", 0, 99, "failed"),
        ("storage_size", 0, 200, "failed"),
        ("storage_size", 0, 900, "warning"),
        ("storage_size", 0, 1000, "ok"),
    ],
)
def test_what_is_left_of_a_quota_decides(counter: str, usage: int, quota: int, outcome: str) -> None:
    name = {"indexes_count": "indexes", "document_count": "documents", "storage_size": "storage"}[counter]
    known = statistics(**{counter: Counter(usage=usage, quota=quota)})
    assert outcomes(wide(3), demand(), "standard", known)[name] == outcome


def nested(depth: int, *, collections: int = 0) -> Schema:
    field = Field("leaf", "Edm.String")
    for level in range(depth):
        field = Field(f"level{level}", "Edm.ComplexType", fields=(field,))
    more = (
        Field(f"c{number}", "Collection(Edm.ComplexType)", fields=(Field("x", "Edm.String"),))
        for number in range(collections)
    )
    return Schema(name="x", fields=(field, *more))


def test_depth_and_complex_collections_are_limited() -> None:
    assert outcomes(nested(10), demand(), "standard", statistics())["depth"] == "ok"
    assert outcomes(nested(11), demand(), "standard", statistics())["depth"] == "failed"
    assert outcomes(nested(1, collections=40), demand(), "standard", statistics())["complex_collections"] == "ok"
    assert outcomes(nested(1, collections=41), demand(), "standard", statistics())["complex_collections"] == "failed"


def test_vectors_are_counted_by_dimensions_and_the_width_of_their_type() -> None:
    fields = (
        Field("a", "Collection(Edm.Single)", dimensions=100),
        Field("b", "Collection(Edm.Half)", dimensions=100),
        Field("c", "Collection(Edm.SByte)", dimensions=100),
    )
    schema = Schema(name="x", fields=fields)
    assert vector_bytes(schema, 10) == 10 * (400 + 200 + 100)
    tight = statistics(vector_index_size=Counter(usage=0, quota=1000))
    assert outcomes(schema, demand(documents=10), "standard", tight)["vectors"] == "failed"


def test_the_first_failed_check_decides_the_kind_of_error_and_all_are_named() -> None:
    found = [
        Check("a", "ok", "fine"),
        Check("b", "failed", "no room", "Make room", "ConflictError"),
        Check("c", "failed", "no key", "Get a key", "SettingsError"),
    ]
    error = failure(found, "west index x")
    assert isinstance(error, ConflictError)
    assert str(error) == "west index x: b: no room; c: no key; nothing was touched. Make room. Get a key"
    assert failure(found[:1], "x") is None


@pytest.mark.parametrize("name", ["a", "hotels-2", "hotels_2", "a-b_c", "a_", "0", "a" * 128])
def test_names_that_the_service_takes(name: str) -> None:
    assert is_index_name(name)


@pytest.mark.parametrize("name", ["", "-a", "_a", "a-", "A", "a__b", "a--b", "a" * 129, "ä", "a/b"])
def test_names_that_the_service_would_refuse(name: str) -> None:
    assert not is_index_name(name)


def check(report: PreflightReport, name: str) -> Check:
    return next(each for each in report.checks if each.name == name)


async def ready(world: World, **changes: Any) -> PreflightReport:
    await world.fill(hotels.DEFINITION, hotels.hotels(50))
    return await world.preflight(await world.back_up("hotels"), **changes)


async def test_a_dry_run_tells_everything_and_writes_nothing(world: World) -> None:
    report = await ready(world)
    assert report.ready
    assert {each.name for each in report.checks} >= {
        "manifest", "chunks", "losses", "region", "roles", "name", "fields", "depth", "complex_collections",
        "dimensions", "indexes", "aliases", "synonym_maps", "documents", "storage", "vectors", "estimate",
    }  # fmt: skip
    assert await world.west.index_names() == []
    assert [blob.name async for blob in world.store.runs.list("restores/")] == []
    assert [blob.name async for blob in world.store.runs.list("runs/")] == []


@pytest.mark.parametrize("name", ["Hotels", "a--b", "-x"])
async def test_a_name_that_the_service_would_refuse_is_told_first(world: World, name: str) -> None:
    report = await ready(world, index=name)
    assert check(report, "name").outcome == "failed"


async def test_the_name_of_an_alias_is_no_place_for_a_new_index(world: World) -> None:
    await world.fill(hotels.DEFINITION, [], service=WEST)
    await world.west.point_alias("guests", "hotels", before=None)
    found = check(await ready(world, index="guests"), "name")
    assert found.outcome == "failed"
    assert "alias of hotels" in found.what


@pytest.mark.parametrize("part", ["packs", "segments"])
async def test_damage_in_the_store_is_a_failed_check(world: World, part: str) -> None:
    await world.fill(hotels.DEFINITION, hotels.hotels(1500))
    snapshot = await world.back_up("hotels")
    names = [blob.name async for blob in world.store.snapshots.list(f"{EAST}/hotels/{part}/")]
    await world.store.snapshots.delete(names[0])
    report = await world.preflight(snapshot)
    assert not report.ready
    assert names[0] in check(report, "chunks").what


async def test_a_caller_without_the_roles_is_told_before_anything_is_made(world: World) -> None:
    services = (
        EmulatedService(name=EAST, tier="standard", region="eastus", api_key=KEYS[EAST]),
        EmulatedService(name=WEST, region="westus2", api_key="other", role_keys={KEYS[WEST]: "service-contributor"}),
    )
    async with open_world(world.store, services=services) as limited:
        limited.clients._environment = {EAST: KEYS[EAST], WEST: KEYS[WEST]}
        await limited.fill(hotels.DEFINITION, hotels.hotels(5))
        snapshot = await limited.back_up("hotels")
        assert check(await limited.preflight(snapshot), "roles").outcome == "failed"
        with pytest.raises(UnauthorizedError, match="nothing was touched"):
            await limited.restore(snapshot)
        assert await limited.west.index_names() == []


async def test_data_leaves_its_region_only_when_that_is_allowed(world: World) -> None:
    world.clients.settings = msgspec.structs.replace(world.clients.settings, allow_cross_region=False)
    await world.fill(hotels.DEFINITION, hotels.hotels(5))
    snapshot = await world.back_up("hotels")
    found = check(await world.preflight(snapshot), "region")
    assert found.outcome == "failed"
    assert "data of eastus would go to westus2" in found.what
    with pytest.raises(ConflictError, match="westus2"):
        await world.restore(snapshot)
    assert (await world.preflight(snapshot, target_service=EAST, index="again")).ready
    assert (await world.restore(snapshot, allow_cross_region=True)).documents == 5


async def test_a_filter_that_picks_nothing_is_told_before_anything_is_made(world: World) -> None:
    await world.fill(hotels.DEFINITION, hotels.hotels(20))
    snapshot = await world.back_up("hotels")
    with pytest.raises(NotFoundError, match="picks none of its documents; nothing was touched"):
        await world.restore(snapshot, filter="stars == `77`")
    told = await world.preflight(snapshot, filter="stars == `77`")
    assert not told.ready
    with pytest.raises(SettingsError, match="JMESPath"):
        await world.restore(snapshot, filter="contains(stars, 'x')")
    assert await world.west.index_names() == []


async def test_what_replaces_an_index_in_place_must_fit_before_the_old_one_goes() -> None:
    services = (
        EmulatedService(name=EAST, tier="standard", region="eastus", api_key=KEYS[EAST]),
        EmulatedService(name=WEST, tier="basic", region="westus2", api_key=KEYS[WEST], quotas={"documents": 1000}),
    )
    async with open_world(MemoryStore("local"), services=services) as world:
        await world.fill(hotels.DEFINITION, hotels.hotels(1500))
        large = await world.back_up("hotels")
        await world.fill(hotels.DEFINITION, hotels.hotels(900), service=WEST)
        for asked in ({"mode": "replace", "in_place": True}, {"mode": "sync"}, {"mode": "fill"}):
            with pytest.raises(QuotaError, match=r"600 more documents .*nothing was touched"):
                await world.restore(large, index="hotels", **asked)
        assert await world.west.count("hotels") == 900
        # Single documents of a large snapshot need little room.
        assert (await world.restore(large, keys=("h000001",))).documents == 1


def test_a_counter_without_a_quota_is_a_service_without_that_limit() -> None:
    unlimited = statistics(indexes_count=Counter(usage=10_000, quota=None))
    assert outcomes(wide(3), demand(), "basic", unlimited)["indexes"] == "ok"


def test_an_index_of_the_serverless_tier_has_a_limit_of_its_own() -> None:
    gigabyte = 10**9
    roomy = statistics(storage_size=Counter(usage=0, quota=30 * gigabyte))
    for size, outcome in ((gigabyte // 2, "ok"), (2 * gigabyte, "warning"), (5 * gigabyte, "failed")):
        found = outcomes(wide(3), demand(bytes=size), "serverless_developer", roomy)
        assert (found["storage"], found["index_storage"]) == ("ok", outcome)
    told = msgspec.structs.replace(roomy, limits=ServiceLimits(max_storage_per_index=10 * gigabyte))
    assert outcomes(wide(3), demand(bytes=5 * gigabyte), "serverless_developer", told)["index_storage"] == "ok"


def test_what_the_serverless_tier_has_no_table_for_is_left_to_the_service() -> None:
    found = outcomes(wide(3), demand(aliases=500, synonym_maps=500), "serverless_developer", statistics())
    assert (found["aliases"], found["synonym_maps"]) == ("ok", "ok")
