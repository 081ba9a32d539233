"""What a snapshot shares with others, and what it has alone."""

from datetime import timedelta

import pytest

from indexvault.snapshots.sharing import Sharing, read_sharing, stored_only_in
from indexvault.snapshots.store import Store
from tests.snapshots.samples import MORNING, chunks_of, document, documents, write_snapshot

LINES = documents(range(300))
DAY = timedelta(days=1)


@pytest.mark.parametrize("bits", [1, 4], ids=["segments", "root"])
async def test_shared_chunks_and_its_own_add_up(store: Store, bits: int) -> None:
    first, _ = await write_snapshot(store.snapshots, LINES, bits=bits)
    assert await read_sharing(store.snapshots, first) == Sharing(0, 0, 0, first.tree.count, first.stored)
    changed = LINES | dict([document(150, " b")])
    second, _ = await write_snapshot(
        store.snapshots, changed, created=MORNING + DAY, run="run-2", previous=first, bits=bits
    )
    fresh = {"created": MORNING + 2 * DAY, "run": "run-3", "generation": "g2"}
    third, _ = await write_snapshot(store.snapshots, LINES, **fresh)  # type: ignore[arg-type]  # of several types
    found = await read_sharing(store.snapshots, second)
    assert (found.shared, found.with_snapshots, found.own) == (second.tree.count - 1, 1, 1)
    assert found.own_stored == second.added.stored
    assert found.shared_stored + found.own_stored == second.stored
    assert (await read_sharing(store.snapshots, third)).shared == 0


async def test_what_goes_frees_only_what_nobody_else_names(store: Store) -> None:
    first, oldest = await write_snapshot(store.snapshots, LINES)
    changed = LINES | dict([document(150, " b")])
    second, middle = await write_snapshot(store.snapshots, changed, created=MORNING + DAY, run="run-2", previous=first)
    created = MORNING + 2 * DAY
    third, newest = await write_snapshot(store.snapshots, LINES, created=created, run="run-3", previous=second)
    shared = set(await chunks_of(store.snapshots, second))
    (own,) = [chunk for chunk in await chunks_of(store.snapshots, first) if chunk not in shared]
    assert await stored_only_in(store.snapshots, [oldest], [middle, newest]) == own.stored
    assert await stored_only_in(store.snapshots, [middle], [oldest, newest]) == second.added.stored
    assert await stored_only_in(store.snapshots, [oldest, newest], [middle]) == own.stored + third.added.stored
    everything = first.stored + second.added.stored + third.added.stored
    assert await stored_only_in(store.snapshots, [oldest, middle, newest], []) == everything
    assert await stored_only_in(store.snapshots, [], [oldest]) == 0


async def test_trees_that_can_not_be_read_are_ignored(store: Store) -> None:
    first, oldest = await write_snapshot(store.snapshots, LINES, bits=1)
    changed = {key: line + b" " for key, line in LINES.items()}
    second, newest = await write_snapshot(store.snapshots, changed, created=MORNING + DAY, run="run-2", bits=1)
    for pack in {node.pack for node in second.tree.nodes}:
        await store.snapshots.delete(second.folder.segments(pack))
    assert await read_sharing(store.snapshots, first) == Sharing(0, 0, 0, first.tree.count, first.stored)
    assert await stored_only_in(store.snapshots, [oldest], [newest]) == first.stored
    assert await stored_only_in(store.snapshots, [newest], [oldest]) == 0
