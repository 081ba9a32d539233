"""What the previous snapshot has is not stored again; what is new fills packs."""

from collections.abc import AsyncGenerator, Sequence

import msgspec
import pytest

from indexvault.errors import IntegrityError
from indexvault.snapshots.chunk_writer import ChunkWriter, PreviousChunks
from indexvault.snapshots.chunks import Chunk
from indexvault.snapshots.reader import read_chunk
from tests.memory_store import MemoryStore
from tests.snapshots.samples import cut, documents
from tests.snapshots.trees import FOLDER, chunks_for


async def batches(chunks: Sequence[Chunk], *, damaged_after: int | None = None) -> AsyncGenerator[Sequence[Chunk]]:
    for at in range(0, len(chunks), 10):
        if damaged_after is not None and at >= damaged_after:
            raise IntegrityError("damaged", on="x", do="y")
        yield tuple(chunks[at : at + 10])


class TestPreviousChunks:
    async def test_are_found_in_key_order(self) -> None:
        there = chunks_for(range(1000))
        previous = PreviousChunks(batches(there))
        wanted = chunks_for(range(0, 1000, 2)) + chunks_for(range(2000, 2100))
        found = [await previous.find(chunk) for chunk in wanted]
        by_hash = {chunk.sha256: chunk for chunk in there}
        assert found == [by_hash.get(chunk.sha256) for chunk in wanted]
        assert any(found)
        previous = PreviousChunks(batches(there))
        assert [await previous.find(chunk) for chunk in there] == there

    async def test_end_where_the_snapshot_does(self) -> None:
        (one, *more) = chunks_for(range(1000))
        previous = PreviousChunks(batches([one]))
        assert await previous.find(one) == one
        assert [await previous.find(chunk) for chunk in more] == [None] * len(more)
        assert await PreviousChunks().find(one) is None

    async def test_what_is_listed_otherwise_is_another_chunk(self) -> None:
        chunk = chunks_for(range(1000))[0]
        for lie in ({"first": ""}, {"documents": 1 << 20}, {"bytes": 1}):
            previous = PreviousChunks(batches([msgspec.structs.replace(chunk, **lie)]))
            assert await previous.find(chunk) is None

    async def test_a_damaged_snapshot_has_none_from_there_on(self) -> None:
        there = chunks_for(range(1000))
        previous = PreviousChunks(batches(there, damaged_after=50))
        found = [await previous.find(chunk) for chunk in there]
        assert found == [*there[:50], *[None] * (len(there) - 50)]


class TestChunkWriter:
    @pytest.mark.parametrize("pack_bytes", [1, 3000, 1 << 20])
    async def test_chunks_get_their_places(self, pack_bytes: int) -> None:
        store = MemoryStore()
        writer = ChunkWriter(store.snapshots, FOLDER, pack_bytes=pack_bytes)
        sealed = cut(documents(range(600)))
        stored = [await writer.add(each) for each in sealed]
        await writer.finish()
        assert all(each.added for each in stored)
        assert [await read_chunk(store.snapshots, FOLDER, each.chunk) for each in stored] == [
            each.data for each in sealed
        ]

    async def test_what_is_left_can_be_had(self) -> None:
        store = MemoryStore()
        writer = ChunkWriter(store.snapshots, FOLDER)
        sealed = cut(documents(range(100)))
        stored = [await writer.add(each) for each in sealed]
        left = await writer.leave(1 << 20)
        assert [blob async for blob in store.snapshots.list("")] == []
        assert len(left) == sum(each.chunk.stored for each in stored)
        assert {each.chunk.pack for each in stored} == {""}
        assert [each.chunk.offset for each in stored] == sorted(each.chunk.offset for each in stored)
