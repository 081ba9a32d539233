"""Which members are alive, in memory that many chunks fit into."""

import sys
import time

import pytest

from indexvault.errors import IntegrityError
from indexvault.snapshots.live_members import LiveMembers
from indexvault.snapshots.locations import Location, encode_locations
from indexvault.snapshots.member_marks import MemberMarks
from indexvault.snapshots.names import PackName
from indexvault.snapshots.packs import PACK_LIMIT, PACK_TARGET
from tests.memory_store import MemoryStore
from tests.snapshots.trees import FOLDER, PACK, chunks_for, write_tree

OTHER, THIRD = "cd" * 32, "ef" * 32


def test_members_are_marked_once() -> None:
    marks = MemberMarks()
    assert marks.mark(Location(0, PACK, 0, 64))
    assert marks.mark(Location(0, PACK, 64, 100))
    assert not marks.mark(Location(0, PACK, 64, 100))
    assert (marks.size(PACK), marks.bits(PACK).bit_count(), marks.total) == (164, 2, 164)
    assert [marks.has(PACK, offset) for offset in (0, 64, 128, 1 << 40)] == [True, True, False, False]
    assert not marks.has(OTHER, 0)
    assert OTHER not in marks


def test_a_member_beyond_any_pack_takes_no_memory() -> None:
    with pytest.raises(IntegrityError, match="can't begin"):
        MemberMarks().mark(Location(0, PACK, PACK_LIMIT, 100))


@pytest.mark.parametrize("numbers", [range(20), range(4000)])
async def test_all_that_a_tree_names_is_alive(numbers: range) -> None:
    store = MemoryStore()
    chunks = chunks_for(numbers)
    tree, used = await write_tree(store.snapshots, chunks)
    live = LiveMembers(store.snapshots, FOLDER.service, FOLDER.index)
    await live.walk("", tree)
    assert live.number(PackName("packs", FOLDER, PACK)) == len(chunks)
    assert live.size(PackName("packs", FOLDER, PACK)) == sum(chunk.stored for chunk in chunks)
    for pack in used.segments:
        assert live.number(PackName("segments", FOLDER, pack)) > 0
    before = live.named_bytes
    await live.walk("", tree)
    assert live.named_bytes == before


async def test_what_moved_is_alive_where_it_lies_now() -> None:
    store = MemoryStore()
    chunks = chunks_for(range(400))
    tree, _ = await write_tree(store.snapshots, chunks)
    for old, new in ((PACK, OTHER), (OTHER, THIRD)):
        record = [Location(chunk.offset, new, chunk.offset, chunk.stored) for chunk in chunks]
        await store.snapshots.create(FOLDER.locations(old), encode_locations(record))
    live = LiveMembers(store.snapshots, FOLDER.service, FOLDER.index)
    await live.walk("", tree)
    first, second, third = (PackName("packs", FOLDER, pack) for pack in (PACK, OTHER, THIRD))
    await live.resolve([PackName("locations", FOLDER, PACK)])
    assert (live.number(second), live.number(third)) == (len(chunks), 0)
    await live.resolve([PackName("locations", FOLDER, pack) for pack in (PACK, OTHER)])
    assert [live.number(pack) for pack in (first, second, third)] == [len(chunks)] * 3
    assert [live.is_superseded(pack) for pack in (first, second, third)] == [True, True, False]
    assert [live.hops(pack) for pack in (first, second, third)] == [0, 1, 2]


async def test_records_that_lead_in_a_circle_lead_nowhere() -> None:
    store = MemoryStore()
    chunks = chunks_for(range(20))
    tree, _ = await write_tree(store.snapshots, chunks)
    live = LiveMembers(store.snapshots, FOLDER.service, FOLDER.index)
    await live.walk("", tree)
    for old, new in ((PACK, OTHER), (OTHER, PACK)):
        record = [Location(chunk.offset, new, chunk.offset, chunk.stored) for chunk in chunks]
        await store.snapshots.create(FOLDER.locations(old), encode_locations(record))
    await live.resolve([PackName("locations", FOLDER, pack) for pack in (PACK, OTHER)])
    assert not live.are_there({})
    whole = max(chunk.offset + chunk.stored for chunk in chunks)
    assert not live.are_there({FOLDER.pack(OTHER): whole - 1})
    assert live.are_there({FOLDER.pack(OTHER): whole})
    assert live.are_there({FOLDER.pack(PACK): whole})


@pytest.mark.slow
def test_ten_million_chunks_take_some_tens_of_megabytes() -> None:
    stored, number = 3000, 10_000_000
    packs = [f"{pack:064x}" for pack in range(number * stored // PACK_TARGET + 1)]
    began = time.monotonic()
    marks = MemberMarks()
    for name in packs:
        for offset in range(0, PACK_TARGET, stored):
            marks.mark(Location(0, name, offset, stored))
    assert sum(marks.bits(name).bit_count() for name in packs) >= number - len(packs)
    size = sum(sys.getsizeof(each) for each in marks._bits.values()) + sys.getsizeof(marks._bits)
    assert size < 80 * 1024 * 1024, f"{size:,} bytes in {time.monotonic() - began:.0f} s"
