"""Chunks are found by keys on the way down a tree, without reading the rest of it."""

import random

import pytest

from indexvault.snapshots.tree import Tree
from indexvault.snapshots.tree_keys import PositionedChunk, chunks_with_keys
from indexvault.snapshots.tree_reader import TreeReader
from tests.memory_store import MemoryStore
from tests.snapshots.trees import FOLDER, chunks_for, write_tree


@pytest.mark.parametrize("documents", [0, 40, 6000])
async def test_the_chunks_that_may_hold_some_keys_are_found_with_their_places(documents: int) -> None:
    blobs = MemoryStore().snapshots
    chunks = chunks_for(range(0, 2 * documents, 2))
    tree, _used = await write_tree(blobs, chunks)
    assert tree.level == (2 if documents == 6000 else 0)
    rng = random.Random(documents)
    for count in (0, 1, 7, 200):
        keys = [f"hotel-{rng.randrange(-5, 2 * documents + 9):07}" for _ in range(count)]
        expected = [
            PositionedChunk(position, chunks[position - 1].last if position else None, chunk)
            for position, chunk in enumerate(chunks)
            if any(chunk.first <= key <= chunk.last for key in keys)
        ]
        assert [each async for each in chunks_with_keys(TreeReader(blobs, FOLDER), tree, keys)] == expected


async def test_an_empty_tree_holds_no_key() -> None:
    reader = TreeReader(MemoryStore().snapshots, FOLDER)
    assert [each async for each in chunks_with_keys(reader, Tree(), ["a"])] == []
