"""Merging changes into a tree: the tree that results is the one that all documents would give."""

import random
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexvault.backup.changes.base import Base
from indexvault.backup.changes.edit import Edit, Edited, TreeEditor
from indexvault.errors import AccountingError, IntegrityError
from indexvault.snapshots.chunk_writer import ChunkWriter, SegmentStore
from indexvault.snapshots.chunks import Chunk, content_digest, ends_chunk
from indexvault.snapshots.manifest import Manifest
from indexvault.snapshots.tree import Node, Tree
from indexvault.snapshots.tree_reader import TreeReader
from indexvault.snapshots.tree_writer import TreeWriter
from tests.memory_store import MemoryStore
from tests.peak import taking_at_most
from tests.snapshots.samples import document, documents, write_snapshot
from tests.snapshots.trees import FOLDER, chunks_for, write_tree

BITS = 1
"""Two documents a chunk, 64 a segment: a tree of three levels from some thousands on."""

type Edits = Mapping[str, bytes | None]


async def edited(store: MemoryStore, base: Manifest, edits: Edits) -> Edited:
    async def stream() -> AsyncGenerator[Edit]:
        for key in sorted(edits):
            yield Edit(key, edits[key])

    writer = ChunkWriter(store.snapshots, base.folder)
    editor = TreeEditor(Base(store.snapshots, base), sorted(edits), writer, SegmentStore(store.snapshots, base.folder))
    return await editor.merge(stream())


def after(lines: dict[str, bytes], edits: Edits) -> dict[str, bytes]:
    merged: dict[str, bytes | None] = {**lines, **edits}
    return {key: line for key, line in merged.items() if line is not None}


async def shape(store: MemoryStore, tree: Tree) -> list[tuple[int, list[tuple[str, str]]]]:
    """Return the whole tree, each level's entries by hash and last key."""
    reader = TreeReader(store.snapshots, FOLDER)
    found = [(tree.level, [(entry.sha256, entry.last) for entry in tree.entries])]
    for level in range(tree.level, 0, -1):
        below = [(node.sha256, node.last) async for node in reader.nodes(tree, level)]
        found.append((level - 1, below))
    found.append((0, [(chunk.sha256, chunk.last) async for some in reader.chunks(tree) for chunk in some]))
    return found


async def assert_merges(lines: dict[str, bytes], edits: Edits, bits: int = BITS) -> Edited:
    store, other = MemoryStore(), MemoryStore()
    base, _ = await write_snapshot(store.snapshots, lines, bits=bits)
    result = await edited(store, base, edits)
    wanted = after(lines, edits)
    whole, _ = await write_snapshot(other.snapshots, wanted, bits=bits)
    sums = result.tree.count, result.tree.documents, result.tree.bytes
    assert sums == (whole.tree.count, whole.tree.documents, whole.tree.bytes)
    assert result.digest == content_digest(wanted.values()) == whole.content_digest
    chunks = [chunk.sha256 for chunk in await chunk_list(store, result.tree)]
    assert chunks == [chunk.sha256 for chunk in await chunk_list(other, whole.tree)]
    assert result.tree.level == whole.tree.level
    lasts = [[last for _sha, last in entries] for _level, entries in await shape(store, result.tree)]
    assert lasts == [[last for _sha, last in entries] for _level, entries in await shape(other, whole.tree)]
    return result


async def chunk_list(store: MemoryStore, tree: Tree) -> list[Chunk]:
    return [chunk async for some in TreeReader(store.snapshots, FOLDER).chunks(tree) for chunk in some]


histories = st.tuples(
    st.sets(st.integers(0, 1200), max_size=700),
    st.dictionaries(st.integers(0, 1300), st.sampled_from(["changed", "gone"]), max_size=60),
)


@given(histories, st.integers(0, 2))
@settings(max_examples=60, deadline=None)
async def test_the_tree_is_the_one_that_all_documents_give(history: tuple[set[int], dict[int, str]], bits: int) -> None:
    numbers, changes = history
    edits: dict[str, bytes | None] = {}
    for number, what in changes.items():
        key, line = document(number, " changed")
        edits[key] = line if what == "changed" else None
    await assert_merges(documents(numbers), edits, bits)


@pytest.mark.parametrize("seed", range(6))
async def test_the_tree_of_a_larger_index_is_the_one_that_all_documents_give(seed: int) -> None:
    rng = random.Random(seed)
    numbers = rng.sample(range(20_000), 6_000)
    edits: dict[str, bytes | None] = {}
    for number in rng.sample(range(20_000), rng.choice([1, 5, 40, 400])):
        key, line = document(number, " changed")
        edits[key] = line if rng.random() < 0.6 else None
    await assert_merges(documents(numbers), edits)


async def test_a_stretch_that_is_deleted_takes_its_segments_with_it() -> None:
    lines = documents(range(6_000))
    gone: dict[str, bytes | None] = dict.fromkeys(documents(range(900, 5_990)))
    await assert_merges(lines, gone)
    await assert_merges(lines, dict.fromkeys(lines))


async def test_many_documents_after_the_last_key_and_within_one_gap_are_added() -> None:
    lines = documents([*range(500), 60_000])
    await assert_merges(lines, dict(documents(range(500, 3_700))))
    await assert_merges(documents(range(500)), dict(documents(range(500, 3_700))))
    await assert_merges({}, dict(documents(range(900))))


async def test_no_change_changes_nothing_and_stores_nothing() -> None:
    store = MemoryStore()
    lines = documents(range(3_000))
    base, _ = await write_snapshot(store.snapshots, lines, bits=BITS)
    before = [blob.name async for blob in store.snapshots.list("")]
    same = {key: lines[key] for key in list(lines)[::300]}
    for edits in ({}, same, dict.fromkeys(["hotel-00000x", "zzz"])):
        result = await edited(store, base, edits)
        assert (result.tree, result.digest) == (base.tree, base.content_digest)
        assert result.added.stored == 0
    assert [blob.name async for blob in store.snapshots.list("")] == before


async def test_what_no_change_lies_in_is_not_read() -> None:
    """One change of 20,000 documents: a segment of each level and a chunk are read, and no pack is named but theirs."""
    store = MemoryStore()
    lines = documents(range(20_000))
    base, _ = await write_snapshot(store.snapshots, lines, bits=BITS, pack_bytes=100_000)
    assert base.tree.level >= 2
    reads: list[int] = []
    read_range = store.snapshots.read_range

    async def watched(name: str, offset: int, length: int) -> bytes:
        reads.append(length)
        return await read_range(name, offset, length)

    store.snapshots.read_range = watched  # type: ignore[method-assign]  # what crosses to the store is watched
    key, line = document(9_000, " changed")
    result = await edited(store, base, {key: line})
    assert len(reads) <= base.tree.level + 1
    assert len(result.used.chunks) <= 3
    assert result.tree.documents == 20_000


async def test_a_damaged_chunk_of_the_base_is_refused() -> None:
    store = MemoryStore()
    lines = documents(range(300))
    base, _ = await write_snapshot(store.snapshots, lines, bits=BITS)
    pack = next(name for name in [blob.name async for blob in store.snapshots.list("")] if "/packs/" in name)
    data = await store.snapshots.read(pack, 10**8)
    await store.snapshots.delete(pack)
    await store.snapshots.create(pack, bytes(len(data)))
    key, line = document(7, " changed")
    with pytest.raises(IntegrityError):
        await edited(store, base, {key: line})


class TestSharing:
    async def test_a_segment_within_another_is_refused(self) -> None:
        store = MemoryStore()
        chunks = chunks_for(range(3000))
        tree, _ = await write_tree(store.snapshots, chunks)
        assert tree.level >= 1

        async def keep(_pack: object) -> None:
            return None

        writer = TreeWriter(keep, 2, least_level=tree.level)
        await writer.add(next(each for each in chunks if not ends_chunk(each.last, 7)))
        node = tree.entries[1]
        assert isinstance(node, Node)
        with pytest.raises(AccountingError, match="within another"):
            await writer.share(node, tree.level)

    async def test_all_segments_of_the_root_make_the_same_tree(self) -> None:
        store = MemoryStore()
        tree, _ = await write_tree(store.snapshots, chunks_for(range(3000)))

        async def refuse(_pack: object) -> None:
            raise AssertionError

        writer = TreeWriter(refuse, 2, least_level=tree.level)
        for node in tree.nodes:
            await writer.share(node, tree.level)
        assert await writer.finish() == tree


async def test_documents_come_in_the_order_of_the_base() -> None:
    store = MemoryStore()
    lines = documents(range(50))
    base, _ = await write_snapshot(store.snapshots, lines, bits=BITS)
    opened = Base(store.snapshots, base)
    chunks = await chunk_list(store, base.tree)
    for _ in range(2):
        async with aclosing(opened.documents(chunks[::2])) as reading:
            assert [chunk async for chunk, _documents in reading] == chunks[::2]


async def test_large_documents_within_one_gap_take_little_memory() -> None:
    store = MemoryStore()
    base, _ = await write_snapshot(store.snapshots, documents(range(0, 2000, 1000)), bits=BITS)
    keys = [key for key, _line in documents(range(1, 600)).items()]

    async def large() -> AsyncGenerator[Edit]:
        for key in keys:
            yield Edit(key, b'{"HotelId":"%s","Text":"%s"}' % (key.encode(), b"x" * 200_000))

    writer = ChunkWriter(store.snapshots, base.folder)
    editor = TreeEditor(Base(store.snapshots, base), keys, writer, SegmentStore(store.snapshots, base.folder))
    with taking_at_most(64):
        result = await editor.merge(large())
    assert result.tree.documents == len(keys) + 2
