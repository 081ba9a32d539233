import asyncio
from contextlib import aclosing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexvault.errors import IntegrityError
from indexvault.snapshots.chunks import CHUNK_CAP, Chunk
from indexvault.snapshots.reader import MOST_AHEAD, read_ahead


def chunk(number: int, size: int = 1) -> Chunk:
    return Chunk(sha256="0" * 64, first=f"{number:04}", last=f"{number:04}", documents=1, bytes=size, stored=1)


@given(st.lists(st.integers(1, CHUNK_CAP + 10), max_size=30), st.integers(0, 3))
async def test_chunks_come_in_order_and_few_bytes_are_under_way(sizes: list[int], turns: int) -> None:
    under_way: list[Chunk] = []

    async def read(one: Chunk) -> str:
        under_way.append(one)
        assert len(under_way) <= MOST_AHEAD
        assert len(under_way) == 1 or sum(each.bytes for each in under_way) <= CHUNK_CAP
        for _ in range(turns):
            await asyncio.sleep(0)
        under_way.remove(one)
        return one.first

    chunks = [chunk(number, size) for number, size in enumerate(sizes)]
    async with aclosing(read_ahead(chunks, read)) as reading:
        assert [(one, result) async for one, result in reading] == [(one, one.first) for one in chunks]


async def test_an_error_comes_at_its_chunk_and_stops_the_rest() -> None:
    stopped = 0

    async def read(one: Chunk) -> None:
        nonlocal stopped
        if one.first == "0001":
            raise IntegrityError("damaged", on="0001", do="x")
        if one.first > "0001":
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                stopped += 1
                raise

    seen = []
    async with aclosing(read_ahead([chunk(number) for number in range(5)], read)) as reading:
        with pytest.raises(IntegrityError):  # noqa: PT012 - the loop itself is what raises
            async for one, _none in reading:
                seen.append(one.first)
    assert seen == ["0000"]
    assert stopped == 3
