"""What the service's counts leave open is kept, named, and never taken for a complete snapshot."""

import asyncio
import contextlib
import json
import random
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from indexvault.backup.limits import Limits
from indexvault.errors import LossNotAcceptedError
from indexvault.search.batch import batch, delete_action
from indexvault.search.client import SearchService
from indexvault.search.page import Page, PageReader
from indexvault.search.query import DocumentQuery
from indexvault.snapshots.catalogue import list_snapshots, read_manifest
from indexvault.snapshots.chunks import document_lines, key_reader
from indexvault.snapshots.names import SnapshotReference
from indexvault.snapshots.reader import read_chunk
from indexvault.snapshots.retention import Retention, decide
from indexvault.snapshots.verify import verify_index
from tests.memory_store import MemoryStore
from tests.snapshots.samples import chunks_of
from tests.world import EAST, World, open_world, upload_batch

OFF = {"filterable": False, "sortable": False, "facetable": False, "searchable": False}
LIMITS = Limits(paged_readings=3, settling_rounds=2)


def definition(*fields: dict[str, Any], key: dict[str, Any] | None = None) -> dict[str, Any]:
    return {
        "name": "restless",
        "fields": [
            {"name": "id", "type": "Edm.String", "key": True} | OFF | (key or {}),
            *({"retrievable": True} | OFF | field for field in fields),
        ],
    }


def document(number: int) -> dict[str, Any]:
    return {"id": f"{number * 7919 % 100_003:06}"}


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with open_world(MemoryStore("local"), limits=LIMITS) as opened:
        yield opened


async def unsettle(world: World) -> Any:
    """Back up an index that nothing can cut and whose ties change places at every request."""
    await world.fill(definition(), [document(number) for number in range(2500)])
    await world.faults(EAST, {"fault": "shuffled_ties"})
    return await world.back_up("restless")


async def test_what_can_not_be_settled_is_kept_with_what_is_open(world: World) -> None:
    report = await unsettle(world)
    assert report.state == "unsettled"
    manifest = await read_manifest(
        world.store.snapshots, SnapshotReference(service=EAST, index="restless", id=report.snapshot)
    )
    assert manifest.unsettled is not None
    key_of = key_reader("id")
    found = [
        key_of(line)
        for chunk in await chunks_of(world.store.snapshots, manifest)
        for line in document_lines(await read_chunk(world.store.snapshots, manifest.folder, chunk))
    ]
    missing = {document(number)["id"] for number in range(2500)} - set(found)
    assert len(found) == len(set(found)) == manifest.counts.documents
    assert len(missing) <= manifest.unsettled.documents
    assert report.unsettled == [f"everything: {manifest.unsettled.documents:,} documents are open"]
    (listed,) = await list_snapshots(world.store.snapshots)
    assert (listed.state, listed.unsettled) == ("unsettled", manifest.unsettled.documents)


class Miscounting(SearchService):
    """Counts one document more than it returns, in the same answer too."""

    async def documents(self, index: str, query: DocumentQuery, reader: PageReader, **options: Any) -> Page:
        page = await super().documents(index, query, reader, **options)
        return page if page.count is None else msgspec.structs.replace(page, count=page.count + 1)


async def test_what_can_not_be_settled_in_key_order_is_kept_too() -> None:
    async with open_world(MemoryStore("local")) as world:
        await world.fill(definition(key={"filterable": True, "sortable": True}), map(document, range(1000)))
        await world.ask_east_with(Miscounting)
        report = await world.back_up("restless")
        assert (report.state, report.documents) == ("unsettled", 1000)
        assert report.unsettled == ["by id: 1 documents are open"]
        with pytest.raises(LossNotAcceptedError, match="--accept-unsettled"):
            await world.restore(report)
        assert (await world.restore(report, accept_unsettled=True)).documents == 1000


@pytest.mark.slow  # reads or restores an index many times
async def test_an_unsettled_snapshot_is_restored_only_if_that_is_accepted(world: World) -> None:
    report = await unsettle(world)
    with pytest.raises(LossNotAcceptedError, match="--accept-unsettled"):
        await world.restore(report)
    restored = await world.restore(report, accept_unsettled=True, index="accepted")
    assert restored.documents == report.documents
    assert restored.losses == report.unsettled


async def test_an_unsettled_snapshot_is_sound_if_its_bytes_are(world: World) -> None:
    report = await unsettle(world)
    verified = await verify_index(world.store.snapshots, EAST, "restless", only=[report.snapshot])
    assert not verified.damage


async def test_an_unsettled_snapshot_takes_no_complete_ones_place(world: World) -> None:
    await world.fill(definition(), [document(number) for number in range(2500)])
    complete = await world.back_up("restless")
    await world.faults(EAST, {"fault": "shuffled_ties"})
    unsettled = await world.back_up("restless")
    assert (complete.state, unsettled.state) == ("complete", "unsettled")
    decided = {
        each.snapshot.id: each for each in decide(await list_snapshots(world.store.snapshots), [Retention(last=1)])
    }
    assert "the last complete one" in decided[complete.snapshot].reasons
    assert decided[unsettled.snapshot].keep


async def test_a_snapshot_can_be_lossy_and_unsettled(world: World) -> None:
    shape = definition({"name": "hidden", "type": "Edm.String", "retrievable": False})
    await world.fill(shape, [document(number) for number in range(2500)])
    await world.faults(EAST, {"fault": "shuffled_ties"})
    report = await world.back_up("restless")
    assert report.state == "unsettled"
    assert [loss.split(":")[0] for loss in report.losses] == ["hidden"]
    assert report.unsettled


async def test_enough_readings_settle_what_nothing_can_cut() -> None:
    async with open_world(MemoryStore("local")) as world:
        report = await unsettle(world)
    assert (report.state, report.documents) == ("complete", 2500)


CHANGED = {"name": "changed", "type": "Edm.DateTimeOffset", "filterable": True, "sortable": True}
RATING = {"name": "rating", "type": "Edm.Double", "filterable": True}
CATEGORY = {"name": "category", "type": "Edm.String", "filterable": True, "facetable": True, "retrievable": False}
BRANCH = {"name": "branch", "type": "Edm.String", "filterable": True, "facetable": True, "retrievable": False}


@pytest.mark.parametrize(
    ("fields", "key"),
    [
        pytest.param((CHANGED, RATING), {}, id="another field"),
        pytest.param((CHANGED | {"filterable": False}, CATEGORY, BRANCH), {}, id="only facets"),
        pytest.param((CHANGED,), {"searchable": True, "analyzer": "keyword"}, id="only prefixes"),
        pytest.param((CHANGED,), {"filterable": True}, id="the key's own values"),
    ],
)
async def test_many_that_share_a_date_are_read_whole_whatever_order_ties_have(
    fields: tuple[dict[str, Any], ...], key: dict[str, Any]
) -> None:
    """120,000 of 150,000 share a date, and each request orders ties its own way; here a thirtieth of that."""
    names = {field["name"] for field in fields}
    documents = [
        {
            "id": f"{number * 2654435761 % 2**32:08x}",
            "changed": "2026-01-01T00:00:00Z"
            if number % 5
            else f"2026-02-01T00:{number // 60 % 60:02}:{number % 60:02}Z",
            "rating": number / 7,
            "category": f"c{number % 7}",
            "branch": f"b{number % 11}",
        }
        for number in range(5_000)
    ]
    async with open_world(MemoryStore("local")) as world:
        await world.fill(
            definition(*fields, key=key),
            [{name: value for name, value in each.items() if name in {"id", *names}} for each in documents],
        )
        await world.faults(EAST, {"fault": "replicas", "replicas": 3}, {"fault": "shuffled_ties"})
        await world.control("DELETE", EAST, "/requests")
        report = await world.back_up("restless")
        requests = (await world.requests(EAST))["search"]["requests"]
    hidden = any(field.get("retrievable") is False for field in fields)  # only then are facets needed
    assert (report.state, report.documents) == ("lossy" if hidden else "complete", 5_000)
    assert report.unsettled == []
    assert requests < 250


class Writer:
    """Changes, adds and deletes documents, so many writes a second; knows which were there throughout."""

    def __init__(self, world: World, documents: int, seed: int = 1) -> None:
        self.world, self.rng, self.number = world, random.Random(seed), documents
        self.there = {f"{number:06}" for number in range(documents)}
        self.throughout = set(self.there)
        self.writes = 0

    def document(self, key: str) -> dict[str, Any]:
        return {"id": key, "part": self.rng.randrange(500), "text": "x" * 200}

    async def write(self, times: int) -> None:
        upserts, gone = [], []
        for _ in range(times):
            kind = self.rng.random()
            if kind < 0.5:
                upserts.append(self.rng.choice(tuple(self.throughout)))
            elif kind < 0.75:
                self.number += 1
                upserts.append(f"{self.number:06}")
            else:
                gone.append(self.rng.choice(tuple(self.throughout)))
        self.throughout.difference_update(gone)
        self.writes += times
        lines = [json.dumps(self.document(key)).encode() for key in set(upserts) - set(gone)]
        if lines:
            await self.world.east.index_documents("restless", upload_batch(lines))
        if gone:
            await self.world.east.index_documents("restless", batch(delete_action("id", key) for key in set(gone)))

    @contextlib.asynccontextmanager
    async def writing(self, rate: int) -> AsyncIterator[None]:
        async def go_on() -> None:
            while True:
                await self.write(max(1, rate // 10))
                await asyncio.sleep(0.1)

        task = asyncio.create_task(go_on())
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


@pytest.mark.parametrize("rate", [20, 200])
async def test_an_index_that_is_written_to_all_the_time_is_read_whole(rate: int) -> None:
    part = {"name": "part", "type": "Edm.Int32", "filterable": True, "sortable": True}
    text = {"name": "text", "type": "Edm.String", "searchable": True}
    async with open_world(MemoryStore("local")) as world:
        writer = Writer(world, 12_000)
        await world.fill(definition(part, text), [writer.document(f"{number:06}") for number in range(12_000)])
        async with writer.writing(rate):
            report = await world.back_up("restless")
        manifest = await read_manifest(
            world.store.snapshots, SnapshotReference(service=EAST, index="restless", id=report.snapshot)
        )
        key_of = key_reader("id")
        found = {
            key_of(line)
            for chunk in await chunks_of(world.store.snapshots, manifest)
            for line in document_lines(await read_chunk(world.store.snapshots, manifest.folder, chunk))
        }
    assert writer.writes > 0
    assert writer.throughout <= found or report.state == "unsettled"
    assert report.state == "complete" or rate > 20, msgspec.to_builtins(report)
