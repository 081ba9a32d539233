"""A live index compared with its snapshots, and repairing them."""

import json
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from indexvault.backup.live_index import LiveIndex
from indexvault.errors import NotFoundError, UnreadableIndexError
from indexvault.search.batch import batch, delete_action
from indexvault.snapshots.catalogue import resolve_manifest
from indexvault.snapshots.chunks import Chunk
from indexvault.snapshots.diff import DiffTally
from indexvault.snapshots.field_diff import definition_differences
from indexvault.snapshots.manifest import Manifest
from indexvault.snapshots.names import SnapshotReference
from indexvault.snapshots.repair import RepairReport, repair_index
from indexvault.snapshots.verify import verify_index
from tests import hotels
from tests.memory_store import MemoryStore
from tests.snapshots.damaging import flip_in, replace
from tests.snapshots.samples import chunks_of
from tests.world import EAST, LATER, World, open_world, upload_batch

DOCUMENTS = hotels.hotels(1200)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with open_world(MemoryStore("local")) as opened:
        await opened.fill(hotels.DEFINITION, DOCUMENTS)
        yield opened


async def taken(world: World) -> Manifest:
    await world.back_up("hotels")
    return await resolve_manifest(world.store.snapshots, SnapshotReference(service=EAST, index="hotels"), now=LATER)


async def upload(world: World, *documents: dict[str, Any]) -> None:
    await world.east.index_documents("hotels", upload_batch([msgspec.json.encode(each) for each in documents]))


async def compare(world: World, manifest: Manifest) -> tuple[list[tuple[str, str]], DiffTally]:
    tally = DiffTally()
    live = await LiveIndex.open(world.east, "hotels")
    changes = live.changes_since(world.store.snapshots, manifest, tally)
    return [(change.kind, change.key) async for change in changes], tally


async def test_an_unchanged_index_is_compared_without_reading_a_chunk(world: World) -> None:
    manifest = await taken(world)
    assert manifest.tree.count > 20
    found, tally = await compare(world, manifest)
    assert (found, tally.chunks_read, tally.chunks_skipped) == ([], 0, 2 * manifest.tree.count)


async def test_what_changed_since_a_snapshot_is_found(world: World) -> None:
    manifest = await taken(world)
    extra = DOCUMENTS[5] | {"id": DOCUMENTS[5]["id"] + "-new"}
    await upload(world, DOCUMENTS[700] | {"name": "renamed"}, extra)
    await world.east.index_documents("hotels", batch([delete_action("id", DOCUMENTS[900]["id"])]))
    found, tally = await compare(world, manifest)
    assert found == [("added", extra["id"]), ("changed", DOCUMENTS[700]["id"]), ("removed", DOCUMENTS[900]["id"])]
    assert tally.chunks_read <= 10
    live = await LiveIndex.open(world.east, "hotels")
    assert definition_differences(manifest.definition, live.definition) == []


async def test_damage_is_repaired_from_the_index_where_it_is_unchanged(world: World) -> None:
    manifest = await taken(world)
    changed = DOCUMENTS[700]["id"]
    chunks = await chunks_of(world.store.snapshots, manifest)
    spoiled = next(chunk for chunk in chunks if chunk.first <= changed <= chunk.last)
    name = manifest.folder.pack(spoiled.pack)
    live = await LiveIndex.open(world.east, "hotels")

    async def repaired(damaged: Chunk) -> RepairReport:
        await replace(world.store, name, flip_in(damaged))
        audit = await verify_index(world.store.snapshots, EAST, "hotels")
        return await repair_index(world.store, audit, [live], world.resources.clock)

    await upload(world, DOCUMENTS[700] | {"name": "renamed"})
    assert [each.blob for each in (await repaired(spoiled)).left] == [name]
    await upload(world, DOCUMENTS[700])
    report = await repaired(chunks[-1])
    assert [(each.blob, each.source) for each in report.repaired] == [(name, "index contoso-east/hotels")]
    assert (await verify_index(world.store.snapshots, EAST, "hotels")).findings == ()


async def test_an_index_without_key_order_is_refused_with_the_way_out(world: World) -> None:
    definition = hotels.with_field("id", sortable=False) | {"name": "unordered"}
    await world.fill(definition, DOCUMENTS[:3])
    with pytest.raises(UnreadableIndexError, match="compare the new snapshot"):
        await LiveIndex.open(world.east, "unordered")
    with pytest.raises(NotFoundError):
        await LiveIndex.open(world.east, "none")


async def test_documents_that_access_lists_protect_are_compared_too(world: World) -> None:
    fields = [
        {"name": "id", "type": "Edm.String", "key": True, "filterable": True, "sortable": True},
        {"name": "readers", "type": "Collection(Edm.String)", "filterable": True, "permissionFilter": "userIds"},
    ]
    definition = {"name": "papers", "fields": fields, "permissionFilterOption": "enabled"}
    await world.east.create_index("papers", json.dumps(definition).encode(), preview=True)
    papers = [{"id": f"{number:02}", "readers": [["somebody"], ["all"]][number % 2]} for number in range(10)]
    await world.east.index_documents("papers", upload_batch(json.dumps(paper).encode() for paper in papers))
    await world.back_up("papers")
    manifest = await resolve_manifest(world.store.snapshots, SnapshotReference(service=EAST, index="papers"), now=LATER)
    live = await LiveIndex.open(world.east, "papers")
    assert [change async for change in live.changes_since(world.store.snapshots, manifest, DiffTally())] == []
