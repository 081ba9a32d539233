"""Indexes that only facets or prefixes can divide, while they are written to, read plainly or elevated."""

import asyncio
import contextlib
import itertools
import json
import random
from collections.abc import AsyncIterator
from typing import Any

import pytest

from indexvault.backup.limits import Limits
from indexvault.search.batch import batch, delete_action
from indexvault.snapshots.catalogue import read_manifest
from indexvault.snapshots.chunks import document_lines
from indexvault.snapshots.names import SnapshotReference
from indexvault.snapshots.reader import read_chunk
from tests.memory_store import MemoryStore
from tests.snapshots.samples import chunks_of
from tests.world import EAST, World, open_world, upload_batch

DOCUMENTS = 600
LIMITS = Limits(largest_partition=250, most_skipped=250, comfortable_partition=150, settling_rounds=8)
OFF = {"filterable": False, "sortable": False, "facetable": False, "searchable": False}
SHAPES: dict[str, tuple[dict[str, Any], str]] = {
    "facets": ({}, "facets of category"),
    "prefixes": ({"searchable": True, "analyzer": "keyword"}, "prefix"),
}


def definition(shape: str, *, protected: bool) -> dict[str, Any]:
    key = {"name": "id", "type": "Edm.String", "key": True} | OFF | SHAPES[shape][0]
    category = {"name": "category", "type": "Edm.String", "retrievable": True} | OFF
    if shape == "facets":
        category |= {"filterable": True, "facetable": True}
    fields = [key, category, {"name": "version", "type": "Edm.Int32", "retrievable": True} | OFF]
    if protected:
        readers = {"name": "readers", "type": "Collection(Edm.String)", "filterable": True}
        fields.append(readers | {"permissionFilter": "userIds"})
    return {"name": "live", "fields": fields} | ({"permissionFilterOption": "enabled"} if protected else {})


class Writer:
    """Changes, deletes and adds documents without pause, and moves them from category to category."""

    def __init__(self, world: World, *, protected: bool) -> None:
        self.world = world
        self.rng = random.Random(7)
        self.protected = protected
        self.numbers = itertools.count(DOCUMENTS)
        self.versions: dict[str, set[int]] = {self.key(number): {0} for number in range(DOCUMENTS)}
        self.throughout = set(self.versions)
        self.batches = 0

    @staticmethod
    def key(number: int) -> str:
        return f"{number * 7919 % 100_003:05x}-{number}"

    def document(self, key: str, version: int) -> dict[str, Any]:
        document = {"id": key, "version": version, "category": f"c{self.rng.randrange(12):02}"}
        return document | ({"readers": ["somebody"] if self.rng.random() < 0.7 else ["all"]} if self.protected else {})

    async def write(self) -> None:
        self.batches += 1
        changed = self.rng.sample(sorted(self.throughout), 6)
        gone = self.rng.sample(sorted(self.throughout), 2)
        self.throughout.difference_update(gone)
        added = [self.key(next(self.numbers)) for _ in range(2)]
        for key in (*changed, *added):
            self.versions.setdefault(key, set()).add(self.batches)
        lines = [json.dumps(self.document(key, self.batches)).encode() for key in (*changed, *added)]
        await self.world.east.index_documents("live", upload_batch(lines))
        await self.world.east.index_documents("live", batch(delete_action("id", key) for key in gone))


@contextlib.asynccontextmanager
async def writing(writer: Writer) -> AsyncIterator[None]:
    async def go_on() -> None:
        while True:
            await writer.write()
            await asyncio.sleep(0.05)

    task = asyncio.create_task(go_on())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def documents_of(world: World, snapshot: str) -> tuple[list[dict[str, Any]], str]:
    manifest = await read_manifest(world.store.snapshots, SnapshotReference(service=EAST, index="live", id=snapshot))
    assert manifest.reading is not None
    return [
        json.loads(line)
        for chunk in await chunks_of(world.store.snapshots, manifest)
        for line in document_lines(await read_chunk(world.store.snapshots, manifest.folder, chunk))
    ], manifest.reading.method


@pytest.mark.slow  # reads or restores an index many times
@pytest.mark.parametrize("protected", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
async def test_the_claim_holds_under_a_writer(shape: str, *, protected: bool) -> None:
    async with open_world(MemoryStore("local"), limits=LIMITS) as world:
        await world.east.create_index(
            "live", json.dumps(definition(shape, protected=protected)).encode(), preview=protected
        )
        writer = Writer(world, protected=protected)
        lines = [json.dumps(writer.document(key, 0)).encode() for key in sorted(writer.versions)]
        for start in range(0, len(lines), 1000):
            await world.east.index_documents("live", upload_batch(lines[start : start + 1000]))
        async with writing(writer):
            report = await world.back_up("live", parallel=2)
        assert writer.batches
        found, method = await documents_of(world, report.snapshot)
        assert SHAPES[shape][1] in method
        keys = [each["id"] for each in found]
        assert keys == sorted(set(keys))
        assert all(each["version"] in writer.versions[each["id"]] for each in found)
        missing = writer.throughout - set(keys)
        if report.state == "complete":
            assert not missing
        else:
            assert report.state == "unsettled"
            assert len(missing) <= sum(int(line.split()[-4].replace(",", "")) for line in report.unsettled)
        quiet = await world.back_up("live")
        found, _method = await documents_of(world, quiet.snapshot)
        assert quiet.state == "complete"
        assert writer.throughout <= {each["id"] for each in found}
