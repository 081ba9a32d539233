"""What should be in a store and is not: manifests that vanished, in every way they can."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from indexvault.clients import Clients
from indexvault.errors import NotFoundError, UnreachableError
from indexvault.maintenance.stock import Missing, Stock, take_stock
from indexvault.settings.model import PolicySettings
from indexvault.snapshots.known import forget_snapshot, give_up, note_snapshot
from indexvault.snapshots.names import SERVICE_OBJECTS, SnapshotReference, manifest_name
from indexvault.snapshots.prune import Removal, prune_index
from indexvault.snapshots.replicate import replicate_index
from indexvault.snapshots.run_names import known_name, known_prefix
from indexvault.snapshots.service_manifest import ServiceManifest, commit_service
from indexvault.snapshots.store import BlobProperties, Store
from indexvault.snapshots.summary import Summary
from tests.memory_store import MemoryRunBlobs, MemorySnapshotBlobs, MemoryStore
from tests.snapshots.samples import MORNING, documents, write_snapshot
from tests.world import EAST, open_world

HOTELS = "hotels"
DAY = timedelta(days=1)
NOW = MORNING + 10 * DAY
POLICY = PolicySettings(service=EAST, schedule="0 0 2 * * *", replicate_to=("west",))


class Ground:
    """Two stores, the first one the service's own and the second its replica."""

    def __init__(self, clients: Clients, own: MemoryStore, west: MemoryStore) -> None:
        self.clients = clients
        self.own = own
        self.west = west

    async def stock(self, store: str = "local", service: str | None = EAST, index: str | None = HOTELS) -> Stock:
        return await take_stock(self.clients, store, service, index)

    async def replicate(self, index: str = HOTELS) -> None:
        await replicate_index(self.own, self.west, EAST, index, clock=lambda: NOW)


@asynccontextmanager
async def ground() -> AsyncIterator[Ground]:
    own, west = MemoryStore("local", lambda: MORNING), MemoryStore("west", lambda: MORNING)
    async with open_world(own, replicas={"west": west}, policies={"nightly": POLICY}) as world:
        yield Ground(world.clients, own, west)


async def snapshot(store: Store, day: int = 0, index: str = HOTELS) -> Summary:
    """Commit a snapshot and record it, as every verb does."""
    created = MORNING + day * DAY
    _, summary = await write_snapshot(store.snapshots, documents(range(20)), index=index, created=created)
    await note_snapshot(store.runs, summary)
    return summary


async def vanish(store: Store, *summaries: Summary) -> None:
    for summary in summaries:
        assert await store.snapshots.delete(manifest_name(summary.service, summary.index, summary.id))


def states(stock: Stock) -> list[tuple[str, str]]:
    return [(summary.id, summary.state) for summary in stock.listed()]


async def test_a_vanished_manifest_is_missing_and_the_store_that_has_it_is_named() -> None:
    async with ground() as here:
        made = [await snapshot(here.own, day) for day in range(3)]
        assert (await here.stock()).missing == ()
        await here.replicate()
        await vanish(here.own, made[1])
        stock = await here.stock()
        assert stock.missing == (Missing(made[1].reference, ("west",)),)
        assert states(stock) == [(made[2].id, "complete"), (made[1].id, "missing"), (made[0].id, "complete")]
        await vanish(here.west, made[1])
        stock = await here.stock()
        assert stock.missing == (Missing(made[1].reference, ()),)
        assert "no other store has it" in stock.missing[0].what
        # What the replica was given is known there, too.
        assert (await here.stock("west")).missing == (Missing(made[1].reference, ()),)


@pytest.mark.parametrize(("service", "index"), [(EAST, HOTELS), (EAST, None), (None, None)])
async def test_an_index_all_of_whose_manifests_are_gone_is_noticed(service: str | None, index: str | None) -> None:
    async with ground() as here:
        made = [await snapshot(here.own, day) for day in range(2)]
        await here.replicate()
        await vanish(here.own, *made)
        stock = await here.stock(service=service, index=index)
        assert stock.missing == tuple(Missing(each.reference, ("west",)) for each in made)


@pytest.mark.parametrize(("service", "index"), [(EAST, HOTELS), (EAST, None), (None, None)])
async def test_the_loss_of_both_containers_is_noticed_by_the_replica(service: str | None, index: str | None) -> None:
    """Nothing is recorded any more, but replicas are copied from the service's own store: it held what they hold."""
    async with ground() as here:
        made = await snapshot(here.own)
        await here.replicate()
        here.own.snapshots._blobs.clear()
        here.own.runs._blobs.clear()
        assert (await here.stock(service=service, index=index)).missing == (Missing(made.reference, ("west",)),)


async def test_a_replica_that_was_not_copied_to_yet_misses_nothing() -> None:
    async with ground() as here:
        await snapshot(here.own)
        assert (await here.stock("west")).missing == ()


async def test_what_a_replica_alone_still_has_is_not_missing_while_others_are_there() -> None:
    """An immutability policy may keep in the replica what was removed from the first store long ago."""
    async with ground() as here:
        old = await snapshot(here.own)
        await here.replicate()
        await snapshot(here.own, 1)
        await vanish(here.own, old)
        await forget_snapshot(here.own.runs, old.reference)
        assert (await here.stock()).missing == ()


async def test_the_loss_of_the_runs_container_makes_no_sound_snapshot_look_bad() -> None:
    async with ground() as here:
        made = await snapshot(here.own)
        here.own.runs._blobs.clear()
        stock = await here.stock()
        assert states(stock) == [(made.id, "complete")]
        assert [summary.id for summary in stock.unrecorded] == [made.id]


@pytest.mark.parametrize("is_gone", [True, False])
async def test_without_the_records_only_a_listing_may_go_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, *, is_gone: bool
) -> None:
    """A runs container that is gone knows none; one that does not answer may know of a loss, so nothing is whole."""
    kind = NotFoundError if is_gone else UnreachableError

    async def fail(_self: MemoryRunBlobs, prefix: str) -> AsyncIterator[BlobProperties]:
        if prefix:
            raise kind("no listing", on="search-runs", do="")
        yield BlobProperties(prefix, 0, MORNING)

    async with ground() as here:
        made = await snapshot(here.own)
        with monkeypatch.context() as patched:
            patched.setattr(MemoryRunBlobs, "list", fail)
            listed = await take_stock(here.clients, "local", EAST, HOTELS, certain=False)
            assert states(listed) == [(made.id, "complete")]
            if is_gone:
                assert states(await here.stock()) == [(made.id, "complete")]
            else:
                with pytest.raises(UnreachableError):
                    await here.stock()
                with pytest.raises(UnreachableError):
                    await prune_index(here.own, EAST, HOTELS, [], clock=lambda: NOW)
    assert "is not known" in caplog.text


async def test_a_store_without_its_snapshot_container_lacks_what_the_replica_has(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with ground() as here:
        made = await snapshot(here.own)
        await here.replicate()
        absent = NotFoundError("the container is not there", on="search-snapshots", do="")

        async def no_container(prefix: str) -> AsyncIterator[BlobProperties]:
            if prefix:
                raise absent
            yield BlobProperties(prefix, 0, MORNING)

        async def no_blob(*_: object) -> BlobProperties | None:
            raise absent

        for name in ("list", "folders"):
            monkeypatch.setattr(here.own.snapshots, name, no_container)
        monkeypatch.setattr(here.own.snapshots, "properties", no_blob)
        for index in (HOTELS, None):
            assert (await here.stock(index=index)).missing == (Missing(made.reference, ("west",)),)
        here.west.snapshots._blobs.clear()
        here.own.runs._blobs.clear()
        with pytest.raises(NotFoundError, match="container is not there"):
            await here.stock()


async def test_a_snapshot_of_a_service_s_objects_that_vanished_is_missing() -> None:
    manifest = ServiceManifest(
        id="20261120T023000Z-abcdef",
        service=EAST,
        state="complete",
        created=MORNING,
        tool="indexvault",
        run="run-1",
        objects=(),
    )
    async with ground() as here:
        summary = await commit_service(here.own.snapshots, manifest)
        await note_snapshot(here.own.runs, summary)
        await here.replicate(SERVICE_OBJECTS)
        await vanish(here.own, summary)
        assert (await here.stock(index=None)).missing == (Missing(summary.reference, ("west",)),)
        assert (await here.stock("west", index=None)).missing == ()


async def test_what_is_removed_on_purpose_is_not_missing_nor_while_it_is_being_removed() -> None:
    async with ground() as here:
        old, _new = await snapshot(here.own), await snapshot(here.own, 1)
        deleted: list[Sequence[Missing]] = []
        delete = here.own.snapshots.delete

        async def and_look(name: str) -> bool:
            there = await delete(name)
            deleted.append((await here.stock()).missing)
            return there

        here.own.snapshots.delete = and_look  # type: ignore[method-assign]
        removals = [Removal(old.id, "no rule keeps it")]
        await prune_index(here.own, EAST, HOTELS, removals, clock=lambda: NOW)
        assert (await here.stock()).missing == ()
        await prune_index(here.own, EAST, HOTELS, removals, clock=lambda: NOW + 2 * DAY)
        assert (await here.stock()).missing == ()
        assert deleted
        assert set(map(tuple, deleted)) == {()}
        assert [blob.name async for blob in here.own.runs.list("tombstones/")] == []


async def test_a_prune_that_died_before_it_removed_the_record_leaves_nothing_missing() -> None:
    """Nor does a record that was written late, when the snapshot was removed already."""
    async with ground() as here:
        old, _new = await snapshot(here.own), await snapshot(here.own, 1)
        await prune_index(here.own, EAST, HOTELS, [Removal(old.id, "old")], clock=lambda: NOW)
        await note_snapshot(here.own.runs, old)
        assert (await here.stock()).missing == ()
        await prune_index(here.own, EAST, HOTELS, [], clock=lambda: NOW + 2 * DAY)
        assert await here.own.runs.read(known_name(EAST, HOTELS, old.id), 1000) is None
        assert (await here.stock()).missing == ()


async def test_one_committed_while_the_stock_is_taken_is_not_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    async with ground() as here:
        listing = MemorySnapshotBlobs.list

        async def then_commit(self: MemorySnapshotBlobs, prefix: str) -> AsyncIterator[BlobProperties]:
            async for blob in listing(self, prefix):
                yield blob
            monkeypatch.setattr(MemorySnapshotBlobs, "list", listing)
            await snapshot(here.own)

        await snapshot(here.own, 1)
        monkeypatch.setattr(MemorySnapshotBlobs, "list", then_commit)
        assert (await here.stock()).missing == ()


async def test_no_pack_is_swept_while_a_manifest_is_missing() -> None:
    """A repair puts the manifest back; its packs must be there then, and they may be nowhere else."""
    async with ground() as here:
        old, _ = await snapshot(here.own), await snapshot(here.own, 1, index="rooms")
        lines = documents(range(500, 520))
        _, new = await write_snapshot(here.own.snapshots, lines, created=MORNING + DAY, run="run-2")
        await note_snapshot(here.own.runs, new)
        await vanish(here.own, old)
        packs = len(here.own.snapshots._blobs)
        report = await prune_index(here.own, EAST, HOTELS, [], clock=lambda: NOW)
        assert old.id in report.sweep.hindrance
        assert len(here.own.snapshots._blobs) == packs
        await give_up(here.own.runs, old.reference, NOW)
        assert (await here.stock()).missing == ()
        report = await prune_index(here.own, EAST, HOTELS, [], clock=lambda: NOW + 2 * DAY)
        assert report.sweep.hindrance == ""
        assert report.sweep.removed > 0


async def test_foreign_blobs_among_the_records_are_passed_over() -> None:
    async with ground() as here:
        made = await snapshot(here.own)
        for name in ("x", "rooms/notes.json", f"hotels/{made.id}.txt", "a.b/20261120T023000Z-ffffff.json"):
            await here.own.runs.put(f"{known_prefix(EAST)}{name}", b"no record")
        await here.own.runs.put(known_name(EAST, HOTELS, made.id), b"not JSON")
        assert (await here.stock(index=None)).missing == ()
        await vanish(here.own, made)
        assert [each.reference for each in (await here.stock()).missing] == [
            SnapshotReference(service=EAST, index=HOTELS, id=made.id)
        ]


async def test_thousands_of_snapshots_take_one_listing_more(monkeypatch: pytest.MonkeyPatch) -> None:
    listed: list[str] = []
    listing = MemoryRunBlobs.list

    def counted(self: MemoryRunBlobs, prefix: str) -> AsyncIterator[BlobProperties]:
        listed.append(prefix)
        return listing(self, prefix)

    async with ground() as here:
        for day in range(5):
            await snapshot(here.own, day)
        monkeypatch.setattr(MemoryRunBlobs, "list", counted)
        monkeypatch.delattr(MemorySnapshotBlobs, "properties")
        await here.stock()
        await here.stock(index=None)
        await here.stock(service=None, index=None)
    assert listed == ["known/contoso-east/hotels/", "known/contoso-east/", "known/"]
