"""Holds: who may keep a snapshot, and for how long."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from indexvault.errors import ConflictError, NotFoundError
from indexvault.snapshots.holds import (
    HELD_FOR,
    REMOVAL_TIME,
    Hold,
    is_held,
    is_honoured,
    is_live,
    place_hold,
    read_holds,
    release_holds,
)
from indexvault.snapshots.manifest import Manifest
from indexvault.snapshots.names import SnapshotReference, manifest_name
from indexvault.snapshots.prune import Removal, prune_index, remove_snapshot
from indexvault.snapshots.run_names import hold_name, tombstone_name
from indexvault.snapshots.store import BlobProperties, RunBlobs, Store
from indexvault.snapshots.tombstones import Tombstone, write_tombstone
from tests.memory_store import MemoryStore
from tests.snapshots.samples import documents, write_snapshot

EAST, HOTELS = "contoso-east", "hotels"
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
STATE = "restores/contoso-west/hotels.json"
HOLD = Hold(run="restore-1", kind="restore", target="contoso-west/hotels", since=NOW, store="memory", state=STATE)
LATER = NOW + 3 * HELD_FOR


async def snapshot(store: Store, run: str = "r01") -> tuple[Manifest, SnapshotReference]:
    manifest, _ = await write_snapshot(store.snapshots, documents(range(9)), created=NOW - timedelta(days=9), run=run)
    return manifest, SnapshotReference(service=EAST, index=HOTELS, id=manifest.id)


async def held_ids(store: Store) -> list[tuple[str, str]]:
    return [(found, hold.run) async for found, hold in read_holds(store.runs, EAST, HOTELS)]


class TestIsHonoured:
    @pytest.mark.parametrize(
        ("named", "age", "honoured"),
        [
            ("restore-1", timedelta(0), True),
            ("restore-1", 99 * HELD_FOR, True),
            (None, HELD_FOR - timedelta(seconds=1), True),
            (None, HELD_FOR, False),
            ("restore-2", HELD_FOR - timedelta(seconds=1), True),
            ("restore-2", HELD_FOR, False),
            (None, -HELD_FOR, True),
        ],
    )
    def test_while_its_record_names_it_or_it_is_young(
        self, named: str | None, age: timedelta, *, honoured: bool
    ) -> None:
        assert is_honoured(HOLD, named=named, now=NOW + age) is honoured

    def test_it_says_who_needs_the_snapshot(self) -> None:
        assert HOLD.reason == "an unfinished restore into contoso-west/hotels (run restore-1) needs it"


async def test_a_hold_is_placed_once_for_each_run_and_released_by_run(store: Store) -> None:
    manifest, reference = await snapshot(store)
    for run in ("restore-1", "restore-2", "restore-1"):
        assert await place_hold(store, reference, msgspec.structs.replace(HOLD, run=run), NOW)
    assert await held_ids(store) == [(manifest.id, "restore-1"), (manifest.id, "restore-2")]
    await release_holds(store.runs, EAST, HOTELS, "restore-1")
    assert await held_ids(store) == [(manifest.id, "restore-2")]


async def test_a_snapshot_that_the_store_lacks_is_not_held(store: Store) -> None:
    reference = SnapshotReference(service=EAST, index=HOTELS, id="20261120T023000Z-7f3a9c")
    assert not await place_hold(store, reference, HOLD, NOW)
    assert await held_ids(store) == []


async def test_a_snapshot_that_is_being_removed_is_not_held(store: Store) -> None:
    manifest, reference = await snapshot(store)
    await write_tombstone(store.runs, EAST, HOTELS, manifest.id, Tombstone(NOW, "old"))
    with pytest.raises(ConflictError, match="being removed"):
        await place_hold(store, reference, HOLD, NOW + REMOVAL_TIME - timedelta(seconds=1))
    assert await held_ids(store) == []
    await store.runs.put(tombstone_name(EAST, HOTELS, manifest.id), b"damaged")
    with pytest.raises(ConflictError, match="being removed"):
        await place_hold(store, reference, HOLD, NOW)


async def test_an_interrupted_removal_does_not_keep_a_snapshot_from_being_restored(store: Store) -> None:
    manifest, reference = await snapshot(store)
    await write_tombstone(store.runs, EAST, HOTELS, manifest.id, Tombstone(NOW, "killed here"))
    assert await place_hold(store, reference, HOLD, NOW + REMOVAL_TIME)
    assert await remove_snapshot(store, reference, "old", clock=lambda: NOW + REMOVAL_TIME) == "held"


async def test_a_removal_that_was_suspended_looks_for_holds_again() -> None:
    times = [NOW, NOW + REMOVAL_TIME]
    store = MemoryStore("local", lambda: times[0])
    manifest, reference = await snapshot(store)
    listed = store.runs.list
    suspended: list[datetime] = []

    async def suspend(prefix: str) -> AsyncIterator[BlobProperties]:
        async for blob in listed(prefix):
            yield blob
        if prefix.startswith("holds/") and not suspended:
            suspended.append(times.pop(0))
            assert await place_hold(store, reference, HOLD, times[0])

    store.runs.list = suspend  # type: ignore[method-assign]
    assert await remove_snapshot(store, reference, "old", clock=lambda: times[0]) == "held"
    assert await store.snapshots.properties(manifest_name(EAST, HOTELS, manifest.id)) is not None


async def test_what_is_held_is_not_removed_until_its_run_has_ended(store: Store) -> None:
    manifest, reference = await snapshot(store)
    await write_snapshot(store.snapshots, documents(range(9)), created=NOW - timedelta(days=1), run="r02")
    await place_hold(store, reference, HOLD, NOW)
    await store.runs.put(STATE, b'{"records":"restore-1"}')
    removals = [Removal(manifest.id, "old")]
    report = await prune_index(store, EAST, HOTELS, removals, clock=lambda: LATER)
    assert (report.removed, report.pinned, report.held) == ((), (), (manifest.id,))
    assert await store.runs.read(tombstone_name(EAST, HOTELS, manifest.id), 1 << 20) is None
    await store.runs.delete(STATE)
    report = await prune_index(store, EAST, HOTELS, removals, clock=lambda: LATER)
    assert (report.removed, report.held) == ((manifest.id,), ())


async def test_a_hold_whose_run_can_not_be_looked_up_counts(store: Store) -> None:
    def unknown(name: str) -> RunBlobs:
        raise NotFoundError("there is no such store", on=name, do="")

    assert await is_live(HOLD, unknown, LATER)
    await store.runs.put(STATE, b"damaged")
    assert await is_live(HOLD, lambda _name: store.runs, LATER)
    await store.runs.put(STATE, b'{"records":"another"}')
    assert not await is_live(HOLD, lambda _name: store.runs, LATER)


async def test_a_hold_that_can_not_be_read_counts(store: Store) -> None:
    manifest, reference = await snapshot(store)
    await store.runs.put(hold_name(EAST, HOTELS, manifest.id, "restore-1"), b"damaged")
    assert await is_held(store.runs, reference, lambda _name: store.runs, LATER)


async def test_a_snapshot_that_goes_while_it_is_held_is_not_held() -> None:
    store = MemoryStore()
    _manifest, reference = await snapshot(store)
    put = store.runs.put

    async def put_after_removal(name: str, data: bytes, **named: object) -> str:
        if name.startswith("holds/"):
            await remove_snapshot(store, reference, "old", clock=lambda: NOW - HELD_FOR)
        return await put(name, data, **named)  # type: ignore[arg-type]

    store.runs.put = put_after_removal  # type: ignore[method-assign]
    assert not await place_hold(store, reference, HOLD, NOW)
    assert await held_ids(store) == []


def test_names_are_those_of_the_snapshot_and_the_run() -> None:
    snapshot_id = "20261120T023000Z-7f3a9c"
    assert hold_name(EAST, HOTELS, snapshot_id, "run 1") == f"holds/contoso-east/hotels/{snapshot_id}/run=201.json"
