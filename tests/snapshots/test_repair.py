"""What a repair replaces, and what it never does."""

import hashlib
import time
from datetime import timedelta
from typing import Any

import pytest

from indexvault.snapshots.catalogue import list_snapshots
from indexvault.snapshots.chunks import Chunk, content_digest, document_lines
from indexvault.snapshots.locations import decode_locations, encode_locations
from indexvault.snapshots.manifest import Manifest
from indexvault.snapshots.names import PackFolder, PackName, manifest_name
from indexvault.snapshots.reader import read_chunk
from indexvault.snapshots.repair import RepairReport, repair_index
from indexvault.snapshots.repair_packs import _Gathered, _Needed
from indexvault.snapshots.repair_sources import ReplicaSource, Source
from indexvault.snapshots.store import Store
from indexvault.snapshots.verify import verify_index
from tests.memory_store import MemoryStore
from tests.snapshots.damaging import Change, flip, flip_in, flip_middle, packs_of, replace, rewrite
from tests.snapshots.living import Live
from tests.snapshots.samples import MORNING, chunks_of, document, documents, write_snapshot

EAST, HOTELS = "contoso-east", "hotels"
LINES = documents(range(300))
NOW = MORNING + timedelta(days=5)
FINE: dict[str, Any] = {"bits": 2, "pack_bytes": 4000}
"""So many chunks that they stand in segments, and several packs."""


async def two_snapshots(store: Store, **fine: Any) -> tuple[Manifest, Manifest]:
    fine = fine or FINE
    first, _ = await write_snapshot(store.snapshots, LINES, **fine)
    changed = LINES | dict([document(150, " b")])
    second, _ = await write_snapshot(
        store.snapshots, changed, created=MORNING + timedelta(days=1), run="run-2", previous=first, **fine
    )
    return first, second


@pytest.fixture
async def replica() -> MemoryStore:
    store = MemoryStore("west")
    await two_snapshots(store)
    return store


def sources_of(*places: Store | Live) -> list[Source]:
    return [each if isinstance(each, Live) else ReplicaSource(f"store {each.name}", each.snapshots) for each in places]


async def repair(store: Store, *places: Store | Live) -> RepairReport:
    audit = await verify_index(store.snapshots, EAST, HOTELS)
    assert audit.damage
    return await repair_index(store, audit, sources_of(*places), lambda: NOW)


async def require_sound(store: Store, *manifests: Manifest) -> None:
    """Verify everything, and read the documents of the snapshots."""
    after = await verify_index(store.snapshots, EAST, HOTELS)
    assert (after.damage, after.snapshots) == ((), len(manifests))
    assert after.unnamed == 0
    for manifest in manifests:
        chunks = await chunks_of(store.snapshots, manifest)
        lines = [await read_chunk(store.snapshots, manifest.folder, chunk) for chunk in chunks]
        assert content_digest(line for data in lines for line in document_lines(data)) == manifest.content_digest


async def names_of(store: Store) -> set[str]:
    return {blob.name async for blob in store.snapshots.list("")}


async def test_every_kind_of_damage_is_put_right_from_a_replica(store: Store, replica: MemoryStore) -> None:
    first, second = await two_snapshots(store)
    before = await names_of(store)
    packs = packs_of(await chunks_of(store.snapshots, first))
    missing, cut_off = first.folder.pack(packs[0]), first.folder.pack(packs[2])
    segments = first.folder.segments(first.tree.nodes[0].pack)
    manifest = manifest_name(EAST, HOTELS, second.id)
    await store.snapshots.delete(missing)
    await replace(store, cut_off, lambda data: data[:40])
    await replace(store, manifest, lambda data: data.replace(b'"run-2"', b'"run-3"'))
    report = await repair(store, replica)
    assert [each.blob for each in report.repaired] == [manifest, *sorted([missing, cut_off])]
    assert {each.source for each in report.repaired} == {"store west"}
    assert report.left == ()
    await replace(store, segments, flip_middle)
    assert [each.blob for each in (await repair(store, replica)).repaired] == [segments]
    await require_sound(store, first, second)
    assert await names_of(store) == before
    assert len(await list_snapshots(store.snapshots)) == 2


@pytest.mark.parametrize("where", [0, 14, 20, 60, -6, -1], ids=["header", "length", "hash", "deflate", "crc", "size"])
@pytest.mark.parametrize("place", ["replica", "live"])
async def test_flipped_bits_are_put_right(replica: MemoryStore, where: int, place: str) -> None:
    store = MemoryStore()
    first, second = await two_snapshots(store)
    chunk = (await chunks_of(store.snapshots, first))[7]
    name = first.folder.pack(chunk.pack)
    await replace(store, name, flip(chunk.offset + (where if where >= 0 else chunk.stored + where)))
    report = await repair(store, replica if place == "replica" else Live(LINES))
    assert [(each.blob, each.snapshots) for each in report.repaired] == [(name, (first.id, second.id))]
    await require_sound(store, first, second)


@pytest.mark.parametrize("damage", [lambda _: b"", lambda data: data[:2000], flip_middle], ids=["empty", "cut", "flip"])
async def test_the_live_index_gives_back_the_chunks_that_are_unchanged(store: Store, damage: Change) -> None:
    """What is sound is kept, the rest comes from the index; a record leads from the old pack to the new one."""
    first, second = await two_snapshots(store)
    pack = packs_of(await chunks_of(store.snapshots, first))[1]
    await replace(store, first.folder.pack(pack), damage)
    report = await repair(store, Live(LINES))
    assert [(each.blob, each.source) for each in report.repaired] == [(first.folder.pack(pack), Live.name)]
    await require_sound(store, first, second)


async def test_a_missing_pack_comes_back_under_its_name_where_all_its_chunks_are_known() -> None:
    store = MemoryStore()
    first, second = await two_snapshots(store)
    before = await names_of(store)
    await store.snapshots.delete(first.folder.pack(packs_of(await chunks_of(store.snapshots, first))[0]))
    assert (await repair(store, Live(LINES))).left == ()
    assert await names_of(store) == before
    await require_sound(store, first, second)


async def test_a_replica_that_has_rewritten_its_packs_gives_back_the_chunks(replica: MemoryStore) -> None:
    store = MemoryStore()
    first, second = await two_snapshots(store)
    packs = packs_of(await chunks_of(store.snapshots, first))
    segments = first.tree.nodes[0].pack
    for pack in packs[:2]:
        await rewrite(replica.snapshots, first.folder, pack)
    await rewrite(replica.snapshots, first.folder, segments, segments=True)
    await replace(store, first.folder.pack(packs[0]), flip_middle)
    await store.snapshots.delete(first.folder.pack(packs[1]))
    await store.snapshots.delete(first.folder.segments(segments))
    # With the segments, what lies below them is seen.
    reports = [await repair(store, replica), await repair(store, replica)]
    assert [report.left for report in reports] == [(), ()]
    assert {each.source for report in reports for each in report.repaired} == {"store west"}
    assert sum(len(report.repaired) for report in reports) == 3
    await require_sound(store, first, second)


@pytest.mark.parametrize("what", ["lost", "flipped", "lacks one"])
async def test_a_record_of_locations_is_made_again_from_the_packs(store: Store, what: str) -> None:
    first, second = await two_snapshots(store)
    packs = packs_of(await chunks_of(store.snapshots, first))
    one = await rewrite(store.snapshots, first.folder, packs[0])
    two = await rewrite(store.snapshots, first.folder, one.name)
    segments = first.tree.nodes[0].pack
    await rewrite(store.snapshots, first.folder, segments, segments=True)
    for pack in (packs[0], segments, one.name):
        record = first.folder.locations(pack)
        if what == "lost":
            await store.snapshots.delete(record)
        elif what == "flipped":
            await replace(store, record, flip_middle)
        else:
            kept = sorted(decode_locations(await store.snapshots.read(record, 1 << 20), "").values(), key=repr)[1:]
            rest = encode_locations(kept)
            await replace(store, record, lambda _: rest)  # noqa: B023 - it is called at once
    first_time = await repair(store)
    assert first_time.left == ()
    while (await verify_index(store.snapshots, EAST, HOTELS)).damage:
        assert (await repair(store)).left == ()
    assert {each.source for each in first_time.repaired} == {"other packs"}
    await require_sound(store, first, second)
    assert await store.snapshots.properties(first.folder.pack(two.name)) is not None


async def test_a_rewritten_pack_that_is_lost_is_gathered_for_those_that_lead_to_it(replica: MemoryStore) -> None:
    store = MemoryStore()
    first, second = await two_snapshots(store)
    pack = packs_of(await chunks_of(store.snapshots, first))[0]
    new = await rewrite(store.snapshots, first.folder, pack)
    newer = await rewrite(store.snapshots, first.folder, new.name)
    await store.snapshots.delete(first.folder.pack(newer.name))
    report = await repair(store, replica)
    assert [each.blob for each in report.repaired] == [first.folder.pack(newer.name)]
    await require_sound(store, first, second)


async def test_segments_can_not_be_made_again_from_chunks() -> None:
    store = MemoryStore()
    first, _second = await two_snapshots(store)
    name = first.folder.segments(first.tree.nodes[0].pack)
    await replace(store, name, flip_middle)
    before = await names_of(store)
    report = await repair(store, Live(LINES))
    assert [each.blob for each in report.left] == [name]
    assert first.id in report.left[0].snapshots
    assert "segments" in report.left[0].why
    assert await names_of(store) == before


async def test_what_no_source_has_is_left_as_it_is(store: Store, replica: MemoryStore) -> None:
    first, second = await two_snapshots(store)
    name = first.folder.pack(packs_of(await chunks_of(store.snapshots, first))[0])
    await replace(store, name, lambda data: data[:40])
    await replace(replica, name, lambda data: data[:41])
    report = await repair(store, replica)
    assert [(each.blob, each.snapshots) for each in report.left] == [(name, (first.id, second.id))]
    assert "store west" in report.left[0].why
    assert len(await store.snapshots.read(name, 100)) == 40


async def test_the_second_source_is_asked_when_the_first_has_nothing(store: Store, replica: MemoryStore) -> None:
    first, _ = await two_snapshots(store)
    await store.snapshots.delete(first.folder.pack(packs_of(await chunks_of(store.snapshots, first))[0]))
    report = await repair(store, MemoryStore("empty"), replica)
    assert [each.source for each in report.repaired] == ["store west"]


@pytest.mark.parametrize("place", ["replica", "live"])
async def test_what_may_not_be_deleted_is_reported_and_stays(replica: MemoryStore, place: str) -> None:
    store = MemoryStore()
    first, _ = await two_snapshots(store)
    name = first.folder.pack(packs_of(await chunks_of(store.snapshots, first))[0])
    await replace(store, name, lambda data: data[:40])
    store.snapshots.immutable = {name}
    report = await repair(store, replica if place == "replica" else Live(LINES))
    assert [(each.blob, each.why) for each in report.left] == [(name, "an immutability policy keeps the blob")]
    assert len(await store.snapshots.read(name, 100)) == 40


async def test_members_that_nobody_is_known_to_need_are_kept() -> None:
    """A snapshot whose manifest can't be read may need them."""
    store = MemoryStore()
    first, second = await two_snapshots(store, bits=4)
    chunks = await chunks_of(store.snapshots, first)
    others = {chunk.sha256 for chunk in await chunks_of(store.snapshots, second)}
    (own,) = [chunk for chunk in chunks if chunk.sha256 not in others]
    damaged = next(chunk for chunk in chunks if chunk.sha256 in others)
    manifest = manifest_name(EAST, HOTELS, first.id)
    properties, data = await store.snapshots.properties(manifest), await store.snapshots.read(manifest, 1 << 20)
    await store.snapshots.delete(manifest)
    await replace(store, first.folder.pack(damaged.pack), flip_in(damaged))
    assert (await repair(store, Live(LINES))).left == ()
    assert properties is not None
    await store.snapshots.create(manifest, data, metadata=properties.metadata)
    assert await read_chunk(store.snapshots, first.folder, own)
    await require_sound(store, first, second)


async def test_a_source_that_gives_other_bytes_changes_nothing(store: Store) -> None:
    first, _ = await two_snapshots(store)

    class Liar(Live):
        name = "somewhere"

        async def chunk(self, manifest: Manifest, chunk: Chunk) -> bytes | None:
            return f"{manifest.id}{chunk.first}".encode()

        async def blob(self, name: str, limit: int) -> bytes | None:
            return name.encode()[:limit]

    name = first.folder.pack(packs_of(await chunks_of(store.snapshots, first))[0])
    await store.snapshots.delete(name)
    report = await repair(store, Liar({}))
    assert [each.blob for each in report.left] == [name]
    assert await store.snapshots.properties(name) is None


async def test_a_pack_of_which_nothing_is_sound_is_looked_through_once() -> None:
    """Four times as many members take four times as long, not sixteen times."""
    manifest, _ = await write_snapshot(MemoryStore().snapshots, documents(range(3)))

    def seconds(number: int, size: int = 200) -> float:
        needed = {}
        for offset in range(0, number * size, size):
            key = f"{offset:08}"
            chunk = Chunk(hashlib.sha256(key.encode()).hexdigest(), key, key, 1, 10, "ab" * 32, offset, size)
            needed[offset] = _Needed(chunk, manifest, offset)
        gathered = _Gathered(needed)
        began = time.thread_time()
        gathered.keep_sound(bytes(number * size), PackName("packs", PackFolder(service=EAST, index=HOTELS), "ab" * 32))
        assert not gathered.members
        return time.thread_time() - began

    few, many = (min(seconds(number) for _ in range(3)) for number in (10_000, 40_000))
    assert many < 8 * few
