"""Members read back: in windows, in order, over holes, through records of locations, from replicas."""

import hashlib
from collections.abc import Sequence
from contextlib import aclosing
from itertools import batched

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexvault.errors import IntegrityError, NotFoundError
from indexvault.snapshots.chunks import Chunk
from indexvault.snapshots.fetch import LARGEST_SPAN, MOST_HOLE, StoredMember, fetch_members, spans_of
from indexvault.snapshots.fetch import WantedMember as Wanted
from indexvault.snapshots.locations import Location, encode_locations
from indexvault.snapshots.pack_store import store_pack
from indexvault.snapshots.packs import Packer, member
from indexvault.snapshots.reader import as_bytes, read_chunk, read_chunks, try_chunks
from indexvault.snapshots.replicas import ReplicaBlobs
from tests.memory_store import MemoryStore
from tests.snapshots.trees import FOLDER, rewrite_pack


def contents(numbers: range) -> dict[str, bytes]:
    return {f"{number:05}": f'{{"id":"{number:05}","text":"{"x" * (number % 50)}"}}\n'.encode() for number in numbers}


async def stored(store: MemoryStore, lines: dict[str, bytes], *, packs: int = 3) -> list[Chunk]:
    """Store a chunk for each line, the chunks dealt out to some packs."""
    packers = [Packer() for _ in range(packs)]
    hashes = {key: hashlib.sha256(data).hexdigest() for key, data in lines.items()}
    for at, (key, data) in enumerate(lines.items()):
        packers[at % packs].add(hashes[key], member(hashes[key], data))
    made = [pack for packer in packers if (pack := packer.finish()) is not None]
    places = {each.sha256: (pack.name, each) for pack in made for each in pack.members}
    for pack in made:
        await store_pack(store.snapshots, FOLDER.pack, pack)
    return [
        Chunk(hashes[key], key, key, 1, len(data)).placed(
            places[hashes[key]][0], places[hashes[key]][1].offset, places[hashes[key]][1].stored
        )
        for key, data in lines.items()
    ]


async def everything(store: MemoryStore, chunks: Sequence[Chunk], *, window: int = 1000) -> list[bytes]:
    async with aclosing(
        read_chunks(store.snapshots, FOLDER, batched(chunks, 7, strict=False), as_bytes, window=window)
    ) as reading:
        return [data async for _chunk, data in reading]


class TestSpans:
    def test_neighbours_are_read_together_and_far_ones_apart(self) -> None:
        members = [
            Wanted(0, "b", 0, 100),
            Wanted(1, "a", 100, 100),
            Wanted(2, "a", 0, 100),
            Wanted(3, "a", 200 + MOST_HOLE, 100),
            Wanted(4, "a", 301 + 2 * MOST_HOLE, 100),
        ]
        spans = spans_of(members)
        assert [(span.pack, span.start, span.end) for span in spans] == [
            ("a", 0, 300 + MOST_HOLE),
            ("a", 301 + 2 * MOST_HOLE, 401 + 2 * MOST_HOLE),
            ("b", 0, 100),
        ]
        assert [[each.position for each in span.members] for span in spans] == [[2, 1, 3], [4], [0]]

    @given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 1 << 26), st.integers(64, 1 << 20)), max_size=40))
    def test_every_member_is_in_one_span(self, members: list[tuple[str, int, int]]) -> None:
        wanted = [Wanted(at, pack, offset, stored) for at, (pack, offset, stored) in enumerate(members)]
        spans = spans_of(wanted)
        assert sorted(each.position for span in spans for each in span.members) == list(range(len(members)))
        for span in spans:
            assert all(span.start <= each.offset and each.until <= span.end for each in span.members)
            assert span.end - span.start <= LARGEST_SPAN or len(span.members) == 1


class TestReading:
    @settings(max_examples=20)
    @given(st.integers(0, 60), st.integers(1, 5), st.integers(1, 5000))
    async def test_chunks_come_in_order_whatever_their_packs(self, count: int, packs: int, window: int) -> None:
        store = MemoryStore()
        lines = contents(range(count))
        chunks = await stored(store, lines, packs=packs)
        assert await everything(store, chunks, window=window) == list(lines.values())

    async def test_packs_of_which_little_is_needed_are_one_request_for_several_windows(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        store = MemoryStore()
        lines = contents(range(400))
        scattered = {key: line for at, (key, line) in enumerate(lines.items()) if at % 20 == 0}
        chunks = await stored(store, {key: line for key, line in lines.items() if key not in scattered}, packs=1)
        chunks = sorted([*chunks, *await stored(store, scattered, packs=5)], key=lambda chunk: chunk.first)
        asked: list[str] = []
        held: list[int] = []
        read_range = store.snapshots.read_range

        async def counted(name: str, offset: int, length: int) -> bytes:
            asked.append(name)
            held.append(length)
            return await read_range(name, offset, length)

        monkeypatch.setattr(store.snapshots, "read_range", counted)
        window = sum(chunk.stored for chunk in chunks) // 6
        assert await everything(store, chunks, window=window) == list(lines.values())
        # The large pack once in each of its windows, the others once.
        assert len(asked) <= 7 + 5
        assert max(held) < 1.2 * window

    async def test_a_pack_is_one_request_a_window(self, monkeypatch: pytest.MonkeyPatch) -> None:
        store = MemoryStore()
        lines = contents(range(200))
        chunks = await stored(store, lines, packs=4)
        asked: list[str] = []
        read_range = store.snapshots.read_range

        async def counted(name: str, offset: int, length: int) -> bytes:
            asked.append(name)
            return await read_range(name, offset, length)

        monkeypatch.setattr(store.snapshots, "read_range", counted)
        assert await everything(store, chunks, window=1 << 20) == list(lines.values())
        assert len(asked) == len(set(asked)) == 4

    async def test_an_error_comes_at_its_chunk(self) -> None:
        store = MemoryStore()
        lines = contents(range(30))
        chunks = await stored(store, lines)
        await damage(store, chunks[10])
        seen: list[str] = []
        with pytest.raises(IntegrityError) as caught:  # noqa: PT012 - the loop itself is what raises
            async with aclosing(read_chunks(store.snapshots, FOLDER, [chunks], as_bytes)) as reading:
                async for chunk, _data in reading:
                    seen.append(chunk.first)
        assert seen == list(lines)[:10]
        assert caught.value.on == FOLDER.pack(chunks[10].pack)

    async def test_what_is_wrong_can_be_passed_over(self) -> None:
        store = MemoryStore()
        lines = contents(range(30))
        chunks = await stored(store, lines)
        await damage(store, chunks[10])
        gone = chunks[11].pack
        await store.snapshots.delete(FOLDER.pack(gone))
        async with aclosing(try_chunks(store.snapshots, FOLDER, [chunks], as_bytes)) as reading:
            got = {chunk.first: data async for chunk, data in reading}
        assert isinstance(got["00010"], IntegrityError)
        for chunk in chunks:
            if chunk.pack == gone:
                assert isinstance(got[chunk.first], NotFoundError)
            elif chunk is not chunks[10]:
                assert got[chunk.first] == lines[chunk.first]

    async def test_a_pack_that_was_cut_short_keeps_what_is_whole(self) -> None:
        store = MemoryStore()
        lines = contents(range(30))
        chunks = await stored(store, lines, packs=1)
        name = FOLDER.pack(chunks[0].pack)
        data = await store.snapshots.read(name, 1 << 30)
        await store.snapshots.delete(name)
        await store.snapshots.create(name, data[: chunks[20].offset + 10])
        found = await fetch_members(store.snapshots, FOLDER, FOLDER.pack, chunks)
        assert [isinstance(each, StoredMember) for each in found] == [True] * 20 + [False] * 10

    async def test_a_member_holds_no_holes_that_were_read_over(self) -> None:
        store = MemoryStore()
        chunks = await stored(store, contents(range(30)), packs=1)
        together = await fetch_members(store.snapshots, FOLDER, FOLDER.pack, chunks)
        apart = await fetch_members(store.snapshots, FOLDER, FOLDER.pack, chunks[::2])
        assert [each.data for each in together[::2] if isinstance(each, StoredMember)] == [
            each.data for each in apart if isinstance(each, StoredMember)
        ]
        assert {type(each.data) for each in together if isinstance(each, StoredMember)} == {memoryview}
        assert {type(each.data) for each in apart if isinstance(each, StoredMember)} == {bytes}

    async def test_nothing_is_read_after_it_was_closed(self) -> None:
        store = MemoryStore()
        chunks = await stored(store, contents(range(100)))
        async with aclosing(read_chunks(store.snapshots, FOLDER, [chunks], as_bytes, window=500)) as reading:
            await anext(reading)


class TestLocations:
    async def test_what_was_rewritten_is_read_where_it_lies_now(self) -> None:
        store = MemoryStore()
        lines = contents(range(30))
        chunks = await stored(store, lines)
        second = await rewrite_pack(store.snapshots, FOLDER, chunks[4].pack)
        assert await everything(store, chunks) == list(lines.values())
        await rewrite_pack(store.snapshots, FOLDER, second.name, first=3)
        assert await everything(store, chunks) == list(lines.values())
        assert await read_chunk(store.snapshots, FOLDER, chunks[4]) == lines["00004"]

    async def test_records_that_lead_in_a_circle_end(self) -> None:
        store = MemoryStore()
        chunks = await stored(store, contents(range(3)), packs=1)
        await store.snapshots.delete(FOLDER.pack(chunks[0].pack))
        circle = [Location(chunk.offset, chunk.pack, chunk.offset, chunk.stored) for chunk in chunks]
        await store.snapshots.create(FOLDER.locations(chunks[0].pack), encode_locations(circle))
        with pytest.raises(IntegrityError, match="locations"):
            await read_chunk(store.snapshots, FOLDER, chunks[0])

    async def test_a_record_is_not_believed(self) -> None:
        store = MemoryStore()
        chunks = await stored(store, contents(range(30)))
        one, other = chunks[0], chunks[1]
        await store.snapshots.delete(FOLDER.pack(one.pack))
        lie = encode_locations([Location(one.offset, other.pack, other.offset, other.stored)])
        await store.snapshots.create(FOLDER.locations(one.pack), lie)
        with pytest.raises(IntegrityError):
            await read_chunk(store.snapshots, FOLDER, one)

    @pytest.mark.parametrize("record", [b"", b"x", encode_locations([])[:-3], encode_locations([]) + b"x"])
    async def test_a_record_that_is_none_is_named(self, record: bytes) -> None:
        store = MemoryStore()
        chunks = await stored(store, contents(range(3)), packs=1)
        await store.snapshots.delete(FOLDER.pack(chunks[0].pack))
        await store.snapshots.create(FOLDER.locations(chunks[0].pack), record)
        with pytest.raises(IntegrityError) as caught:
            await read_chunk(store.snapshots, FOLDER, chunks[0])
        assert caught.value.on == FOLDER.locations(chunks[0].pack)


class TestReplicas:
    async def test_the_first_sound_copy_is_used(self) -> None:
        one, other = MemoryStore(), MemoryStore()
        lines = contents(range(30))
        chunks = await stored(one, lines)
        await stored(other, lines)
        await damage(one, chunks[3])
        await one.snapshots.delete(FOLDER.pack(chunks[4].pack))
        await damage(other, chunks[5])
        both = ReplicaBlobs([one, other])
        async with aclosing(read_chunks(both, FOLDER, [chunks], as_bytes)) as reading:
            assert [data async for _chunk, data in reading] == list(lines.values())


async def damage(store: MemoryStore, chunk: Chunk) -> None:
    """Flip a bit in the middle of a chunk's member."""
    name = FOLDER.pack(chunk.pack)
    data = bytearray(await store.snapshots.read(name, 1 << 30))
    data[chunk.offset + chunk.stored // 2] ^= 1
    await store.snapshots.delete(name)
    await store.snapshots.create(name, bytes(data))
