"""Replication: a snapshot is whole before it exists, and a replica replaces a lost store."""

import logging
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from itertools import product
from typing import Any

import msgspec
import pytest

from indexvault.errors import ForbiddenError
from indexvault.snapshots.azure_blobs import AzureSnapshotBlobs
from indexvault.snapshots.azure_store import AzureStore
from indexvault.snapshots.catalogue import list_snapshots, read_manifest
from indexvault.snapshots.live_members import LiveMembers
from indexvault.snapshots.locations import MovedPacks
from indexvault.snapshots.manifest import Manifest
from indexvault.snapshots.names import manifest_name, parse_pack_name
from indexvault.snapshots.packs import scan_members
from indexvault.snapshots.repair import repair_index
from indexvault.snapshots.repair_sources import ReplicaSource
from indexvault.snapshots.replicate import Lag, ReplicationReport, lag, replicate_index
from indexvault.snapshots.store import ReadGrant, Store
from indexvault.snapshots.summary import summarise, to_metadata
from indexvault.snapshots.tree import Tree
from indexvault.snapshots.used_packs import used_packs
from indexvault.snapshots.verify import verify_index
from tests.azurite import Azurite
from tests.memory_store import MemoryStore
from tests.snapshots.damaging import flip, flip_middle, packs_of, replace, rewrite
from tests.snapshots.samples import MORNING, chunks_of, document, documents, manifest_of, verified, write_snapshot

EAST, HOTELS = "contoso-east", "hotels"
LINES = documents(range(300))
DAY = timedelta(days=1)
NOW = MORNING + 3 * DAY
FINE: dict[str, Any] = {"bits": 2, "pack_bytes": 4000}
"""So many chunks that they stand in segments, and several packs."""


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
    first, _ = await write_snapshot(store.snapshots, LINES, **FINE)
    changed = LINES | dict([document(150, " b")])
    second, _ = await write_snapshot(
        store.snapshots, changed, created=MORNING + DAY, run="run-2", previous=first, **FINE
    )
    return first, second


async def packs_in(store: Store) -> dict[str, int]:
    """Return the sizes of all blobs besides manifests."""
    return {blob.name: blob.size async for blob in store.snapshots.list("") if "/manifests/" not in blob.name}


async def replicate(source: Store, replica: Store, now: datetime = NOW) -> ReplicationReport:
    return await replicate_index(source, replica, EAST, HOTELS, clock=lambda: now)


async def test_a_replica_holds_the_same_snapshots_and_is_whole(pair: tuple[Store, Store]) -> None:
    source, replica = pair
    first, second = await two_snapshots(source)
    report = await replicate(source, replica)
    assert report.copied == (first.id, second.id)
    packs = await packs_in(source)
    assert (report.packs, report.bytes) == (len(packs), sum(packs.values()))
    assert packs == await packs_in(replica)
    assert report.lag == Lag(0, timedelta(0))
    between_accounts = isinstance(source, AzureStore) and isinstance(replica, AzureStore)
    assert report.by_the_accounts == (report.packs if between_accounts else 0)
    assert await list_snapshots(replica.snapshots) == await list_snapshots(source.snapshots)
    audit = await verify_index(replica.snapshots, EAST, HOTELS)
    assert (audit.findings, audit.chunks, audit.unnamed) == ((), first.tree.count + 1, 0)
    for manifest in (first, second):
        name = manifest_name(EAST, HOTELS, manifest.id)
        assert await replica.snapshots.read(name, 1 << 20) == await source.snapshots.read(name, 1 << 20)


async def test_only_what_is_lacking_is_copied(pair: tuple[Store, Store]) -> None:
    source, replica = pair
    first, _ = await write_snapshot(source.snapshots, LINES)
    await replicate(source, replica)
    assert (await replicate(source, replica)).copied == ()
    await write_snapshot(
        source.snapshots, LINES | dict([document(7, " b")]), created=MORNING + DAY, run="run-2", previous=first
    )
    assert (await replicate(source, replica)).packs == 1


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


async def own_packs(store: Store, one: Manifest, other: Manifest) -> set[str]:
    """Return the names of the packs that only one of two snapshots uses."""
    mine, theirs = await used_packs(store.snapshots, one), await used_packs(store.snapshots, other)
    return mine.names(one.folder) - theirs.names(other.folder)


@pytest.mark.parametrize("kind", ["packs", "segments"])
async def test_what_is_damaged_is_skipped_with_the_reason_and_the_rest_copied(kind: str) -> None:
    source, replica = MemoryStore("east"), MemoryStore("west")
    first, second = await two_snapshots(source)
    (name,) = [name for name in await own_packs(source, second, first) if f"/{kind}/" in name]
    await replace(source, name, flip_middle)
    report = await replicate(source, replica)
    assert report.copied == (first.id,)
    assert [skipped.snapshot for skipped in report.skipped] == [second.id]
    assert name in report.skipped[0].why
    assert report.lag == Lag(1, NOW - MORNING - DAY)


async def test_damage_is_not_copied_by_the_accounts_either(azurite: Azurite) -> None:
    source = AzureStore.from_connection_string("east", azurite.new_account())
    replica = AzureStore.from_connection_string("west", azurite.new_account())
    async with source, replica:
        await source.prepare()
        await replica.prepare()
        first, second = await two_snapshots(source)
        (name,) = [name for name in await own_packs(source, second, first) if "/packs/" in name]
        await replace(source, name, flip_middle)
        report = await replicate(source, replica)
        assert report.copied == (first.id,)
        assert [(skipped.snapshot, name in skipped.why) for skipped in report.skipped] == [(second.id, True)]
        assert report.by_the_accounts == report.packs
        assert await replica.snapshots.properties(name) is None
        assert not (await verify_index(replica.snapshots, EAST, HOTELS)).findings


async def test_what_the_source_has_rewritten_is_copied_with_its_record(pair: tuple[Store, Store]) -> None:
    source, replica = pair
    first, _second = await two_snapshots(source)
    packs = packs_of(await chunks_of(source.snapshots, first))
    await rewrite(source.snapshots, first.folder, packs[0])
    await rewrite(source.snapshots, first.folder, (await rewrite(source.snapshots, first.folder, packs[1])).name)
    (segments,) = {node.pack for node in first.tree.nodes}
    await rewrite(source.snapshots, first.folder, segments, segments=True)
    report = await replicate(source, replica)
    assert (len(report.copied), report.skipped) == (2, ())
    assert await packs_in(replica) == await packs_in(source)
    audit = await verify_index(replica.snapshots, EAST, HOTELS)
    assert (audit.findings, audit.unnamed) == ((), 0)


async def test_a_replica_that_has_the_old_packs_needs_nothing() -> None:
    source, replica = MemoryStore("east"), MemoryStore("west")
    first, _ = await write_snapshot(source.snapshots, LINES, **FINE)
    await replicate(source, replica)
    before = await packs_in(replica)
    for pack in packs_of(await chunks_of(source.snapshots, first)):
        await rewrite(source.snapshots, first.folder, pack)
    created = MORNING + DAY
    await write_snapshot(source.snapshots, LINES, created=created, run="run-2", previous=first, **FINE)
    report = await replicate(source, replica)
    assert (len(report.copied), report.packs) == (1, 0)
    assert await packs_in(replica) == before
    assert not (await verify_index(replica.snapshots, EAST, HOTELS)).findings


async def test_a_replica_that_was_rewritten_otherwise_needs_nothing() -> None:
    source, replica = MemoryStore("east"), MemoryStore("west")
    first, _ = await write_snapshot(source.snapshots, LINES, **FINE)
    await replicate(source, replica)
    for pack in packs_of(await chunks_of(source.snapshots, first)):
        await rewrite(replica.snapshots, first.folder, pack)
    created = MORNING + DAY
    await write_snapshot(source.snapshots, LINES, created=created, run="run-2", previous=first, **FINE)
    report = await replicate(source, replica)
    assert (len(report.copied), report.packs) == (1, 0)
    assert not (await verify_index(replica.snapshots, EAST, HOTELS)).findings


async def both_rewritten(*, keep: list[int] | None) -> tuple[MemoryStore, MemoryStore, Manifest]:
    """Return two stores that had one snapshot and rewrote its packs each in its own way, and what the first holds.

    The second one has kept only some members of the first pack, as when its other snapshots need no more.
    """
    source, replica = MemoryStore("east"), MemoryStore("west")
    first, _ = await write_snapshot(source.snapshots, LINES, **FINE)
    await replicate(source, replica)
    packs = packs_of(await chunks_of(source.snapshots, first))
    again, _ = await write_snapshot(source.snapshots, LINES, created=MORNING + DAY, run="run-2", previous=first, **FINE)
    for pack in packs:
        await rewrite(source.snapshots, first.folder, (await rewrite(source.snapshots, first.folder, pack)).name)
    for pack in packs:
        await rewrite(replica.snapshots, first.folder, pack, keep=keep if pack == packs[0] else None)
    if keep is not None:
        await replica.snapshots.delete(manifest_name(EAST, HOTELS, first.id))
    return source, replica, again


@pytest.mark.parametrize("keep", [None, [1, 2, 3]], ids=["all of it", "some of it"])
async def test_what_both_have_rewritten_is_whole_in_both(keep: list[int] | None) -> None:
    source, replica, again = await both_rewritten(keep=keep)
    for one, other in ((source, replica), (replica, source)):
        report = await replicate(one, other)
        assert report.skipped == ()
        assert not (await verify_index(other.snapshots, EAST, HOTELS)).findings
    assert (await verified(replica.snapshots, again)).documents == 300
    assert (await replicate(source, replica)).packs == 0


@pytest.mark.parametrize("way", ["the source from the replica", "the replica from the source"])
async def test_what_both_have_rewritten_repairs_the_other(way: str) -> None:
    source, replica, again = await both_rewritten(keep=None)
    await replicate(source, replica)
    broken, sound = (source, replica) if way.startswith("the source") else (replica, source)
    old = packs_of(await chunks_of(source.snapshots, again))
    new = [name for name in await packs_in(broken) if "/packs/" in name]
    assert not any(pack in name for pack in old for name in new)
    await replace(broken, new[0], flip_middle)
    await broken.snapshots.delete(new[1])
    await broken.snapshots.delete(again.folder.locations(old[-1]))
    for _ in range(2):
        found = await verify_index(broken.snapshots, EAST, HOTELS)
        report = await repair_index(broken, found, [ReplicaSource("other", sound.snapshots)], lambda: NOW)
        assert report.left == ()
    audit = await verify_index(broken.snapshots, EAST, HOTELS)
    assert (audit.damage, audit.snapshots) == ((), 2)


async def test_a_record_that_leads_to_nothing_is_made_anew() -> None:
    """A prune of the replica has removed what an interrupted replication had copied, before its record was there."""
    source, replica = MemoryStore("east"), MemoryStore("west")
    first, _ = await write_snapshot(source.snapshots, LINES, **FINE)
    pack = packs_of(await chunks_of(source.snapshots, first))[0]
    await rewrite(source.snapshots, first.folder, pack)
    await replicate(source, replica)
    await replica.snapshots.delete(manifest_name(EAST, HOTELS, first.id))
    moved = await MovedPacks(replica.snapshots, first.folder).find(pack)
    assert moved is not None
    await replica.snapshots.delete(first.folder.pack(moved.packs[0]))
    report = await replicate(source, replica)
    assert (report.copied, report.skipped) == ((first.id,), ())
    assert not (await verify_index(replica.snapshots, EAST, HOTELS)).findings


@pytest.mark.parametrize("kind", ["packs", "segments"])
async def test_damage_that_no_snapshot_has_does_not_keep_one_from_being_copied(
    kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Else a source with one bad byte, in what was removed long ago, could not be saved."""
    source, replica = MemoryStore("east"), MemoryStore("west")
    first, second = await two_snapshots(source)
    await source.snapshots.delete(manifest_name(EAST, HOTELS, first.id))
    live = LiveMembers(source.snapshots, EAST, HOTELS)
    await live.walk("", second.tree)
    found = [
        (name, each)
        for name in sorted(await packs_in(source))
        if f"/{kind}/" in name
        for each in scan_members(await source.snapshots.read(name, 1 << 30), name)
        if (pack := parse_pack_name(name)) is not None and live.number(pack) and not live.has(pack, each.offset)
    ]
    name, unused = found[0]
    await replace(source, name, flip(unused.offset + unused.stored // 2))
    report = await replicate(source, replica)
    assert (report.copied, report.skipped) == ((second.id,), ())
    assert name in caplog.text
    assert name not in await packs_in(replica)
    audit = await verify_index(replica.snapshots, EAST, HOTELS)
    assert (audit.findings, audit.snapshots) == ((), 1)
    back = MemoryStore("new")
    assert (await replicate(replica, back)).copied == (second.id,)
    assert not (await verify_index(back.snapshots, EAST, HOTELS)).findings


async def test_a_replica_that_keeps_its_records_says_so() -> None:
    """An immutability policy may keep a record that lacks what a snapshot needs."""
    source, replica, again = await both_rewritten(keep=[1, 2, 3])
    replica.snapshots.immutable = {name for name in await packs_in(replica) if "/locations/" in name}
    (skipped,) = [each for each in (await replicate(source, replica)).skipped if each.snapshot == again.id]
    assert "/locations/" in skipped.why
    assert "immutability policy" in skipped.why
    replica.snapshots.immutable = set()
    assert (await replicate(source, replica)).skipped == ()


async def test_a_pack_is_copied_again_if_the_replica_has_rewritten_too_little_of_it() -> None:
    source, replica = MemoryStore("east"), MemoryStore("west")
    first, _ = await write_snapshot(source.snapshots, LINES, **FINE)
    pack = packs_of(await chunks_of(source.snapshots, first))[0]
    await replicate(source, replica)
    await rewrite(replica.snapshots, first.folder, pack, keep=[1, 2, 3])
    created = MORNING + DAY
    await write_snapshot(source.snapshots, LINES, created=created, run="run-2", previous=first, **FINE)
    report = await replicate(source, replica)
    assert (report.skipped, report.packs) == ((), 1)
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
        name = first.folder.pack(packs_of(await chunks_of(source.snapshots, first))[0])
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
    snapshots = [
        summarise(manifest_of(Tree(), "0" * 64, created=MORNING + day * DAY, run=f"r{day}")) for day in range(3)
    ]
    assert lag(snapshots, snapshots, NOW) == Lag(0, timedelta(0))
    assert lag(snapshots, snapshots[:1], NOW) == Lag(2, 2 * DAY)
    assert lag(snapshots, [], NOW) == Lag(3, 3 * DAY)
    assert lag([], snapshots, NOW) == Lag(0, timedelta(0))
