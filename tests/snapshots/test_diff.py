"""What a comparison finds, and which chunks it does not read."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexvault.errors import ConflictError, NotFoundError
from indexvault.snapshots.diff import DiffTally, DocumentChange, diff_snapshots
from indexvault.snapshots.manifest import Manifest
from indexvault.snapshots.store import SnapshotReader, Store
from tests.memory_store import MemoryStore
from tests.snapshots.samples import MORNING, document, documents, write_snapshot


async def write(store: Store, lines: dict[str, bytes], days: int, generation: str = "") -> Manifest:
    created = MORNING + timedelta(days=days)
    manifest, _ = await write_snapshot(
        store.snapshots, lines, created=created, run=f"run-{days}", generation=generation
    )
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
    before = await write(store, documents(range(1000)), 0)
    after = await write(store, documents(range(1000)) | dict([document(500, " b")]), 1)
    shared = {chunk.sha256 for chunk in before.chunks} & {chunk.sha256 for chunk in after.chunks}
    for sha256 in shared:
        await store.snapshots.delete(before.folder.blob(sha256))
    found, tally = await changes_of(store.snapshots, before, after)
    assert [change.key for change in found] == [document(500)[0]]
    assert (tally.chunks_read, tally.chunks_skipped) == (2, 2 * len(shared))


async def test_a_new_generation_of_the_same_documents_is_the_same() -> None:
    store = MemoryStore()
    before = await write(store, documents(range(300)), 0)
    after = await write(store, documents(range(300)), 1, generation="g2")
    found, tally = await changes_of(store.snapshots, before, after)
    assert (found, tally.chunks_read) == ([], 0)


async def test_a_chunk_that_differs_and_is_gone_is_an_error() -> None:
    store = MemoryStore()
    before = await write(store, documents(range(300)), 0)
    after = await write(store, documents(range(300)) | dict([document(5, " b")]), 1)
    (own,) = {chunk.sha256 for chunk in before.chunks} - {chunk.sha256 for chunk in after.chunks}
    await store.snapshots.delete(before.folder.blob(own))
    with pytest.raises(NotFoundError):
        await changes_of(store.snapshots, before, after)


async def test_other_key_fields_can_t_be_compared() -> None:
    store = MemoryStore()
    before = await write(store, documents(range(3)), 0)
    with pytest.raises(ConflictError, match="HotelId"):
        async for _ in diff_snapshots(store.snapshots, before, _with_key(before, "id"), DiffTally()):
            pass


def _with_key(manifest: Manifest, key_field: str) -> Manifest:
    return Manifest(**{name: getattr(manifest, name) for name in manifest.__struct_fields__} | {"key_field": key_field})


@given(
    st.dictionaries(st.integers(min_value=0, max_value=120), st.sampled_from(["", "a", "b"]), max_size=80),
    st.dictionaries(st.integers(min_value=0, max_value=120), st.sampled_from(["", "a", "b"]), max_size=80),
)
async def test_a_comparison_is_that_of_the_documents(old: dict[int, str], new: dict[int, str]) -> None:
    store = MemoryStore()
    one = dict(document(number, version) for number, version in old.items())
    other = dict(document(number, version) for number, version in new.items())
    found, tally = await changes_of(store.snapshots, await write(store, one, 0), await write(store, other, 1))
    assert {change.key: (change.before, change.after) for change in found} == {
        key: (one.get(key), other.get(key)) for key in one.keys() | other.keys() if one.get(key) != other.get(key)
    }
    assert [change.key for change in found] == sorted(change.key for change in found)
    assert len(found) == tally.added + tally.removed + tally.changed
