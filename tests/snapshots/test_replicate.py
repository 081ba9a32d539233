"""Replication: a snapshot is whole before it exists, and a replica replaces a lost store."""

import logging
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from itertools import product

import msgspec
import pytest

from indexvault.errors import ForbiddenError
from indexvault.snapshots.azure_blobs import AzureSnapshotBlobs
from indexvault.snapshots.azure_store import AzureStore
from indexvault.snapshots.catalogue import list_snapshots, read_manifest
from indexvault.snapshots.manifest import Manifest
from indexvault.snapshots.names import manifest_name
from indexvault.snapshots.replicate import Lag, ReplicationReport, lag, replicate_index
from indexvault.snapshots.store import ReadGrant, Store
from indexvault.snapshots.summary import summarise, to_metadata
from indexvault.snapshots.verify import verify_index
from tests.azurite import Azurite
from tests.memory_store import MemoryStore
from tests.snapshots.samples import MORNING, document, documents, manifest_of, verified, write_snapshot

EAST, HOTELS = "contoso-east", "hotels"
LINES = documents(range(300))
DAY = timedelta(days=1)
NOW = MORNING + 3 * DAY


@pytest.fixture(params=list(product(["memory", "azurite"], repeat=2)), ids="-".join)
async def pair(request: pytest.FixtureRequest) -> AsyncIterator[tuple[Store, Store]]:
    """Yield two stores, in every combination of kinds."""
    stores: list[Store] = []
    for name, kind in zip(("east", "west"), request.param, strict=True):
        if kind == "memory":
            stores.append(MemoryStore(name))
        else:
            account = request.getfixturevalue("azurite").new_account()
            stores.append(AzureStore.from_connection_string(name, account))
        await stores[-1].prepare()
    yield stores[0], stores[1]
    for store in stores:
        await store.close()


async def two_snapshots(store: Store) -> tuple[Manifest, Manifest]:
    first, _ = await write_snapshot(store.snapshots, LINES)
    changed = LINES | dict([document(150, " b")])
    second, _ = await write_snapshot(store.snapshots, changed, created=MORNING + DAY, run="run-2", previous=first)
    return first, second


async def replicate(source: Store, replica: Store, now: datetime = NOW) -> ReplicationReport:
    return await replicate_index(source, replica, EAST, HOTELS, clock=lambda: now)


async def test_a_replica_holds_the_same_snapshots_and_is_whole(pair: tuple[Store, Store]) -> None:
    source, replica = pair
    first, second = await two_snapshots(source)
    report = await replicate(source, replica)
    assert report.copied == (first.id, second.id)
    assert report.chunks == len(first.chunks) + 1
    assert report.bytes == first.stored + second.added.stored
    assert report.lag == Lag(0, timedelta(0))
    between_accounts = isinstance(source, AzureStore) and isinstance(replica, AzureStore)
    assert report.by_the_accounts == (report.chunks if between_accounts else 0)
    assert await list_snapshots(replica.snapshots) == await list_snapshots(source.snapshots)
    audit = await verify_index(replica.snapshots, EAST, HOTELS)
    assert (audit.findings, audit.chunks, audit.unnamed) == ((), report.chunks, 0)


async def test_only_what_is_lacking_is_copied(pair: tuple[Store, Store]) -> None:
    source, replica = pair
    first, _ = await write_snapshot(source.snapshots, LINES)
    await replicate(source, replica)
    assert (await replicate(source, replica)).copied == ()
    await write_snapshot(
        source.snapshots, LINES | dict([document(7, " b")]), created=MORNING + DAY, run="run-2", previous=first
    )
    assert (await replicate(source, replica)).chunks == 1


async def test_losing_the_first_store_whole_loses_nothing(pair: tuple[Store, Store]) -> None:
    source, replica = pair
    await two_snapshots(source)
    expected = await list_snapshots(source.snapshots)
    await replicate(source, replica)
    await wipe(source)
    assert await list_snapshots(source.snapshots) == []
    back = await replicate(replica, source)
    assert len(back.copied) == 2
    assert await list_snapshots(source.snapshots) == expected
    for summary in expected:
        manifest = await read_manifest(source.snapshots, summary)
        assert not (await verified(source.snapshots, manifest)).damage


async def wipe(store: Store) -> None:
    for name in [blob.name async for blob in store.snapshots.list("")]:
        await store.snapshots.delete(name)


async def test_a_replication_cut_off_leaves_no_half_snapshot_and_goes_on() -> None:
    source, replica = MemoryStore("east"), MemoryStore("west")
    await two_snapshots(source)
    create = replica.snapshots.create
    made = 0

    async def limited(name: str, data: bytes, **named: object) -> bool:
        nonlocal made
        made += 1
        if made > 5:
            raise ForbiddenError("no longer", on=name, do="")
        return await create(name, data, **named)  # type: ignore[arg-type]  # passed on as it came

    replica.snapshots.create = limited  # type: ignore[method-assign]  # the fault of this test
    with pytest.raises(ForbiddenError):
        await replicate(source, replica)
    assert await list_snapshots(replica.snapshots) == []
    replica.snapshots.create = create  # type: ignore[method-assign]  # as it was
    assert len((await replicate(source, replica)).copied) == 2


async def test_what_is_damaged_is_skipped_with_the_reason_and_the_rest_copied() -> None:
    source, replica = MemoryStore("east"), MemoryStore("west")
    first, second = await two_snapshots(source)
    own = next(chunk for chunk in first.chunks if chunk not in second.chunks)
    name = first.folder.blob(own.sha256)
    await source.snapshots.delete(name)
    await source.snapshots.create(name, b"no chunk")
    report = await replicate(source, replica)
    assert report.copied == (second.id,)
    assert [skipped.snapshot for skipped in report.skipped] == [first.id]
    assert name in report.skipped[0].why
    assert report.lag == Lag(1, NOW - MORNING)


async def test_damage_is_not_copied_by_the_accounts_either(azurite: Azurite) -> None:
    source = AzureStore.from_connection_string("east", azurite.new_account())
    replica = AzureStore.from_connection_string("west", azurite.new_account())
    async with source, replica:
        await source.prepare()
        await replica.prepare()
        first, second = await two_snapshots(source)
        own = next(chunk for chunk in first.chunks if chunk not in second.chunks)
        name = first.folder.blob(own.sha256)
        stored = bytearray(await source.snapshots.read(name, 1 << 20))
        stored[len(stored) // 2] ^= 1
        await source.snapshots.delete(name)
        await source.snapshots.create(name, bytes(stored))
        report = await replicate(source, replica)
        assert report.copied == (second.id,)
        assert [(skipped.snapshot, name in skipped.why) for skipped in report.skipped] == [(first.id, True)]
        assert report.by_the_accounts == report.chunks
        assert await replica.snapshots.properties(name) is None
        assert not (await verify_index(replica.snapshots, EAST, HOTELS)).findings


async def test_a_summary_that_lies_is_not_copied(pair: tuple[Store, Store]) -> None:
    source, replica = pair
    first, _ = await two_snapshots(source)
    name = manifest_name(EAST, HOTELS, first.id)
    data = await source.snapshots.read(name, 1 << 20)
    await source.snapshots.delete(name)
    lie = to_metadata(msgspec.structs.replace(summarise(first), documents=1))
    await source.snapshots.create(name, data, metadata=lie, content_type="application/json")
    await replicate(source, replica)
    assert [each.documents for each in await list_snapshots(source.snapshots)] == [300, 1]
    assert [each.documents for each in await list_snapshots(replica.snapshots)] == [300, 300]


async def test_bytes_that_arrive_changed_are_found(azurite: Azurite) -> None:
    source = AzureStore.from_connection_string("east", azurite.new_account())
    replica = AzureStore.from_connection_string("west", azurite.new_account())
    async with source, replica:
        await source.prepare()
        await replica.prepare()
        first, _ = await two_snapshots(source)
        name = first.folder.blob(first.chunks[0].sha256)
        await replica.snapshots.create(name, b"something else was here before")
        report = await replicate(source, replica)
        assert report.copied == ()
        assert all(name in skipped.why for skipped in report.skipped)


async def test_accounts_that_can_t_reach_each_other_are_bridged(
    azurite: Azurite, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    source = AzureStore.from_connection_string("east", azurite.new_account())
    replica = AzureStore.from_connection_string("west", azurite.new_account())

    async def refuse(_: AzureSnapshotBlobs, name: str, __: ReadGrant) -> bool:
        raise ForbiddenError("the source's firewall", on=name, do="")

    monkeypatch.setattr(AzureSnapshotBlobs, "copy", refuse)
    async with source, replica:
        await source.prepare()
        await replica.prepare()
        await two_snapshots(source)
        with caplog.at_level(logging.WARNING):
            report = await replicate(source, replica)
        assert (len(report.copied), report.by_the_accounts) == (2, 0)
        assert "through here" in caplog.text
        assert not (await verify_index(replica.snapshots, EAST, HOTELS)).findings


async def test_the_account_is_told_no_more_than_one_blob_for_minutes(azurite: Azurite) -> None:
    async with AzureStore.from_connection_string("east", azurite.new_account()) as source:
        await source.prepare()
        grant = await source.snapshots.grant("a/b=20.json")
        assert "sp=r&" in grant.url
        assert "sr=b" in grant.url
        assert grant.authorization is None


def test_lag_is_the_age_of_the_oldest_snapshot_that_is_lacking() -> None:
    snapshots = [summarise(manifest_of([], "0" * 64, created=MORNING + day * DAY, run=f"r{day}")) for day in range(3)]
    assert lag(snapshots, snapshots, NOW) == Lag(0, timedelta(0))
    assert lag(snapshots, snapshots[:1], NOW) == Lag(2, 2 * DAY)
    assert lag(snapshots, [], NOW) == Lag(3, 3 * DAY)
    assert lag([], snapshots, NOW) == Lag(0, timedelta(0))
