"""Indexes that can't be read in key order, over HTTP: small indexes, with limits lowered to match."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from indexvault.backup.limits import Limits
from indexvault.snapshots.catalogue import resolve_manifest
from indexvault.snapshots.chunks import document_lines, key_reader
from indexvault.snapshots.manifest import Manifest, Unsettled, UnsettledPart
from indexvault.snapshots.names import SnapshotReference
from indexvault.snapshots.reader import read_chunk
from tests.memory_store import MemoryStore
from tests.snapshots.samples import chunks_of
from tests.world import EAST, LATER, World, open_world

LIMITS = Limits(largest_partition=100, most_skipped=100, comfortable_partition=25)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with open_world(MemoryStore("local"), limits=LIMITS) as opened:
        yield opened


def definition(*fields: dict[str, Any], key: dict[str, Any] | None = None) -> dict[str, Any]:
    plain = {"filterable": False, "sortable": False, "facetable": False, "searchable": False}
    return {
        "name": "shapes",
        "fields": [
            {"name": "id", "type": "Edm.String", "key": True} | plain | (key or {}),
            *({"retrievable": True} | plain | field for field in fields),
        ],
    }


def unsearchable(field: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in field.items() if name != "searchable"}


async def keys_and_manifest(world: World) -> tuple[list[str], Manifest]:
    manifest = await resolve_manifest(world.store.snapshots, SnapshotReference(service=EAST, index="shapes"), now=LATER)
    key_of = key_reader("id")
    return [
        key_of(line)
        for chunk in await chunks_of(world.store.snapshots, manifest)
        for line in document_lines(await read_chunk(world.store.snapshots, manifest.folder, chunk))
    ], manifest


def keys(count: int) -> list[str]:
    return [f"{number * 7919 % 100_003:06}-x" for number in range(count)]


async def read_whole(world: World, shape: dict[str, Any], documents: list[dict[str, Any]]) -> Manifest:
    await world.fill(shape, documents)
    report = await world.back_up("shapes")
    found, manifest = await keys_and_manifest(world)
    assert found == sorted(document["id"] for document in documents)
    assert (report.documents, report.state) == (len(documents), "complete")
    assert manifest.reading is not None
    assert manifest.reading == report.reading
    assert [blob.name async for blob in world.store.runs.list("runs/")] == []
    return manifest


def method(manifest: Manifest) -> str:
    assert manifest.reading is not None
    return manifest.reading.method


def reason_of(manifest: Manifest) -> str:
    assert manifest.reading is not None
    return manifest.reading.reason


CHANGED = {"name": "changed", "type": "Edm.DateTimeOffset", "filterable": True, "sortable": True}
RATING = {"name": "rating", "type": "Edm.Double", "filterable": True, "sortable": True}


async def test_a_small_index_without_any_order_is_paged(world: World) -> None:
    manifest = await read_whole(world, definition(), [{"id": key} for key in keys(90)])
    assert method(manifest) == "paging"


async def test_a_field_with_a_value_that_many_share_and_nulls(world: World) -> None:
    documents = [
        {
            "id": key,
            "changed": None
            if number < 40
            else "2026-01-01T00:00:00Z"
            if number < 190
            else f"2026-02-01T{number % 24:02}:00:00.{number:03}Z",
            "rating": number / 7,
        }
        for number, key in enumerate(keys(400))
    ]
    manifest = await read_whole(world, definition(CHANGED, RATING), documents)
    assert method(manifest) == "ranges of changed (DateTimeOffset), then ranges of rating (Double)"


async def test_a_field_that_can_only_be_filtered(world: World) -> None:
    field = {"name": "number", "type": "Edm.Int64", "filterable": True}
    documents = [{"id": key, "number": (number - 150) ** 5} for number, key in enumerate(keys(300))]
    assert method(await read_whole(world, definition(field), documents)) == "halves of number (Int64)"


async def test_facets_where_nothing_can_be_sorted(world: World) -> None:
    field = {"name": "category", "type": "Edm.String", "filterable": True, "facetable": True}
    documents = [
        {"id": key, "category": None if number % 9 == 0 else f"it's |{number % 8}"}
        for number, key in enumerate(keys(300))
    ]
    assert method(await read_whole(world, definition(field), documents)) == "facets of category"


async def test_facets_of_a_collection_keep_each_document_once(world: World) -> None:
    field = {"name": "tags", "type": "Collection(Edm.String)", "filterable": True, "facetable": True}
    shape = definition(unsearchable(field) | {"sortable": False})
    documents = [
        {"id": key, "tags": [f"t{number % each}" for each in (5, 7) if number % 3]}
        for number, key in enumerate(keys(240))
    ]
    manifest = await read_whole(world, shape, documents)
    assert method(manifest) == "facets of tags"


@pytest.mark.parametrize(
    "key", [{"filterable": True}, {"searchable": True, "analyzer": "keyword"}, {"searchable": True}]
)
async def test_prefixes_of_a_key_that_can_be_filtered_or_searched(world: World, key: dict[str, Any]) -> None:
    manifest = await read_whole(world, definition(key=key), [{"id": key} for key in keys(120)])
    assert "the key id" in method(manifest)


async def test_both_ends_of_an_ordering(world: World) -> None:
    field = {"name": "position", "type": "Edm.Int32", "sortable": True}
    documents = [{"id": key, "position": number} for number, key in enumerate(keys(180))]
    assert method(await read_whole(world, definition(field), documents)) == "both ends of position"


async def test_what_lies_between_both_ends_is_open_and_the_rest_is_kept(world: World) -> None:
    field = {"name": "position", "type": "Edm.Int32", "sortable": True}
    documents = [{"id": key, "position": number} for number, key in enumerate(keys(2500))]
    await world.fill(definition(field), documents)
    report = await world.back_up("shapes")
    found, manifest = await keys_and_manifest(world)
    assert report.state == "unsettled"
    assert manifest.unsettled == Unsettled(
        2500 - len(found), (UnsettledPart("what no part reaches", 2500 - len(found)),)
    )
    assert sorted(found) == sorted(str(each["id"]) for each in (*documents[:1000], *documents[-1000:]))
    assert "both ends of position" in method(manifest)


async def test_what_nothing_can_cut_is_kept_as_far_as_it_can_be_read(world: World) -> None:
    field = {"name": "open", "type": "Edm.Boolean", "filterable": True}
    await world.fill(definition(field), [{"id": key, "open": number % 4 == 0} for number, key in enumerate(keys(4000))])
    report = await world.back_up("shapes")
    found, manifest = await keys_and_manifest(world)
    assert report.state == "unsettled"
    left = 4000 - len(found)
    assert manifest.unsettled == Unsettled(left, (UnsettledPart("by open", left),))
    assert 1000 < len(found) < 4000
    reason = reason_of(manifest)
    assert "4,000 of them are in parts that share values of open, of which $skip reaches" in reason
    assert "not filterable and not sortable" in reason
    assert "Add a field that is filterable and sortable" in reason


async def test_an_index_with_nothing_to_cut_or_sort_by_is_kept_as_far_as_it_can_be_read(world: World) -> None:
    await world.fill(definition(), [{"id": key} for key in keys(2500)])
    report = await world.back_up("shapes")
    found, manifest = await keys_and_manifest(world)
    assert report.state == "unsettled"
    left = 2500 - len(found)
    assert manifest.unsettled == Unsettled(left, (UnsettledPart("everything", left),))
    assert len(found) >= 1000
    assert "in one part that no field divides" in reason_of(manifest)


@pytest.mark.parametrize("faults", [[{"fault": "replicas", "replicas": 3}], [{"fault": "short_page", "documents": 7}]])
async def test_replicas_and_short_pages_lose_nothing(world: World, faults: list[dict[str, Any]]) -> None:
    await world.faults(EAST, *faults)
    documents = [{"id": key, "changed": f"2026-01-0{number % 9 + 1}T00:00:00Z"} for number, key in enumerate(keys(400))]
    await read_whole(world, definition(CHANGED), documents)


async def test_the_same_documents_give_the_same_chunks_whatever_the_plan(world: World) -> None:
    documents = [{"id": key, "rating": number / 3} for number, key in enumerate(keys(400))]
    in_parts = await read_whole(world, definition(RATING), documents)
    async with open_world(MemoryStore("other")) as other:
        in_order = await read_whole(other, definition(RATING, key={"filterable": True, "sortable": True}), documents)
    assert in_order.reading is not None
    assert in_order.reading.method == "key order"
    chunks = [chunk.sha256 for chunk in await chunks_of(world.store.snapshots, in_parts)]
    assert chunks == [chunk.sha256 for chunk in await chunks_of(other.store.snapshots, in_order)]


async def test_a_second_snapshot_adds_nothing(world: World) -> None:
    await read_whole(world, definition(RATING), [{"id": key, "rating": 1.0} for key in keys(90)])
    again = await world.back_up("shapes")
    assert again.added_chunks == 0


async def test_a_partition_that_never_agrees_with_its_count_is_kept_unsettled() -> None:
    limits = msgspec.structs.replace(LIMITS, most_skipped=40)
    async with open_world(MemoryStore("local"), limits=limits) as world:
        await world.fill(definition(RATING), [{"id": key, "rating": 1.0} for key in keys(90)])
        await world.faults(EAST, {"fault": "short_page", "documents": 10})
        report = await world.back_up("shapes")
        found, manifest = await keys_and_manifest(world)
    assert report.state == manifest.state == "unsettled"
    assert len(found) == len(set(found)) == report.documents
    assert manifest.unsettled is not None
    assert manifest.unsettled.parts == (UnsettledPart(part="by rating", documents=90 - len(found)),)
    assert report.unsettled == [f"by rating: {90 - len(found)} documents are open"]
