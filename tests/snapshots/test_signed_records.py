"""Records in a store whose writer has no key: each attack works on a store without keys, and fails on one with."""

import logging
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import msgspec
import pytest

from indexvault.errors import ConflictError, IntegrityError, SettingsError
from indexvault.snapshots.announcements import announced_trees, is_being_swept
from indexvault.snapshots.known import known_snapshots, lost_snapshots
from indexvault.snapshots.names import SnapshotReference
from indexvault.snapshots.pins import Pin, pins_by_id
from indexvault.snapshots.records import RecordStore
from indexvault.snapshots.run_names import (
    SIGNING_MARK,
    announcement_name,
    known_name,
    pin_name,
    sweep_name,
    tombstone_name,
)
from indexvault.snapshots.signed_records import REPLAY_TOLERANCE, SignedRunBlobs
from indexvault.snapshots.signed_store import UnsignedStore
from indexvault.snapshots.store import RunBlobs, Store
from indexvault.snapshots.tombstones import Tombstone, read_tombstones
from tests.keyed import KEYS, ONLY_OTHER, ROTATED, keyed
from tests.memory_store import MemoryRunBlobs, MemoryStore
from tests.world import Calendar

EAST, HOTELS, ID = "contoso-east", "hotels", "20261120T023000Z-7f3a9c"
REFERENCE = SnapshotReference(service=EAST, index=HOTELS, id=ID)
NOW = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)
LIMIT = 1000


class Record(msgspec.Struct, frozen=True):
    words: str


async def names(runs: RunBlobs, prefix: str = "") -> list[str]:
    return [blob.name async for blob in runs.list(prefix)]


async def tampering(runs: SignedRunBlobs, *, listing_only: bool = False) -> list[str]:
    return [found.blob async for found in runs.tampering(listing_only=listing_only)]


@pytest.fixture
def signed(store: Store) -> SignedRunBlobs:
    return keyed(store).runs


async def test_a_record_stays_as_it_was_written(store: Store, signed: SignedRunBlobs) -> None:
    await RecordStore(signed, Record).write("a/b.json", Record("x"))
    plain = await store.runs.read("a/b.json", LIMIT)
    assert plain is not None
    assert plain.data == b'{"words":"x"}'
    assert await RecordStore(signed, Record).read("a/b.json") == Record("x")
    assert await tampering(signed) == []


async def test_a_forged_record_is_as_if_it_were_not_there(
    store: Store, signed: SignedRunBlobs, caplog: pytest.LogCaptureFixture
) -> None:
    await store.runs.put("a", b'{"words":"forged"}')
    assert await RecordStore(store.runs, Record).read("a") == Record("forged")
    with caplog.at_level(logging.WARNING):
        assert await RecordStore(signed, Record).read("a") is None
        assert await RecordStore(signed, Record).read("a") is None
    assert await names(signed) == []
    assert await tampering(signed) == await tampering(signed, listing_only=True) == ["a"]
    (told,) = caplog.messages
    assert told.startswith("tampering: a in memory counts for nothing")


async def test_a_forged_record_is_no_obstacle_to_the_first_one(store: Store, signed: SignedRunBlobs) -> None:
    await store.runs.put("a", b'{"words":"forged"}')
    await store.runs.acquire("a", str(uuid4()), 60)
    with pytest.raises(ConflictError):
        await store.runs.put("a", b"{}", if_absent=True)
    assert await RecordStore(signed, Record).write_once("a", Record("mine")) == Record("mine")
    assert await RecordStore(signed, Record).read("a") == Record("mine")
    with pytest.raises(ConflictError):
        await RecordStore(signed, Record).write("a", Record("second"), if_absent=True)


async def test_a_forged_lease_keeps_nobody_from_a_forged_record(store: Store, signed: SignedRunBlobs) -> None:
    for name in ("put", "delete", "acquire"):
        await store.runs.put(name, b"forged")
        await store.runs.acquire(name, str(uuid4()), 60)
    await signed.put("put", b"1")
    assert await signed.delete("delete")
    await signed.acquire("acquire", str(uuid4()), 15)
    assert await names(signed) == ["put"]


async def test_a_forged_record_is_replaced_without_reading_what_is_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    store = MemoryStore()
    signed = keyed(store).runs
    await store.runs.put("a", b" " * 10_000_000)
    monkeypatch.delattr(MemoryRunBlobs, "read")
    await signed.put("a", b"{}", if_absent=True)
    assert [blob.size async for blob in signed.list("")] == [2]


async def test_a_lease_of_a_genuine_record_keeps_others_out(signed: SignedRunBlobs) -> None:
    await signed.put("a", b"1")
    await signed.acquire("a", str(uuid4()), 60)
    for refused in (signed.put("a", b"2"), signed.delete("a"), signed.acquire("a", str(uuid4()), 15)):
        with pytest.raises(ConflictError):
            await refused


async def test_a_record_under_another_name(store: Store, signed: SignedRunBlobs) -> None:
    await signed.put("runs/one/order.json", b"{}")
    genuine = await store.runs.read("runs/one/order.json", LIMIT)
    assert genuine is not None
    await store.runs.put("runs/two/order.json", genuine.data, metadata=genuine.metadata)
    assert await signed.read("runs/two/order.json", LIMIT) is None
    assert await names(signed) == ["runs/one/order.json"]


async def test_a_record_of_another_store(store: Store) -> None:
    here, there = keyed(store, account="contosoeast").runs, keyed(store, account="contosowest").runs
    await here.put("a", b"{}")
    assert await here.read("a", LIMIT) is not None
    assert await there.read("a", LIMIT) is None
    assert await names(there) == []


@pytest.mark.parametrize("data", [b"{ }", b"[]", b""])
async def test_a_changed_record(store: Store, signed: SignedRunBlobs, data: bytes) -> None:
    await signed.put("a", b"{}")
    genuine = await store.runs.read("a", LIMIT)
    assert genuine is not None
    await store.runs.put("a", data, metadata=genuine.metadata)
    assert await signed.read("a", LIMIT) is None
    assert await tampering(signed) == ["a"]


async def test_a_forged_record_that_is_too_large(store: Store, signed: SignedRunBlobs) -> None:
    """Also one that has the signature of the genuine record, which covers its size."""
    await signed.put("a", b"{}")
    genuine = await store.runs.read("a", LIMIT)
    assert genuine is not None
    for metadata in ({}, genuine.metadata):
        await store.runs.put("a", b" " * (LIMIT + 1), metadata=metadata)
        assert await signed.read("a", LIMIT) is None
    await signed.put("a", b" " * (LIMIT + 1))
    with pytest.raises(IntegrityError):
        await signed.read("a", LIMIT)


@pytest.mark.parametrize("after", [timedelta(minutes=5), timedelta(hours=2)])
async def test_an_old_record_that_is_put_back(after: timedelta) -> None:
    """The store says when it was written, and no writer can set that."""
    clock = Calendar(NOW)
    store = MemoryStore(clock=clock)
    signed = keyed(store, clock=clock).runs
    await signed.put("open/run.json", b"{}")
    old = await store.runs.read("open/run.json", LIMIT)
    assert old is not None
    await signed.delete("open/run.json")
    clock.now += after
    await store.runs.put("open/run.json", old.data, metadata=old.metadata)
    is_accepted = after < REPLAY_TOLERANCE
    assert (await signed.read("open/run.json", LIMIT) is not None) == is_accepted
    assert bool(await names(signed)) == is_accepted


async def test_a_record_that_is_read_days_later() -> None:
    clock = Calendar(NOW)
    signed = keyed(MemoryStore(clock=clock), clock=clock).runs
    await signed.put("a", b"{}")
    clock.now += timedelta(days=400)
    assert await signed.read("a", LIMIT) is not None


@pytest.mark.parametrize(
    "signature", ["", " ", "1 2", "x y z", "1 2 3 4", f"{'9' * 400} a b", "-5 a b", "\u0661 a b", "9999999999 a b"]
)
async def test_signatures_that_are_none(signature: str) -> None:
    store = MemoryStore()
    await store.runs.put("a", b"{}", metadata={"signature": signature})
    assert await keyed(store).runs.read("a", LIMIT) is None
    assert await names(keyed(store).runs) == []


async def test_keys_are_rotated(store: Store) -> None:
    old, both, new = keyed(store, KEYS).runs, keyed(store, ROTATED).runs, keyed(store, ONLY_OTHER).runs
    await old.put("a", b"1")
    assert await both.read("a", LIMIT) is not None
    await both.put("b", b"2")
    assert await old.read("b", LIMIT) is None
    assert await new.read("b", LIMIT) is not None
    assert await new.read("a", LIMIT) is None
    assert await names(both) == ["a", "b"]


async def test_an_operator_accepts_a_record(store: Store, signed: SignedRunBlobs) -> None:
    """As when a key is set for the first time, and pins are to stay."""
    await RecordStore(store.runs, Pin).write(pin_name(EAST, HOTELS, ID), Pin(since=NOW, reason="audit"))
    assert await pins_by_id(signed, EAST, HOTELS) == {}
    assert await signed.accept(pin_name(EAST, HOTELS, ID))
    assert not await signed.accept(pin_name(EAST, HOTELS, ID))
    assert not await signed.accept("nothing")
    assert await pins_by_id(signed, EAST, HOTELS) == {ID: Pin(since=NOW, reason="audit")}


async def test_an_operator_removes_what_is_foreign_and_nothing_else(store: Store, signed: SignedRunBlobs) -> None:
    await signed.put("genuine", b"{}")
    await store.runs.put("forged", b"{}")
    await store.runs.acquire("forged", str(uuid4()), 60)
    assert [await signed.remove_foreign(name) for name in ("genuine", "forged", "none")] == [False, True, False]
    assert await names(store.runs) == ["genuine"]


async def test_a_forged_sweep_stops_no_backup(store: Store, signed: SignedRunBlobs) -> None:
    sweep = {"until": "9999-01-01T00:00:00Z", "blobs": ["x"]}
    await store.runs.put(sweep_name(EAST, HOTELS), msgspec.json.encode(sweep))
    assert await is_being_swept(store.runs, EAST, HOTELS, NOW)
    assert not await is_being_swept(signed, EAST, HOTELS, NOW)


async def test_a_forged_announcement_keeps_no_pack(store: Store, signed: SignedRunBlobs) -> None:
    forged = {"made": "2026-11-20T02:59:00Z", "generation": "", "tree": {}}
    await store.runs.put(announcement_name(EAST, HOTELS, ID), msgspec.json.encode(forged))
    assert await announced_trees(store.runs, EAST, HOTELS, NOW)
    assert not await announced_trees(signed, EAST, HOTELS, NOW)


async def test_a_forged_tombstone_hides_no_vanished_manifest(store: Store, signed: SignedRunBlobs) -> None:
    """Such names are never read, only listed."""
    await signed.put(known_name(EAST, HOTELS, ID), b"{}")
    forged = Tombstone(removed=NOW, reason="forged")
    await RecordStore(store.runs, Tombstone).write(tombstone_name(EAST, HOTELS, ID), forged)
    assert await lost_snapshots(store.snapshots, store.runs, [REFERENCE]) == []
    assert await lost_snapshots(store.snapshots, signed, [REFERENCE]) == [REFERENCE]
    assert await read_tombstones(signed, EAST, HOTELS) == {}


async def test_a_forged_record_of_a_snapshot_makes_none_missing(store: Store, signed: SignedRunBlobs) -> None:
    await store.runs.put(known_name(EAST, HOTELS, ID), b"{}")
    assert await known_snapshots(store.runs) == {REFERENCE}
    assert await known_snapshots(signed) == set()


async def test_without_a_key_a_store_with_signed_records_is_not_written(store: Store) -> None:
    await UnsignedStore(store).prepare()
    await keyed(store).prepare()
    await keyed(store).prepare()
    with pytest.raises(SettingsError, match="record_key"):
        await UnsignedStore(store).prepare()
    await store.runs.delete(SIGNING_MARK)
    await UnsignedStore(store).prepare()


async def test_a_forged_mark_does_not_stay(store: Store) -> None:
    await store.runs.put(SIGNING_MARK, b"forged")
    await keyed(store).prepare()
    assert await tampering(keyed(store).runs) == []
