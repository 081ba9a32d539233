import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexvault.backup.external_sort import SortedRun, SortedRunStore, Sorter, merge, run_name
from indexvault.backup.limits import Limits
from indexvault.errors import IntegrityError
from indexvault.search.page import Document
from tests.memory_store import MemoryStore

SMALL = Limits(sorted_run_bytes=200, segment_bytes=90, merged_at_once=3, merged_page=5)
KEYS = st.lists(st.text("abcXYZ019-_=", min_size=1, max_size=4), max_size=80)


def documents(keys: Sequence[str]) -> list[Document]:
    return [Document(key, b'{"id":"%s","v":"%s"}' % (key.encode(), b"x" * 20)) for key in keys]


async def sorted_through(keys: Sequence[str], page: int, store: MemoryStore) -> list[str]:
    sorted_store = SortedRunStore(store.runs, "run", "id", SMALL)
    sorter = Sorter(sorted_store, "set")
    for start in range(0, len(keys), page):
        await sorter.add(documents(keys[start : start + page]))
    await sorter.finish()
    runs: dict[str, SortedRun] = {run_name("set", number): run for number, run in enumerate(sorter.runs)}
    return [document.key async for page in merge(sorted_store, runs, name="merging") for document in page]


@given(KEYS, st.integers(1, 9))
def test_documents_come_out_in_key_order_each_key_once(keys: list[str], page: int) -> None:
    assert asyncio.run(sorted_through(keys, page, MemoryStore("local"))) == sorted(set(keys))


async def test_all_that_is_set_aside_goes_with_the_records_of_the_run() -> None:
    store = MemoryStore("local")
    await sorted_through([f"{number:03}" for number in range(60)], 7, store)
    names = [blob.name async for blob in store.runs.list("")]
    assert names
    assert all(name.startswith("runs/run/") for name in names)


async def test_a_segment_that_changed_or_went_is_no_document() -> None:
    store = MemoryStore("local")
    sorted_store = SortedRunStore(store.runs, "run", "id", SMALL)
    sorter = Sorter(sorted_store, "set")
    await sorter.add(documents(["a", "b"]))
    await sorter.finish()
    [blob] = [blob.name async for blob in store.runs.list("")]
    await store.runs.put(blob, b"something else")
    with pytest.raises(IntegrityError):
        await anext(merge(sorted_store, {run_name("set", 0): sorter.runs[0]}, name="merging"))
    await store.runs.delete(blob)
    with pytest.raises(IntegrityError, match="are gone"):
        await anext(merge(sorted_store, {run_name("set", 0): sorter.runs[0]}, name="merging"))
