"""What a comparison finds, and which chunks it does not read."""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexvault.errors import ConflictError, NotFoundError
from indexvault.snapshots.diff import DiffTally, DocumentChange, diff_snapshots, diff_spans
from indexvault.snapshots.differing_spans import DifferingSpans
from indexvault.snapshots.manifest import Manifest
from indexvault.snapshots.spans import Span
from indexvault.snapshots.store import SnapshotReader, Store
from tests.memory_store import MemoryStore
from tests.snapshots.samples import MORNING, chunks_of, document, documents, write_snapshot


async def write(store: Store, lines: dict[str, bytes], days: int, **choices: Any) -> Manifest:
    created = MORNING + timedelta(days=days)
    manifest, _ = await write_snapshot(store.snapshots, lines, created=created, run=f"run-{days}", **choices)
    return manifest


async def changes_of(
    blobs: SnapshotReader, before: Manifest, after: Manifest
) -> tuple[list[DocumentChange], DiffTally]:
    tally = DiffTally()
    return [change async for change in diff_snapshots(blobs, before, after, tally)], tally


async def test_added_removed_and_changed_documents_are_found(store: Store) -> None:
    old = documents(range(300))
    new = {key: line for key, line in old.items() if key != document(7)[0]}
    new |= dict([document(150, " b"), document(1000)])
    before, after = await write(store, old, 0), await write(store, new, 1)
    found, tally = await changes_of(store.snapshots, before, after)
    assert found == [
        DocumentChange("removed", *document(7)),
        DocumentChange("changed", document(150)[0], document(150)[1], document(150, " b")[1]),
        DocumentChange("added", document(1000)[0], after=document(1000)[1]),
    ]
    assert (tally.added, tally.removed, tally.changed) == (1, 1, 1)


async def test_unchanged_chunks_are_not_read(store: Store) -> None:
    before = await write(store, documents(range(1000)), 0, pack_bytes=1)
    changed = documents(range(1000)) | dict([document(500, " b")])
    after = await write(store, changed, 1, pack_bytes=1, previous=before)
    one, other = await chunks_of(store.snapshots, before), await chunks_of(store.snapshots, after)
    shared = {chunk.sha256 for chunk in one} & {chunk.sha256 for chunk in other}
    for chunk in one:
        if chunk.sha256 in shared:
            await store.snapshots.delete(before.folder.pack(chunk.pack))
    found, tally = await changes_of(store.snapshots, before, after)
    assert [change.key for change in found] == [document(500)[0]]
    assert (tally.chunks_read, tally.chunks_skipped) == (2, 2 * len(shared))


async def test_equal_snapshots_cost_no_request() -> None:
    store = MemoryStore()
    before = await write(store, documents(range(1000)), 0, bits=1)
    after = await write(store, documents(range(1000)), 1, bits=1, previous=before)
    assert before.tree.level > 0
    for name in [blob.name async for blob in store.snapshots.list("")]:
        await store.snapshots.delete(name)
    found, tally = await changes_of(store.snapshots, before, after)
    assert (found, tally.chunks_read, tally.chunks_skipped) == ([], 0, before.tree.count + after.tree.count)


@pytest.mark.parametrize("kept", [range(0), range(700, 900), range(2000, 3000)], ids=["none", "few", "others"])
async def test_what_is_on_one_side_alone_is_not_held(monkeypatch: pytest.MonkeyPatch, kept: range) -> None:
    """A side without chunks for a long stretch does not have the whole stretch of the other one waiting."""
    monkeypatch.setattr("indexvault.snapshots.tree_difference.NODES_AT_ONCE", 4)
    store = MemoryStore()
    before = await write(store, documents(range(3000)), 0, bits=0)
    after = await write(store, documents(kept), 1, bits=0)
    differing = DifferingSpans(store.snapshots, before, store.snapshots, after)
    held: list[int] = []
    one, other = (watched(differing.spans(side), lambda: held.append(differing.held)) for side in (0, 1))
    tally = DiffTally()
    found = [change async for change in diff_spans(one, other, tally)]
    await differing.close()
    assert tally.chunks_read < len(found) + 200
    assert [change.key for change in found] == sorted(documents(set(range(3000)) - set(kept)))
    assert before.tree.level > 1
    assert 30 < max(held) < 700


async def watched(spans: AsyncGenerator[Span], watch: Callable[[], None]) -> AsyncGenerator[Span]:
    async with aclosing(spans):
        async for span in spans:
            watch()
            yield span


async def test_a_new_generation_of_the_same_documents_is_the_same() -> None:
    store = MemoryStore()
    before = await write(store, documents(range(300)), 0)
    after = await write(store, documents(range(300)), 1, generation="g2")
    found, tally = await changes_of(store.snapshots, before, after)
    assert (found, tally.chunks_read) == ([], 0)


async def test_snapshots_that_are_cut_otherwise_in_different_stores() -> None:
    """Then no hash is the same, and the documents tell."""
    store, other = MemoryStore(), MemoryStore()
    before = await write(store, documents(range(900)), 0, bits=2)
    changed = {key: line for key, line in documents(range(900)).items() if key != document(7)[0]}
    after = await write(other, changed | dict([document(500, " b")]), 1, bits=3, generation="g2")
    tally = DiffTally()
    found = [
        (change.kind, change.key)
        async for change in diff_snapshots(store.snapshots, before, after, tally, after_blobs=other.snapshots)
    ]
    assert found == [("removed", document(7)[0]), ("changed", document(500)[0])]
    assert 0 < tally.same <= 898
    assert tally.chunks_read > 200


async def test_a_chunk_that_differs_and_is_gone_is_an_error() -> None:
    store = MemoryStore()
    before = await write(store, documents(range(300)), 0, pack_bytes=1)
    after = await write(store, documents(range(300)) | dict([document(5, " b")]), 1, pack_bytes=1)
    others = {chunk.sha256 for chunk in await chunks_of(store.snapshots, after)}
    (own,) = [chunk for chunk in await chunks_of(store.snapshots, before) if chunk.sha256 not in others]
    await store.snapshots.delete(before.folder.pack(own.pack))
    with pytest.raises(NotFoundError, match=own.pack):
        await changes_of(store.snapshots, before, after)


async def test_what_is_read_ahead_is_cancelled() -> None:
    store = MemoryStore()
    before, after = await write(store, documents(range(300)), 0), await write(store, {}, 1)
    async with aclosing(diff_snapshots(store.snapshots, before, after, DiffTally())) as changes:
        await anext(changes)


async def test_other_key_fields_can_t_be_compared() -> None:
    store = MemoryStore()
    before = await write(store, documents(range(3)), 0)
    with pytest.raises(ConflictError, match="HotelId"):
        async for _ in diff_snapshots(store.snapshots, before, _with_key(before, "id"), DiffTally()):
            pass


def _with_key(manifest: Manifest, key_field: str) -> Manifest:
    return Manifest(**{name: getattr(manifest, name) for name in manifest.__struct_fields__} | {"key_field": key_field})


states = st.dictionaries(st.integers(min_value=0, max_value=120), st.sampled_from(["", "a", "b"]), max_size=80)


@given(states, states, st.integers(0, 4), st.integers(0, 4))
async def test_a_comparison_is_that_of_the_documents(
    old: dict[int, str], new: dict[int, str], bits: int, other_bits: int
) -> None:
    store = MemoryStore()
    one = dict(document(number, version) for number, version in old.items())
    other = dict(document(number, version) for number, version in new.items())
    before, after = await write(store, one, 0, bits=bits), await write(store, other, 1, bits=other_bits)
    found, tally = await changes_of(store.snapshots, before, after)
    assert {change.key: (change.before, change.after) for change in found} == {
        key: (one.get(key), other.get(key)) for key in one.keys() | other.keys() if one.get(key) != other.get(key)
    }
    assert [change.key for change in found] == sorted(change.key for change in found)
    assert len(found) == tally.added + tally.removed + tally.changed
