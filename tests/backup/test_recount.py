import asyncio
import itertools
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from indexvault.backup.recount import ROUNDS, Reread, settle, subranges
from indexvault.search.scan import KeyRange
from indexvault.snapshots.chunk_writer import StoredChunk
from indexvault.snapshots.chunks import ChunkCutter, ends_chunk

BITS = 2
WHOLE = KeyRange(None, None)


def cut(keys: Sequence[str]) -> list[StoredChunk]:
    cutter = ChunkCutter(BITS)
    sealed = [cutter.add(key, key.encode()) for key in keys] + [cutter.finish()]
    return [StoredChunk(chunk=each.chunk, total=each.total, added=True) for each in sealed if each is not None]


def within(keys: Sequence[str], bounds: KeyRange) -> list[str]:
    return [
        key
        for key in keys
        if (bounds.after is None or key > bounds.after) and (bounds.until is None or key <= bounds.until)
    ]


class Index:
    """Keys that a service holds, and what it was asked."""

    def __init__(self, keys: Sequence[str]) -> None:
        self.keys = keys
        self.counts = 0
        self.read: list[KeyRange] = []

    async def count(self, bounds: KeyRange) -> int:
        self.counts += 1
        return len(within(self.keys, bounds))

    async def read_keys(self, bounds: KeyRange) -> Reread:
        self.read.append(bounds)
        return Reread(cut(within(self.keys, bounds)), counted=None)


def keys_of(stored: Sequence[StoredChunk]) -> int:
    return sum(entry.chunk.documents for entry in stored)


@given(st.lists(st.text("abcdef", min_size=1, max_size=4), unique=True).map(sorted))
def test_subranges_cover_the_range_and_end_where_chunks_end(keys: list[str]) -> None:
    found = subranges(WHOLE, cut(keys), BITS)
    assert [entry for subrange in found for entry in subrange.stored] == cut(keys)
    assert found[0].keys.after is None
    assert found[-1].keys.until is None
    assert all(before.keys.until == after.keys.after for before, after in itertools.pairwise(found))
    assert all(subrange.keys.until is None or ends_chunk(subrange.keys.until, BITS) for subrange in found)
    assert all(subrange.documents == len(within(keys, subrange.keys)) for subrange in found)


@given(
    st.lists(st.integers(0, 999), unique=True).map(sorted),
    st.lists(st.integers(0, 999), unique=True, max_size=8),
)
def test_what_was_missed_is_read_again_and_only_where_it_was_missed(there: list[int], missed: list[int]) -> None:
    keys = [f"{number:03}" for number in there]
    read = [key for key in keys if int(key) not in missed]
    index = Index(keys)
    settled = asyncio.run(settle(WHOLE, cut(read), BITS, count=index.count, read=index.read_keys))
    assert keys_of(settled.stored) == len(keys)
    assert settled.again == len(index.read) <= len(set(missed) & set(there))
    assert all(set(within(keys, bounds)) - set(read) for bounds in index.read)
    lasts = [entry.chunk.last for entry in settled.stored]
    assert lasts == sorted(lasts)


async def test_a_range_that_agrees_costs_one_question() -> None:
    index = Index([f"{number:03}" for number in range(500)])
    await settle(WHOLE, cut(index.keys), BITS, count=index.count, read=index.read_keys)
    assert (index.counts, index.read) == (1, [])


async def test_a_count_in_the_same_answer_settles_what_changes_all_the_time() -> None:
    index = Index(["a", "b"])

    async def moving(_bounds: KeyRange) -> int:
        index.counts += 1
        return 100 + index.counts

    async def read(bounds: KeyRange) -> Reread:
        again = await index.read_keys(bounds)
        return Reread(again.stored, counted=keys_of(again.stored))

    settled = await settle(WHOLE, cut(["a"]), BITS, count=moving, read=read)
    assert keys_of(settled.stored) == 2


async def test_what_never_agrees_is_left_open_after_some_rounds() -> None:
    index = Index(["a", "b"])

    async def more(bounds: KeyRange) -> int:
        return await index.count(bounds) + 1  # as long as anybody looks

    settled = await settle(WHOLE, cut(["a"]), 0, count=more, read=index.read_keys)
    assert (keys_of(settled.stored), settled.open) == (2, 1)
    assert len(index.read) >= ROUNDS


async def test_fewer_counted_than_read_are_open_too() -> None:
    index = Index(["a", "b"])

    async def fewer(bounds: KeyRange) -> int:
        return max(0, await index.count(bounds) - 1)

    settled = await settle(WHOLE, cut(["a", "b"]), BITS, count=fewer, read=index.read_keys)
    assert (keys_of(settled.stored), settled.open) == (2, 1)


class Patience:
    """Waits so often, and counts the waits."""

    def __init__(self, times: int) -> None:
        self.left = times
        self.waits = 0

    async def __call__(self) -> bool:
        self.left -= 1
        self.waits += self.left >= 0
        return self.left >= 0


async def test_a_count_that_settles_late_is_waited_for() -> None:
    index, patience = Index(["a"]), Patience(10)

    async def late(bounds: KeyRange) -> int:
        return await index.count(bounds) - (patience.waits < 4)

    settled = await settle(WHOLE, cut(["a"]), BITS, count=late, read=index.read_keys, wait=patience)
    assert keys_of(settled.stored) == 1
    assert patience.waits == 4


async def test_waiting_ends() -> None:
    index, patience = Index(["a"]), Patience(3)

    async def never(bounds: KeyRange) -> int:
        return await index.count(bounds) + 1

    settled = await settle(WHOLE, cut(["a"]), BITS, count=never, read=index.read_keys, wait=patience)
    assert (settled.open, patience.waits) == (1, 3)
