"""What a backup of an unchanged index writes, and what is left of that when it is killed at each write."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from indexvault.backup import key_ranges
from indexvault.backup.job import KeptRange
from indexvault.backup.limits import Limits
from indexvault.backup.state import KeptRanges
from indexvault.errors import ConflictError, IndexvaultError
from indexvault.snapshots.authority import NO_AUTHORITY
from indexvault.snapshots.catalogue import list_snapshots, resolve_manifest
from indexvault.snapshots.chunks import ends_chunk
from indexvault.snapshots.manifest import Manifest, seal
from indexvault.snapshots.names import SnapshotReference, manifest_name
from indexvault.snapshots.records import RecordStore
from indexvault.snapshots.summary import summarise, to_metadata
from tests import hotels
from tests.snapshots.samples import verified
from tests.watched_store import WatchedStore
from tests.world import EAST, LATER, World, open_world, upload_batch

DOCUMENTS = 800
LIMITS = Limits(smallest_range=DOCUMENTS // 16)
OFTEN = msgspec.structs.replace(LIMITS, checkpoint_bytes=1)
RUN = "interrupted"
MOST_WRITES = 5


@asynccontextmanager
async def filled(limits: Limits = LIMITS, documents: int = DOCUMENTS) -> AsyncIterator[World]:
    async with open_world(WatchedStore(), limits=limits) as world:
        await world.fill(hotels.DEFINITION, hotels.hotels(documents))
        await world.back_up("hotels")
        store_of(world).written.clear()
        yield world


def store_of(world: World) -> WatchedStore:
    assert isinstance(world.store, WatchedStore)
    return world.store


async def newest(world: World) -> Manifest:
    return await resolve_manifest(world.store.snapshots, SnapshotReference(service=EAST, index="hotels"), now=LATER)


async def change(world: World, position: int) -> None:
    renamed = hotels.hotels(DOCUMENTS)[position] | {"name": f"renamed {position}"}
    await world.east.index_documents("hotels", upload_batch([msgspec.json.encode(renamed)]))


async def searches(world: World) -> int:
    return int((await world.requests(EAST))["search"]["requests"])


def records(world: World, kind: str) -> list[str]:
    return [name for name in store_of(world).written if f"-{kind}-" in name]


@pytest.mark.parametrize(
    ("documents", "smallest_range", "parallel"), [(20, 20, 1), (800, 50, 4), (2_000, 20, 8)], ids=["1", "16", "32"]
)
async def test_it_writes_five_blobs_whatever_the_size(documents: int, smallest_range: int, parallel: int) -> None:
    async with filled(Limits(smallest_range=smallest_range), documents) as world:
        before = await newest(world)
        report = await world.back_up("hotels", parallel=parallel)
        assert len(store_of(world).written) <= MOST_WRITES, store_of(world).written
        after = await newest(world)
        assert after.id == report.snapshot != before.id
        assert (after.tree, after.content_digest, after.added.chunks) == (before.tree, before.content_digest, 0)
        assert report.documents == documents
        assert report.reading is not None
        assert report.reading.parts == {20: 1, 800: 16, 2_000: 32}[documents]


async def test_a_changed_range_alone_has_a_record() -> None:
    async with filled() as world:
        await change(world, 400)
        report = await world.back_up("hotels")
        assert (report.documents, report.added_chunks) == (DOCUMENTS, 1)
        assert len(records(world, "range")) == 1
        (await verified(world.store.snapshots, await newest(world))).raise_for_damage()


@pytest.mark.parametrize("deleted", [0, 399, 799])
async def test_a_range_that_only_lacks_documents_is_not_as_before(deleted: int) -> None:
    async with filled() as world:
        ids = [each["id"] for each in hotels.hotels(DOCUMENTS)]
        actions = [{"@search.action": "delete", "id": ids[deleted]}]
        await world.east.index_documents("hotels", msgspec.json.encode({"value": actions}))
        report = await world.back_up("hotels")
        assert report.documents == DOCUMENTS - 1
        manifest = await newest(world)
        assert manifest.tree.documents == DOCUMENTS - 1
        (await verified(world.store.snapshots, manifest)).raise_for_damage()


async def test_every_chunk_of_a_range_gone_is_not_as_before() -> None:
    async with filled() as world:
        ids = [each["id"] for each in hotels.hotels(DOCUMENTS)]
        actions = [{"@search.action": "delete", "id": each} for each in ids[200:600]]
        await world.east.index_documents("hotels", msgspec.json.encode({"value": actions}))
        report = await world.back_up("hotels")
        assert report.documents == DOCUMENTS - 400
        (await verified(world.store.snapshots, await newest(world))).raise_for_damage()


async def writes_undisturbed(limits: Limits) -> int:
    async with filled(limits) as world:
        await world.back_up("hotels", run=RUN)
        return len(store_of(world).written)


@pytest.mark.parametrize("done", [False, True])
@pytest.mark.parametrize("limits", [LIMITS, OFTEN], ids=["few records", "a record after each range"])
async def test_killed_at_any_write_it_resumes_and_makes_one_snapshot(*, limits: Limits, done: bool) -> None:
    writes = await writes_undisturbed(limits)
    step = 1 if limits == LIMITS else 4
    for dies_at in range(1, writes + 1, step):
        async with filled(limits) as world:
            store = store_of(world)
            before = await newest(world)
            store.dies_at, store.done = dies_at, done
            died: IndexvaultError | None = None
            try:
                await world.back_up("hotels", run=RUN)
            except IndexvaultError as error:
                died = error
            store.dies_at = None
            report = await world.back_up("hotels", run=RUN)
            assert (report.state, report.documents, report.notes) == ("complete", DOCUMENTS, []), (dies_at, died)
            manifest = await newest(world)
            assert (manifest.id, manifest.run, manifest.tree) == (report.snapshot, RUN, before.tree)
            made = [each.run for each in await list_snapshots(store.snapshots, EAST, "hotels")]
            assert made.count(RUN) == 1 or died is None, (dies_at, made)
            for prefix in ("runs/", "locks/"):
                assert not [blob.name async for blob in store.runs.list(prefix) if blob.size and prefix == "runs/"]


async def die(_run: Any, _resources: Any, _given: Any) -> Any:
    raise ConflictError("it died", on="a test", do="Run again")


async def interrupted(world: World) -> None:
    """Leave what a backup has recorded by its commit, and forget the requests."""
    world.around["commit_snapshot"] = die
    with pytest.raises(ConflictError):
        await world.back_up("hotels", run=RUN)
    del world.around["commit_snapshot"]
    await world.control("DELETE", EAST, "/requests")


async def test_what_was_recorded_as_unchanged_is_counted_and_not_read_again() -> None:
    async with filled(OFTEN) as world:
        await world.back_up("hotels")
        reading = await searches(world)
        await world.control("DELETE", EAST, "/requests")
        await interrupted(world)
        assert len(records(world, "kept")) > 1
        report = await world.back_up("hotels", run=RUN)
        assert (report.documents, report.notes) == (DOCUMENTS, [])
        assert await searches(world) < reading
        (await verified(world.store.snapshots, await newest(world))).raise_for_damage()


async def test_activities_that_read_many_ranges_record_on_their_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_ranges, "MOST_SCANS", 2)
    async with filled(OFTEN) as world:
        await interrupted(world)
        assert len(records(world, "kept")) >= 16
        report = await world.back_up("hotels", run=RUN)
        assert (report.documents, report.added_chunks, report.notes) == (DOCUMENTS, 0, [])


async def test_a_range_that_has_changed_since_is_read_again() -> None:
    async with filled(OFTEN) as world:
        await interrupted(world)
        added = hotels.hotels(DOCUMENTS)[400] | {"id": hotels.hotels(DOCUMENTS)[400]["id"] + "a"}
        await world.east.index_documents("hotels", upload_batch([msgspec.json.encode(added)]))
        report = await world.back_up("hotels", run=RUN)
        assert report.documents == DOCUMENTS + 1
        assert len(records(world, "range")) == 1
        (await verified(world.store.snapshots, await newest(world))).raise_for_damage()


FORGED: dict[str, Any] = {
    "another digest": lambda each: msgspec.structs.replace(each, digest="0" * 64),
    "other documents": lambda each: msgspec.structs.replace(each, documents=each.documents + 1, bytes=-7),
    "other positions": lambda each: msgspec.structs.replace(each, position=15 - each.position),
    "a position that is none": lambda each: msgspec.structs.replace(each, position=10**9),
}


@pytest.mark.parametrize("forged", FORGED)
async def test_a_record_of_unchanged_ranges_vouches_for_nothing(forged: str) -> None:
    async with filled(OFTEN) as world:
        await interrupted(world)
        store = RecordStore(world.store.runs, KeptRanges)
        names = [blob.name async for blob in world.store.runs.list("runs/") if "-kept-" in blob.name]
        for name in names:
            record = await store.read(name)
            assert record is not None
            ranges: tuple[KeptRange, ...] = tuple(map(FORGED[forged], record.ranges))
            await store.write(name, KeptRanges(ranges))
        report = await world.back_up("hotels", run=RUN)
        assert (report.state, report.documents) == ("complete", DOCUMENTS)
        (await verified(world.store.snapshots, await newest(world))).raise_for_damage()


async def test_a_snapshot_that_is_damaged_before_the_commit_is_read_over() -> None:
    async with filled() as world:
        before = await newest(world)
        segments = [blob.name async for blob in world.store.snapshots.list(before.folder.prefix("segments"))]

        async def damage(run: Any, resources: Any, given: Any) -> Any:
            del world.around["commit_snapshot"]
            for name in segments:
                await world.store.snapshots.delete(name)
            return await run(resources, given)

        assert segments
        world.around["commit_snapshot"] = damage
        report = await world.back_up("hotels", run=RUN)
        assert report.documents == DOCUMENTS
        assert any("read twice" in note for note in report.notes)
        (await verified(world.store.snapshots, await newest(world))).raise_for_damage()


async def test_documents_whose_pack_an_interrupted_run_has_stored_are_not_as_before() -> None:
    fields = [
        {"name": "id", "type": "Edm.String", "key": True, "filterable": True, "sortable": True},
        {"name": "text", "type": "Edm.String", "filterable": False, "sortable": False, "facetable": False},
    ]
    documents = [{"id": f"{number:04}", "text": "x" * 100} for number in range(100)]
    async with open_world(WatchedStore(), limits=Limits(pack_bytes=1)) as world:
        await world.fill({"name": "hotels", "fields": fields}, documents)
        await world.back_up("hotels")
        before = await newest(world)
        end = before.tree.chunks[0].last
        ids = (f"{end}-{number}" for number in range(10_000))
        large = {"id": next(each for each in ids if ends_chunk(each, before.boundary_bits)), "text": "x" * 2**21}
        await world.east.index_documents("hotels", upload_batch([msgspec.json.encode(large)]))
        store = store_of(world)

        async def die_at_a_record(run: Any, resources: Any, given: Any) -> Any:
            put = store.runs.put

            async def refuse(name: str, data: bytes, **conditions: Any) -> str:
                if "-range-" in name:
                    raise ConflictError("it died", on=name, do="Run again")
                return await put(name, data, **conditions)

            store.runs.put = refuse  # type: ignore[method-assign]  # what crosses to the store fails
            try:
                return await run(resources, given)
            finally:
                store.runs.put = put  # type: ignore[method-assign]  # as before

        world.around["scan_range"] = die_at_a_record
        with pytest.raises(ConflictError):
            await world.back_up("hotels", run=RUN)
        del world.around["scan_range"]
        report = await world.back_up("hotels", run=RUN)
        assert (report.documents, report.notes) == (101, [])


async def test_a_last_snapshot_that_is_replaced_before_the_commit_is_not_relied_on() -> None:
    async with filled() as world:
        other = await newest(world)
        await change(world, 400)
        await world.back_up("hotels")
        before = await newest(world)

        async def replace(run: Any, resources: Any, given: Any) -> Any:
            del world.around["commit_snapshot"]
            times = {"created": before.created, "started": before.started, "finished": before.finished}
            forged = msgspec.structs.replace(other, id=before.id, **times)
            blobs, name = world.store.snapshots, manifest_name(EAST, "hotels", before.id)
            await blobs.delete(name)
            assert await blobs.create(name, seal(forged, NO_AUTHORITY), metadata=to_metadata(summarise(forged)))
            return await run(resources, given)

        world.around["commit_snapshot"] = replace
        report = await world.back_up("hotels", run=RUN)
        manifest = await newest(world)
        assert (manifest.id, manifest.content_digest) == (report.snapshot, before.content_digest)
        (await verified(world.store.snapshots, manifest)).raise_for_damage()
