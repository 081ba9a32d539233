"""Trees: written, walked, compared."""

import random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexvault.errors import IntegrityError, NotFoundError
from indexvault.snapshots.chunks import Chunk
from indexvault.snapshots.tree import (
    ROOT_ENTRIES,
    SEGMENT_ENTRIES,
    Tree,
    decode_segment,
    encode_segment,
    ends_segment,
    node_of,
    tree_fault,
)
from indexvault.snapshots.tree_difference import differing
from indexvault.snapshots.tree_keys import chunks_with_keys
from indexvault.snapshots.tree_reader import TreeReader, within
from tests.memory_store import MemoryStore
from tests.snapshots.trees import FOLDER, chunks_for, read_tree, write_overlapping_tree, write_tree

BLOB = "contoso-east/hotels/segments/x.jsonl.gz"
MANY = 20_000
"""Documents for a tree of three levels: 5,000 chunks, 160 segments."""

sets = st.sets(st.integers(0, 3000), max_size=600)


class TestWriting:
    async def test_what_the_previous_tree_lists_wrongly_is_not_taken_over(self) -> None:
        store = MemoryStore()
        chunks = chunks_for(range(600))
        tree, _ = await write_tree(store.snapshots, chunks)
        lying = msgspec.structs.replace(
            tree, nodes=tuple(msgspec.structs.replace(node, documents=1, chunks_stored=1) for node in tree.nodes)
        )
        again, _ = await write_tree(store.snapshots, chunks, previous=lying)
        assert again == tree

    async def test_a_small_index_has_no_segments(self) -> None:
        store = MemoryStore()
        chunks = chunks_for(range(60))[:ROOT_ENTRIES]
        tree, used = await write_tree(store.snapshots, chunks)
        assert tree == Tree(chunks=tuple(chunks))
        assert not used.segments
        assert [blob async for blob in store.snapshots.list("")] == []

    async def test_an_empty_index_has_an_empty_tree(self) -> None:
        tree, _used = await write_tree(MemoryStore().snapshots, [])
        assert tree == Tree()
        assert tree_fault(tree) is None

    @pytest.mark.parametrize("documents", [300, 3000, MANY])
    async def test_what_is_written_is_read(self, documents: int) -> None:
        store = MemoryStore()
        chunks = chunks_for(range(documents))
        tree, used = await write_tree(store.snapshots, chunks)
        assert await read_tree(store.snapshots, tree) == chunks
        assert len(tree.entries) <= ROOT_ENTRIES
        assert tree_fault(tree) is None
        sums = tree.count, tree.documents, tree.bytes, tree.stored
        assert sums == (len(chunks), documents, 100 * documents, 100 * len(chunks))
        listed = {blob.name: blob.size async for blob in store.snapshots.list(FOLDER.prefix("segments"))}
        assert {FOLDER.segments(pack): size for pack, size in used.segments.items()} == listed
        assert len(listed) == tree.level
        assert set(used.chunks) == {"ab" * 32}

    async def test_an_unchanged_tree_writes_nothing(self) -> None:
        store = MemoryStore()
        chunks = chunks_for(range(MANY))
        tree, used = await write_tree(store.snapshots, chunks)
        before = [blob async for blob in store.snapshots.list("")]
        again, used_again = await write_tree(store.snapshots, chunks, previous=tree)
        assert again == tree
        assert (used_again.chunks, used_again.segments) == (used.chunks, used.segments)
        assert [blob async for blob in store.snapshots.list("")] == before

    async def test_a_change_writes_the_path_to_the_root(self) -> None:
        store = MemoryStore()
        chunks = chunks_for(range(MANY))
        tree, _used = await write_tree(store.snapshots, chunks)
        reader = TreeReader(store.snapshots, FOLDER)
        there = {node for level in (1, 2) for node in [each async for each in reader.nodes(tree, level)]}
        changed = [*chunks[:777], msgspec.structs.replace(chunks[777], sha256="cd" * 32), *chunks[778:]]
        other, _used = await write_tree(store.snapshots, changed, previous=tree)
        now = {node for level in (1, 2) for node in [each async for each in reader.nodes(other, level)]}
        assert tree.level == other.level == 2
        assert (len(there - now), len(now - there)) == (2, 2)
        assert await read_tree(store.snapshots, other) == changed

    @settings(max_examples=50)
    @given(sets, st.sets(st.integers(0, 3000), max_size=5), st.sets(st.integers(0, 3000), max_size=5))
    async def test_the_tree_follows_from_the_chunks_alone(
        self, numbers: set[int], more: set[int], fewer: set[int]
    ) -> None:
        store = MemoryStore()
        before, _used = await write_tree(store.snapshots, chunks_for(numbers, bits=1), bits=1)
        after = chunks_for((numbers | more) - fewer, bits=1)
        built_on_it, _used = await write_tree(store.snapshots, after, bits=1, previous=before)
        alone, _used = await write_tree(store.snapshots, after, bits=1)

        def content(tree: Tree) -> list[tuple[str, str]]:
            return [(entry.sha256, entry.last) for entry in tree.entries]

        assert await read_tree(store.snapshots, built_on_it) == await read_tree(store.snapshots, alone) == after
        if before.level < 2:  # above, hashes cover where what is below lies
            assert content(built_on_it) == content(alone)

    async def test_a_previous_tree_that_is_gone_is_seen_in_the_packs_that_are_used(self) -> None:
        store = MemoryStore()
        chunks = chunks_for(range(MANY))
        tree, _used = await write_tree(store.snapshots, chunks)
        names = [blob.name async for blob in store.snapshots.list("")]
        for name in names:
            await store.snapshots.delete(name)
        _again, used = await write_tree(store.snapshots, chunks, previous=tree)
        there = {blob.name async for blob in store.snapshots.list("")}
        missing = {FOLDER.segments(pack) for pack in used.segments} - there
        assert missing
        assert missing <= set(names)

    async def test_segments_have_a_cap(self) -> None:
        store = MemoryStore()
        keys = [f"{number:07}" for number in range(60_000) if not ends_segment(f"{number:07}", 0, 0)][:5000]
        chunks = [Chunk(f"{at:064x}", key, key, 1, 10, "ab" * 32, 100 * at, 100) for at, key in enumerate(keys)]
        tree, _used = await write_tree(store.snapshots, chunks, bits=0)
        assert await read_tree(store.snapshots, tree) == chunks
        assert max(node.chunks for node in tree.nodes) == SEGMENT_ENTRIES


class TestWalking:
    @pytest.fixture
    async def stored(self) -> tuple[MemoryStore, Tree, list[Chunk]]:
        store = MemoryStore()
        chunks = chunks_for(range(MANY))
        tree, _used = await write_tree(store.snapshots, chunks)
        return store, tree, chunks

    async def test_ranges_of_keys(self, stored: tuple[MemoryStore, Tree, list[Chunk]]) -> None:
        store, tree, chunks = stored
        reader = TreeReader(store.snapshots, FOLDER)
        rng = random.Random(7)
        for _ in range(40):
            after, until = sorted(rng.sample(range(-1, MANY + 2), 2))
            low, high = f"hotel-{after:07}", f"hotel-{until:07}"
            got = [chunk async for some in reader.chunks(tree, after=low, until=high) for chunk in some]
            assert got == [chunk for chunk in chunks if chunk.last > low and chunk.first <= high]

    async def test_ranges_of_positions(self, stored: tuple[MemoryStore, Tree, list[Chunk]]) -> None:
        store, tree, chunks = stored
        reader = TreeReader(store.snapshots, FOLDER)
        rng = random.Random(8)
        for _ in range(40):
            start, end = sorted(rng.sample(range(len(chunks) + 10), 2))
            got = [chunk async for some in reader.chunks_between(tree, start, end) for chunk in some]
            assert got == chunks[start:end]

    async def test_segments_that_overlap_are_refused_however_they_are_read(self) -> None:
        blobs = MemoryStore().snapshots
        tree, twice = await write_overlapping_tree(blobs, chunks_for(range(600)))
        assert tree.level == 1
        reader = TreeReader(blobs, FOLDER)
        begin = tree.nodes[0].chunks
        for start in (0, begin - 1, begin):  # with the first segment, and without it
            with pytest.raises(IntegrityError, match="not in key order"):
                _ = [some async for some in reader.chunks_between(tree, start, begin + 1)]
        with pytest.raises(IntegrityError, match="not in key order"):
            _ = [some async for some in reader.chunks(tree, after=twice.last)]
        keys = [tree.nodes[1].last]
        with pytest.raises(IntegrityError, match="not in key order"):
            _ = [each async for each in chunks_with_keys(reader, tree, keys)]
        with pytest.raises(IntegrityError, match="not in key order"):
            await reader.find(tree, keys[0], {})

    async def test_a_key_is_found_without_reading_the_rest(
        self, stored: tuple[MemoryStore, Tree, list[Chunk]], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        store, tree, chunks = stored
        asked: list[int] = []
        read_range = store.snapshots.read_range

        async def counted(name: str, offset: int, length: int) -> bytes:
            asked.append(length)
            return await read_range(name, offset, length)

        monkeypatch.setattr(store.snapshots, "read_range", counted)
        key = chunks[1234].first
        reader = TreeReader(store.snapshots, FOLDER)
        (found,) = [chunk async for some in reader.chunks(tree, after=chunks[1233].last, until=key) for chunk in some]
        assert found == chunks[1234]
        assert len(asked) == tree.level
        assert sum(asked) < 40_000

    async def test_what_trees_share_is_walked_once(self, stored: tuple[MemoryStore, Tree, list[Chunk]]) -> None:
        store, tree, chunks = stored
        changed = [*chunks[:777], msgspec.structs.replace(chunks[777], sha256="cd" * 32), *chunks[778:]]
        other, _used = await write_tree(store.snapshots, changed, previous=tree)
        reader = TreeReader(store.snapshots, FOLDER)
        seen: set[bytes] = set()
        first = [entry async for level, some in reader.unseen(tree, seen) if not level for entry in some]
        second = [entry async for level, some in reader.unseen(other, seen) if not level for entry in some]
        assert first == chunks
        assert changed[777] in second
        assert len(second) < 300

    @pytest.mark.parametrize("damage", ["gone", "flipped", "cut"])
    async def test_a_damaged_segment_is_named(self, stored: tuple[MemoryStore, Tree, list[Chunk]], damage: str) -> None:
        store, tree, _chunks = stored
        name = FOLDER.segments([node async for node in TreeReader(store.snapshots, FOLDER).nodes(tree, 1)][5].pack)
        data = await store.snapshots.read(name, 1 << 30)
        await store.snapshots.delete(name)
        half = len(data) // 2
        if damage != "gone":
            changed = data[:half] if damage == "cut" else data[:half] + bytes([data[half] ^ 1]) + data[half + 1 :]
            await store.snapshots.create(name, changed)
        with pytest.raises((IntegrityError, NotFoundError)) as caught:
            await read_tree(store.snapshots, tree)
        assert name in caught.value.on


class TestComparing:
    @settings(max_examples=60)
    @given(one=sets, other=sets, bits=st.integers(0, 3), are_alike=st.booleans())
    async def test_all_that_differs_is_found(
        self, one: set[int], other: set[int], bits: int, *, are_alike: bool
    ) -> None:
        store = MemoryStore()
        if are_alike:
            other = one ^ set(list(other)[:3])
        before, after = chunks_for(one, bits=bits), chunks_for(other, bits=bits)
        left, _used = await write_tree(store.snapshots, before, bits=bits)
        right, _used = await write_tree(store.snapshots, after, bits=bits, previous=left)
        found: dict[str, list[Chunk]] = {"one": [], "other": []}
        reader = TreeReader(store.snapshots, FOLDER)
        async for side, chunks in differing(reader, left, reader, right):
            found[side] += chunks
        hashes = {chunk.sha256 for chunk in before} & {chunk.sha256 for chunk in after}
        for side, chunks in (("one", before), ("other", after)):
            assert found[side] == sorted(set(found[side]), key=lambda chunk: chunk.first)
            assert set(found[side]) <= set(chunks)
            assert [chunk for chunk in found[side] if chunk.sha256 not in hashes] == [
                chunk for chunk in chunks if chunk.sha256 not in hashes
            ]

    async def test_little_is_read_of_what_is_alike(self) -> None:
        store = MemoryStore()
        chunks = chunks_for(range(MANY))
        tree, _used = await write_tree(store.snapshots, chunks)
        changed = [*chunks[:777], msgspec.structs.replace(chunks[777], sha256="cd" * 32), *chunks[778:]]
        other, _used = await write_tree(store.snapshots, changed, previous=tree)
        reader = TreeReader(store.snapshots, FOLDER)
        found = [(side, chunk) async for side, some in differing(reader, tree, reader, other) for chunk in some]
        assert found == [("one", chunks[777]), ("other", changed[777])]

    async def test_the_same_tree_differs_in_nothing(self) -> None:
        store = MemoryStore()
        tree, _used = await write_tree(store.snapshots, chunks_for(range(MANY)))
        for blob in [blob async for blob in store.snapshots.list("")]:
            await store.snapshots.delete(blob.name)
        reader = TreeReader(store.snapshots, FOLDER)
        assert [each async for each in differing(reader, tree, reader, tree)] == []


class TestSegments:
    def test_are_lines_of_arrays(self) -> None:
        chunk = Chunk("ab" * 32, "a", "b", 2, 20, "cd" * 32, 7, 90)
        expected = b'["%s","a","b",2,20,"%s",7,90]\n' % (b"ab" * 32, b"cd" * 32)
        assert encode_segment([chunk]) == expected
        node = node_of([chunk], expected)
        assert encode_segment([node]) == b'["%s","b",1,2,20,90,"",0,0]\n' % node.sha256.encode()

    @pytest.mark.parametrize(
        "data",
        [
            b"",
            b"{}\n",
            b"[]\n",
            b"\xff\n",
            b"[" * 5000,
            b'["%s","a","b",2,20,"%s",7]\n' % (b"ab" * 32, b"cd" * 32),
            b'["%s","b","a",2,20,"%s",7,90]\n' % (b"ab" * 32, b"cd" * 32),
            b'["%s","a","b",0,20,"%s",7,90]\n' % (b"ab" * 32, b"cd" * 32),
            b'["%s","a","b",2,20,"%s",7,90]\n' % (b"ab" * 32, b"../" + b"cd" * 30),
            b'["%s","a","b",2,9999999999,"%s",7,90]\n' % (b"ab" * 32, b"cd" * 32),
            b'["%s","a","b",2,20,"%s",7,90]\n' % (b"ab" * 32, b"cd" * 32) * 2,
        ],
        ids=range(11),
    )
    def test_that_nobody_wrote_are_refused(self, data: bytes) -> None:
        right = Chunk("ab" * 32, "a", "b", 2, 20, "cd" * 32, 7, 90)
        node = msgspec.structs.replace(node_of([right], data))
        with pytest.raises(IntegrityError) as caught:
            decode_segment(node, 1, data, BLOB)
        assert caught.value.on == BLOB

    def test_that_add_up_to_something_else_are_refused(self) -> None:
        chunk = Chunk("ab" * 32, "a", "b", 2, 20, "cd" * 32, 7, 90)
        data = encode_segment([chunk])
        node = node_of([chunk], data)
        assert decode_segment(node, 1, data, BLOB) == [chunk]
        for wrong in ({"last": "c"}, {"chunks": 2}, {"documents": 3}, {"bytes": 21}, {"chunks_stored": 91}):
            with pytest.raises(IntegrityError):
                decode_segment(msgspec.structs.replace(node, **wrong), 1, data, BLOB)

    def test_within_is_what_may_hold_the_keys(self) -> None:
        chunks = chunks_for(range(100))
        assert within(chunks, None, None) == chunks
        assert within(chunks, chunks[-1].last, None) == []
        assert within(chunks, None, "a") == []
        assert within([], "a", "b") == []
