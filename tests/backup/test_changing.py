"""The claim of docs/guarantees.md, with a writer at work and a service that fails."""

import asyncio
import contextlib
import itertools
import json
import random
from collections.abc import AsyncIterator
from typing import Any

import pytest

from indexvault.backup.limits import Limits
from indexvault.errors import AccountingError
from indexvault.search.batch import batch, delete_action
from indexvault.search.client import SearchService
from indexvault.snapshots.catalogue import list_snapshots, resolve_manifest
from indexvault.snapshots.chunks import document_lines
from indexvault.snapshots.manifest import Manifest
from indexvault.snapshots.names import SnapshotReference
from indexvault.snapshots.reader import read_chunk
from indexvault.workflow.activity import Resources
from tests.memory_store import MemoryStore
from tests.snapshots.samples import chunks_of
from tests.world import EAST, LATER, Run, World, open_world, upload_batch

DOCUMENTS = 3_000
LIMITS = Limits(
    smallest_range=DOCUMENTS // 4,
    largest_partition=DOCUMENTS // 3,
    most_skipped=DOCUMENTS // 3,
    comfortable_partition=DOCUMENTS // 6,
)


def definition(**key: bool) -> dict[str, Any]:
    return {
        "name": "live",
        "fields": [
            {"name": "id", "type": "Edm.String", "key": True, "searchable": False} | key,
            {"name": "part", "type": "Edm.Int32", "filterable": True, "sortable": True, "retrievable": True},
            {"name": "version", "type": "Edm.Int32", "retrievable": True},
            {"name": "text", "type": "Edm.String", "searchable": True, "retrievable": True},
        ],
    }


def document(number: int, version: int) -> dict[str, Any]:
    return {"id": f"{number:06}", "part": number % 500, "version": version, "text": "x" * 300}


class Writer:
    """Changes an index without pause; knows what it wrote of each key, and which keys were there throughout."""

    def __init__(self, world: World, seed: int) -> None:
        self.world = world
        self.rng = random.Random(seed)
        self.versions: dict[str, set[int]] = {f"{number:06}": {0} for number in range(DOCUMENTS)}
        self.throughout = set(self.versions)
        self.numbers = itertools.count(DOCUMENTS)
        self.batches = 0

    async def write(self) -> None:
        """Change, delete and add a few documents."""
        self.batches += 1
        changed = self.rng.sample(sorted(self.throughout), 8)
        gone = self.rng.sample(sorted(self.throughout), 4)
        self.throughout.difference_update(gone)
        new = [next(self.numbers) for _ in range(4)]
        documents = [document(int(key), self.batches) for key in changed] + [document(number, 0) for number in new]
        for each in documents:
            self.versions.setdefault(each["id"], set()).add(each["version"])
        await self.world.east.index_documents("live", upload_batch(json.dumps(each).encode() for each in documents))
        # The waits of a backup take no time here: without a rest of any length, it could ask in step with the writer.
        await asyncio.sleep(self.rng.random() * 0.02)
        await self.world.east.index_documents("live", batch(delete_action("id", key) for key in gone))


@contextlib.asynccontextmanager
async def writing(writer: Writer) -> AsyncIterator[None]:
    async def go_on() -> None:
        while True:
            await writer.write()
            await asyncio.sleep(0.02)

    task = asyncio.create_task(go_on())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with open_world(MemoryStore("local"), limits=LIMITS) as opened:
        yield opened


async def snapshot(world: World) -> tuple[list[dict[str, Any]], Manifest]:
    manifest = await resolve_manifest(world.store.snapshots, SnapshotReference(service=EAST, index="live"), now=LATER)
    return [
        json.loads(line)
        for chunk in await chunks_of(world.store.snapshots, manifest)
        for line in document_lines(await read_chunk(world.store.snapshots, manifest.folder, chunk))
    ], manifest


def assert_claim(documents: list[dict[str, Any]], writer: Writer) -> None:
    keys = [each["id"] for each in documents]
    assert keys == sorted(set(keys)), "each key is there once"
    assert writer.throughout <= set(keys), "what was there throughout is there"
    assert all(each["version"] in writer.versions[each["id"]] for each in documents), "in a version it had"


@pytest.mark.parametrize("seed", [1, 2])
async def test_the_claim_holds_while_documents_come_go_and_change(world: World, seed: int) -> None:
    await world.fill(definition(filterable=True, sortable=True), [document(number, 0) for number in range(DOCUMENTS)])
    await world.faults(
        EAST,
        {"fault": "unavailable", "operation": "search", "probability": 0.1},
        {"fault": "latency", "operation": "search", "seconds": 0.02},
        {"fault": "short_page", "operation": "search", "documents": DOCUMENTS // 17},
        seed=seed,
    )
    writer = Writer(world, seed)
    async with writing(writer):
        report = await world.back_up("live", parallel=2)
    assert writer.batches > 10
    documents, manifest = await snapshot(world)
    assert_claim(documents, writer)
    assert manifest.reading is not None
    assert manifest.reading.again > 0
    assert manifest.counts.documents == report.documents == len(documents)


async def test_a_stretch_too_large_for_one_answer_is_read_again_page_by_page(world: World) -> None:
    await world.fill(definition(filterable=True, sortable=True), [document(number, 0) for number in range(600)])
    await world.faults(EAST, {"fault": "too_large", "operation": "search", "bytes": 4000})
    gone: list[str] = []
    scanning = False

    class DeletedMeanwhile(SearchService):
        """Deletes a document between the reading of a range and its count."""

        async def count_found(self, *arguments: Any, **options: Any) -> int:
            if scanning and not gone:
                gone.append(f"{300:06}")
                await self.index_documents("live", batch([delete_action("id", gone[0])]))
            return await super().count_found(*arguments, **options)

    async def scan_and_delete(scan: Run, resources: Resources, given: Any) -> Any:
        nonlocal scanning
        scanning = True
        return await scan(resources, given)

    await world.ask_east_with(DeletedMeanwhile)
    world.around["scan_range"] = scan_and_delete
    await world.back_up("live")
    documents, manifest = await snapshot(world)
    assert manifest.reading is not None
    assert manifest.reading.again > 0
    assert [each["id"] for each in documents] == [f"{number:06}" for number in range(600) if number != 300]


async def test_in_partitions_the_claim_holds_or_the_run_fails(world: World) -> None:
    await world.fill(definition(filterable=False, sortable=False), [document(number, 0) for number in range(DOCUMENTS)])
    writer = Writer(world, 1)
    try:
        async with writing(writer):
            await world.back_up("live", parallel=2)
    except AccountingError:
        assert await list_snapshots(world.store.snapshots) == []
    else:
        assert_claim((await snapshot(world))[0], writer)
    quiet = await world.back_up("live")
    assert quiet.state == "complete"


async def test_a_document_that_moves_between_partitions_is_found_by_the_recount() -> None:
    """After the first partition was read, a document of the last one moves to it."""
    limits = Limits(largest_partition=400, comfortable_partition=200)
    async with open_world(MemoryStore("local"), limits=limits) as world:
        await world.fill(definition(filterable=False, sortable=False), [document(number, 0) for number in range(1000)])
        moved = False

        async def collect_and_move(collect: Run, resources: Resources, given: Any) -> Any:
            nonlocal moved
            summary = await collect(resources, given)
            if not moved:
                moved = True
                line = json.dumps(document(499, 7) | {"part": 0}).encode()
                await world.east.index_documents("live", upload_batch([line]))
            return summary

        world.around["collect_partition"] = collect_and_move
        await world.back_up("live", parallel=1)
        documents, _manifest = await snapshot(world)
    assert [each["id"] for each in documents] == [f"{number:06}" for number in range(1000)]


async def test_an_index_that_is_made_anew_meanwhile_is_no_mixture_of_both(world: World) -> None:
    """Each range agrees with its count, one in the old index and the others in the new, which is empty."""
    shape = definition(filterable=True, sortable=True)
    await world.fill(shape, [document(number, 0) for number in range(DOCUMENTS)])
    made_anew = False

    async def scan_and_make_anew(scan: Run, resources: Resources, given: Any) -> Any:
        nonlocal made_anew
        summary = await scan(resources, given)
        if not made_anew:
            made_anew = True
            await world.east.delete_index("live", before=await world.east.index_definition("live"))
            await world.east.create_index("live", json.dumps(shape).encode(), preview=False)
        return summary

    world.around["scan_range"] = scan_and_make_anew
    report = await world.back_up("live", parallel=1)
    assert report.documents == 0
    assert "made anew" in report.notes[0]
