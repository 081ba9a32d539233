"""What happens to an index, or to its chunks, while it is read: one run comes to the right end by itself."""

import gzip
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from indexvault.errors import OutdatedReadingError
from indexvault.search.client import SearchService
from indexvault.snapshots.announcements import SweepRecord
from indexvault.snapshots.catalogue import list_snapshots, resolve_manifest
from indexvault.snapshots.manifest import Manifest
from indexvault.snapshots.names import SnapshotReference
from indexvault.snapshots.run_names import sweep_name
from indexvault.workflow.activity import Resources
from tests import hotels
from tests.memory_store import MemoryStore
from tests.snapshots.samples import chunks_of, verified
from tests.world import EAST, LATER, Run, World, open_world, upload_batch

DOCUMENTS = 300


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with open_world(MemoryStore("local")) as opened:
        await opened.fill(hotels.DEFINITION, hotels.hotels(DOCUMENTS))
        yield opened


async def newest(world: World) -> Manifest:
    return await resolve_manifest(world.store.snapshots, SnapshotReference(service=EAST, index="hotels"), now=LATER)


def after_reading(world: World, happens: Callable[[int], Awaitable[None]]) -> list[Any]:
    """Let something happen each time the index has been read, before its documents are accounted for."""
    times: list[Any] = []

    async def scan_and_change(scan: Run, resources: Resources, given: Any) -> Any:
        summary = await scan(resources, given)
        times.append(given)
        await happens(len(times))
        return summary

    world.around["scan_range"] = scan_and_change
    return times


async def change(world: World, **members: Any) -> None:
    current = await world.east.index_definition("hotels")
    changed = json.loads(bytes(current.body)) | members
    await world.east.update_index("hotels", json.dumps(changed).encode(), before=current, preview=False)


async def test_a_change_that_documents_do_not_depend_on_is_taken_up(world: World) -> None:
    async def happens(_times: int) -> None:
        await world.east.create_definition(
            "synonymmaps", "words", b'{"name":"words","format":"solr","synonyms":"inn, hotel"}', preview=False
        )
        fields = hotels.with_field("name", synonymMaps=["words"])["fields"]
        await change(world, scoringProfiles=[{"name": "near"}], fields=fields)

    times = after_reading(world, happens)
    report = await world.back_up("hotels")
    assert len(times) == 1
    assert (report.state, report.documents) == ("complete", DOCUMENTS)
    assert any("has the newer one" in note for note in report.notes)
    manifest = await newest(world)
    assert json.loads(bytes(manifest.definition.stable.body))["scoringProfiles"][0]["name"] == "near"
    assert [entry.name for entry in manifest.synonym_maps] == ["words"]
    assert manifest.etag.before != manifest.etag.after


async def test_a_field_that_comes_meanwhile_is_in_every_document_of_the_snapshot(world: World) -> None:
    async def happens(times: int) -> None:
        if times == 1:
            fields = [*hotels.DEFINITION["fields"], {"name": "new", "type": "Edm.String"}]
            await change(world, fields=fields)

    times = after_reading(world, happens)
    report = await world.back_up("hotels")
    assert len(times) == 2
    assert (report.state, report.documents) == ("complete", DOCUMENTS)
    assert any("read twice: the index's definition was changed" in note for note in report.notes)
    manifest = await newest(world)
    assert b'"new"' in bytes(manifest.definition.stable.body)
    for name in {manifest.folder.pack(chunk.pack) for chunk in await chunks_of(world.store.snapshots, manifest)}:
        pack = await world.store.snapshots.read(name, 10**7)
        assert all("new" in json.loads(line) for line in gzip.decompress(pack).splitlines())
    assert [blob.name async for blob in world.store.runs.list("runs/")] == []


async def test_an_index_made_anew_while_it_is_read_is_read_again(world: World) -> None:
    async def happens(times: int) -> None:
        if times == 1:
            current = await world.east.index_definition("hotels")
            await world.east.delete_index("hotels", before=current)
            await world.fill(hotels.DEFINITION, hotels.hotels(40))

    times = after_reading(world, happens)
    report = await world.back_up("hotels")
    assert (len(times), report.documents) == (2, 40)


async def test_an_index_that_never_holds_still_fails_and_leaves_nothing_to_go_on_with(world: World) -> None:
    async def happens(times: int) -> None:
        fields = [*hotels.DEFINITION["fields"], *({"name": f"f{n}", "type": "Edm.String"} for n in range(times))]
        await change(world, fields=fields)

    times = after_reading(world, happens)
    with pytest.raises(OutdatedReadingError, match="was changed"):
        await world.back_up("hotels", run="restless")
    assert len(times) == 2
    assert await list_snapshots(world.store.snapshots) == []
    world.around.clear()
    report = await world.back_up("hotels", run="restless")
    assert (report.state, report.documents) == ("complete", DOCUMENTS)


async def test_chunks_that_are_swept_from_under_a_run_are_stored_again_by_it(world: World) -> None:
    await world.back_up("hotels")
    manifest = await newest(world)
    blobs = sorted({manifest.folder.pack(chunk.pack) for chunk in await chunks_of(world.store.snapshots, manifest)})
    sweep = SweepRecord(until=datetime.now(UTC) + timedelta(hours=1), blobs=tuple(blobs))
    name = sweep_name(EAST, "hotels")
    await world.store.runs.put(name, msgspec.json.encode(sweep))
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        """The sweep goes on for a while, and then is over."""
        waited.append(seconds)
        if len(waited) == 3:
            for blob in blobs:
                await world.store.snapshots.delete(blob)
            await world.store.runs.delete(name)

    object.__setattr__(world.resources, "sleep", sleep)
    report = await world.back_up("hotels")
    assert len(waited) == 3
    assert report.added_chunks == report.chunks
    assert any("is being removed" in note for note in report.notes)
    (await verified(world.store.snapshots, await newest(world))).raise_for_damage()


async def test_a_chunk_that_the_previous_snapshot_lost_is_stored_again(world: World) -> None:
    await world.back_up("hotels")
    manifest = await newest(world)
    renamed = msgspec.json.encode(hotels.hotels(1)[0] | {"name": "renamed"})
    await world.east.index_documents("hotels", upload_batch([renamed]))
    await world.back_up("hotels")
    second = await newest(world)
    [lost] = {chunk.pack for chunk in await chunks_of(world.store.snapshots, second)} - {
        chunk.pack for chunk in await chunks_of(world.store.snapshots, manifest)
    }
    await world.store.snapshots.delete(second.folder.pack(lost))
    report = await world.back_up("hotels")
    assert (report.added_chunks, report.chunks) == (1, manifest.tree.count)
    assert any("the pack is gone" in note for note in report.notes)
    (await verified(world.store.snapshots, await newest(world))).raise_for_damage()


async def test_a_field_that_others_show_and_hide_again_is_not_taken_for_revealed(world: World) -> None:
    """Hidden as the planning begins, shown before it ends, hidden again while documents are read."""
    hidden = hotels.with_field("stars", retrievable=False)["fields"]
    shown = hotels.with_field("stars", retrievable=True)["fields"]
    await change(world, fields=hidden)
    counted: list[str] = []

    class ShownMeanwhile(SearchService):
        """Shows the field when documents are counted for the first time, right after the definition was read."""

        async def count(self, index: str) -> int:
            counted.append(index)
            if len(counted) == 1:
                await change(world, fields=shown)
            return await super().count(index)

    async def happens(times: int) -> None:
        if times == 1:
            await change(world, fields=hidden)

    await world.ask_east_with(ShownMeanwhile)
    times = after_reading(world, happens)
    report = await world.back_up("hotels")
    assert len(times) == 2
    assert [loss.partition(":")[0] for loss in report.losses] == ["stars"]
