"""What a snapshot shares with others, and what it has alone."""

from datetime import timedelta

from indexvault.snapshots.sharing import Sharing, read_sharing, stored_only_in
from indexvault.snapshots.store import Store
from tests.snapshots.samples import MORNING, document, documents, write_snapshot

LINES = documents(range(300))
DAY = timedelta(days=1)


async def test_shared_chunks_and_its_own_add_up(store: Store) -> None:
    first, _ = await write_snapshot(store.snapshots, LINES)
    assert await read_sharing(store.snapshots, first) == Sharing(0, 0, 0, len(first.chunks), first.stored)
    changed = LINES | dict([document(150, " b")])
    second, _ = await write_snapshot(store.snapshots, changed, created=MORNING + DAY, run="run-2", previous=first)
    fresh = {"created": MORNING + 2 * DAY, "run": "run-3", "generation": "g2"}
    third, _ = await write_snapshot(store.snapshots, LINES, **fresh)  # type: ignore[arg-type]  # of several types
    found = await read_sharing(store.snapshots, second)
    assert (found.shared, found.with_snapshots, found.own) == (len(second.chunks) - 1, 1, 1)
    assert found.own_stored == second.added.stored
    assert found.shared_stored + found.own_stored == second.stored
    assert (await read_sharing(store.snapshots, third)).shared == 0


async def test_what_goes_frees_only_what_nobody_else_names(store: Store) -> None:
    first, oldest = await write_snapshot(store.snapshots, LINES)
    changed = LINES | dict([document(150, " b")])
    second, middle = await write_snapshot(store.snapshots, changed, created=MORNING + DAY, run="run-2", previous=first)
    _, newest = await write_snapshot(store.snapshots, LINES, created=MORNING + 2 * DAY, run="run-3", previous=second)
    assert await stored_only_in(store.snapshots, [oldest], [middle, newest]) == 0
    assert await stored_only_in(store.snapshots, [middle], [oldest, newest]) == second.added.stored
    assert await stored_only_in(store.snapshots, [oldest, newest], [middle]) > 0
    assert await stored_only_in(store.snapshots, [oldest, middle, newest], []) == first.stored + second.added.stored
    assert await stored_only_in(store.snapshots, [], [oldest]) == 0
