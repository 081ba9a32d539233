import json
from collections.abc import AsyncIterator

import msgspec
import pytest

from indexvault.backup.limits import Limits
from indexvault.errors import AccountingError, NotFoundError, RemoteError, UnauthorizedError
from indexvault.snapshots.catalogue import list_snapshots, resolve_manifest
from indexvault.snapshots.chunks import document_lines
from indexvault.snapshots.manifest import Manifest
from indexvault.snapshots.names import SnapshotReference
from indexvault.snapshots.reader import read_chunk
from tests import hotels
from tests.memory_store import MemoryStore
from tests.snapshots.samples import chunks_of
from tests.world import EAST, LATER, World, open_world

LIMITS = Limits(smallest_range=500)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with open_world(MemoryStore("local"), limits=LIMITS) as opened:
        yield opened


async def manifest_of(world: World, index: str = "hotels") -> Manifest:
    return await resolve_manifest(world.store.snapshots, SnapshotReference(service=EAST, index=index), now=LATER)


async def stored_keys(world: World, manifest: Manifest) -> list[str]:
    return [
        msgspec.json.decode(line)["id"]
        for chunk in await chunks_of(world.store.snapshots, manifest)
        for line in document_lines(await read_chunk(world.store.snapshots, manifest.folder, chunk))
    ]


async def test_every_document_is_there_once_in_key_order_without_annotations(world: World) -> None:
    await world.fill(hotels.DEFINITION, hotels.hotels(2345))
    report = await world.back_up("hotels")
    assert (report.documents, report.state, report.losses) == (2345, "complete", [])
    manifest = await manifest_of(world)
    assert await stored_keys(world, manifest) == [document["id"] for document in hotels.hotels(2345)]
    chunk = await read_chunk(
        world.store.snapshots, manifest.folder, (await chunks_of(world.store.snapshots, manifest))[0]
    )
    assert b"@search" not in chunk
    assert manifest.counts.before == manifest.counts.after == manifest.counts.documents == 2345


async def test_what_the_service_sent_is_kept_byte_for_byte(world: World) -> None:
    await world.fill(hotels.DEFINITION, hotels.hotels(3))
    await world.back_up("hotels")
    manifest = await manifest_of(world)
    sent = await world.east.index_definition("hotels")
    assert bytes(manifest.definition.stable.body) == bytes(sent.body)
    assert manifest.definition.preview is not None
    assert manifest.etag.before == manifest.etag.after == sent.etag


async def test_a_second_snapshot_of_an_unchanged_index_adds_nothing(world: World) -> None:
    await world.fill(hotels.DEFINITION, hotels.hotels(1200))
    first = await world.back_up("hotels", parallel=1)
    second = await world.back_up("hotels", parallel=4)
    assert first.added_chunks == first.chunks > 2
    assert (second.added_chunks, second.added_bytes) == (0, 0)
    assert second.chunks == first.chunks
    assert len(await list_snapshots(world.store.snapshots)) == 2


async def test_reading_in_parallel_cuts_the_same_chunks(world: World) -> None:
    await world.fill(hotels.DEFINITION, hotels.hotels(2100))
    await world.back_up("hotels", parallel=4)
    parallel = await manifest_of(world)
    async with open_world(MemoryStore("other"), limits=LIMITS) as other:
        await other.fill(hotels.DEFINITION, hotels.hotels(2100))
        await other.back_up("hotels", parallel=1)
        serial = await manifest_of(other)
    chunks = [chunk.sha256 for chunk in await chunks_of(world.store.snapshots, parallel)]
    assert chunks == [chunk.sha256 for chunk in await chunks_of(other.store.snapshots, serial)]
    assert parallel.content_digest == serial.content_digest


async def test_a_run_started_twice_makes_one_snapshot(world: World) -> None:
    await world.fill(hotels.DEFINITION, hotels.hotels(30))
    await world.back_up("hotels", run="same")
    names = [blob.name async for blob in world.store.runs.list("runs/")]
    assert names == []
    assert len(await list_snapshots(world.store.snapshots)) == 1


async def test_hidden_and_unstored_fields_make_it_lossy_by_name(world: World) -> None:
    fields = [
        *hotels.DEFINITION["fields"],
        {
            "name": "lost",
            "type": "Collection(Edm.Single)",
            "dimensions": 4,
            "vectorSearchProfile": "plain",
            "searchable": True,
            "retrievable": False,
            "stored": False,
        },
        {
            "name": "secret",
            "type": "Edm.ComplexType",
            "fields": [{"name": "a", "type": "Edm.String", "retrievable": False}],
        },
    ]
    await world.fill(hotels.definition(fields=fields), hotels.hotels(3))
    report = await world.back_up("hotels")
    assert report.state == "lossy"
    assert [loss.split(":")[0] for loss in report.losses] == ["lost", "secret/a"]
    [summary] = await list_snapshots(world.store.snapshots)
    assert (summary.state, summary.losses) == ("lossy", 2)


async def test_an_unknown_index_is_answered_with_the_known_ones(world: World) -> None:
    await world.fill(hotels.DEFINITION, [])
    with pytest.raises(NotFoundError, match="hotels") as raised:
        await world.back_up("hotel")
    assert raised.value.on == f"{EAST} index hotel"


async def test_short_pages_lagging_counts_and_faults_lose_nothing(world: World) -> None:
    await world.fill(hotels.DEFINITION, hotels.hotels(2500))
    await world.faults(
        EAST,
        {"fault": "short_page", "probability": 0.5, "documents": 100},
        {"fault": "unavailable", "probability": 0.1},
        {"fault": "throttled", "probability": 0.1},
        {"fault": "reset", "probability": 0.1},
        {"fault": "truncated", "probability": 0.1},
    )
    report = await world.back_up("hotels")
    assert report.documents == 2500
    assert await stored_keys(world, await manifest_of(world)) == [each["id"] for each in hotels.hotels(2500)]


async def test_partial_coverage_is_no_snapshot(world: World) -> None:
    await world.fill(hotels.DEFINITION, hotels.hotels(50))
    await world.faults(EAST, {"fault": "coverage", "percent": 90.0})
    with pytest.raises(RemoteError):
        await world.back_up("hotels")
    assert await list_snapshots(world.store.snapshots) == []


async def test_documents_that_are_counted_and_not_given_fail_the_run(world: World) -> None:
    await world.fill(hotels.DEFINITION, hotels.hotels(50))
    await world.faults(EAST, {"fault": "lagging_count", "seconds": 3600})
    await world.east.index_documents(
        "hotels", json.dumps({"value": [{"@search.action": "delete", "id": "h000007"}]}).encode()
    )
    with pytest.raises(AccountingError, match="49 unique keys"):
        await world.back_up("hotels")
    assert await list_snapshots(world.store.snapshots) == []


async def test_a_wrong_key_is_named_and_not_shown(world: World) -> None:
    world.clients._environment = {EAST: "wrong-key-value"}
    with pytest.raises(UnauthorizedError) as raised:
        await world.back_up("hotels")
    assert "wrong-key-value" not in str(raised.value)
