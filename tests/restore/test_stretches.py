"""A tree is cut into stretches along its lists of chunks."""

import pytest

from indexvault.bounds import MEBIBYTE
from indexvault.restore.stretches import (
    FEWEST_STRETCHES,
    MOST_STRETCHES,
    SMALLEST_STRETCH,
    STRETCH_BYTES,
    stretch_bytes,
    stretch_keys,
    stretches,
    stretches_of,
)
from indexvault.snapshots.chunks import Chunk
from indexvault.snapshots.names import PackFolder
from indexvault.snapshots.tree import Tree
from indexvault.snapshots.tree_reader import TreeReader
from tests.memory_store import MemoryStore
from tests.snapshots.trees import FOLDER, chunks_for, write_tree


def chunk(number: int, size: int) -> Chunk:
    key = f"{number:05}"
    return Chunk("0" * 64, key, key, 1, size, "a" * 64, 100 * number, 100)


async def cut_of(sizes: list[int]) -> list[tuple[int, int]]:
    reader = TreeReader(MemoryStore().snapshots, PackFolder(service="s", index="i"))
    return await stretches(reader, Tree(chunks=tuple(chunk(number, size) for number, size in enumerate(sizes))))


async def test_an_empty_snapshot_has_one_empty_stretch() -> None:
    assert await cut_of([]) == [(0, 0)]
    assert await cut_of([1]) == [(0, 1)]


async def test_a_stretch_ends_with_the_chunk_that_fills_it() -> None:
    assert await cut_of([3 * MEBIBYTE] * 7) == [(0, 3), (3, 6), (6, 7)]


@pytest.mark.parametrize(("smallest", "lists_are_opened"), [(100_000, False), (1000, True)])
async def test_a_tree_is_cut_along_its_lists_of_chunks(
    monkeypatch: pytest.MonkeyPatch, smallest: int, *, lists_are_opened: bool
) -> None:
    monkeypatch.setattr("indexvault.restore.stretches.SMALLEST_STRETCH", smallest)
    monkeypatch.setattr("indexvault.restore.stretches.STRETCH_BYTES", smallest)
    store = MemoryStore()
    chunks = chunks_for(range(6000))
    tree, _used = await write_tree(store.snapshots, chunks)
    reader = TreeReader(store.snapshots, FOLDER)
    cut = await stretches(reader, tree)
    assert [position for start, end in cut for position in range(start, end)] == list(range(len(chunks)))
    sizes = [sum(each.bytes for each in chunks[start:end]) for start, end in cut]
    largest = max(smallest, *(each.bytes for each in chunks))
    assert all(smallest <= size < smallest + largest for size in sizes[:-1])
    lists = {node.last async for node in reader.nodes(tree, 1)}
    ends = await stretch_keys(reader, tree)
    assert ends == [chunks[end - 1].last for _start, end in cut[:-1]]
    assert (not set(ends) <= lists) is lists_are_opened


def test_large_indexes_have_long_stretches_and_small_ones_short_ones() -> None:
    assert stretch_bytes(MEBIBYTE) == SMALLEST_STRETCH
    assert stretch_bytes(FEWEST_STRETCHES * 20 * MEBIBYTE) == 20 * MEBIBYTE
    assert stretch_bytes(10**10) == STRETCH_BYTES
    assert stretch_bytes(10**13) == 2 * 10**10
    assert 10**13 / stretch_bytes(10**13) <= MOST_STRETCHES / 2


def test_listed_keys_have_a_stretch_for_each_chunk_if_they_are_few() -> None:
    assert stretches_of([]) == []
    assert stretches_of([3, 7]) == [(3, 4), (7, 8)]
    many = stretches_of(range(0, 20_000, 2))
    assert len(many) <= MOST_STRETCHES
    assert (many[0], many[-1]) == ((0, 19), (19_980, 19_999))
