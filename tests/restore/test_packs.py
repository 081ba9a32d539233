"""What a restore reads of the packs of a snapshot, and what becomes of it when one is gone, damaged or rewritten."""

import random
from collections.abc import AsyncIterator
from itertools import pairwise
from typing import Any

import pytest

from indexvault.errors import IntegrityError, OverloadedError
from indexvault.restore.job import MOST_DOUBTFUL
from indexvault.settings.model import PolicySettings
from indexvault.snapshots.chunks import Chunk
from indexvault.snapshots.manifest import Manifest
from tests.restore.stored import FOLDER, ReadingStore, lines_of, preflight, restore, store_snapshot
from tests.snapshots.samples import chunks_of
from tests.snapshots.trees import rewrite_pack
from tests.world import EAST, WEST, Run, World, open_world

DOCUMENTS = 1500


@pytest.fixture
def store() -> ReadingStore:
    return ReadingStore()


@pytest.fixture
async def world(store: ReadingStore) -> AsyncIterator[World]:
    async with open_world(store) as opened:
        yield opened


def packs_of(chunks: list[Chunk]) -> list[str]:
    return sorted({FOLDER.pack(chunk.pack) for chunk in chunks})


async def two_days(store: ReadingStore) -> tuple[Manifest, Manifest, list[Chunk]]:
    """Store two snapshots, and return both with a chunk that only the first one has, whose pack both use."""
    lines = lines_of(DOCUMENTS)
    first = await store_snapshot(store.snapshots, lines)
    changed = {key: line.replace(b"Hotel", b"Inn") for key, line in lines.items() if key.endswith("70")}
    second = await store_snapshot(store.snapshots, lines | changed, previous=first)
    before, after = await chunks_of(store.snapshots, first), await chunks_of(store.snapshots, second)
    used = set(packs_of(after))
    only = [chunk for chunk in before if chunk not in after and FOLDER.pack(chunk.pack) in used]
    assert only
    assert len(used) > 10
    return first, second, only


@pytest.mark.parametrize("mode", ["create", "sync", "fill"])
async def test_each_pack_is_proved_once(world: World, store: ReadingStore, mode: str) -> None:
    manifest = await store_snapshot(store.snapshots, lines_of(DOCUMENTS))
    packs = packs_of(await chunks_of(store.snapshots, manifest))
    if mode != "create":
        await restore(world, manifest)
        store.snapshots.whole.clear()
    world.progress.clear()
    report = await restore(world, manifest, mode=mode)
    assert report.identical == DOCUMENTS
    assert sorted(store.snapshots.whole) == packs
    verified = [each for each in world.progress if each.stage == "verify" and each.expected is None]
    assert sum(each.documents for each in verified) == DOCUMENTS
    assert sum(each.bytes for each in verified) == manifest.bytes
    assert len(verified) == len(packs)
    store.snapshots.whole.clear()
    found = await preflight(world, manifest, target_index="other", parallel=3)
    assert {each.name: each.outcome for each in found.checks}["chunks"] == "ok"
    assert sorted(store.snapshots.whole) == packs


async def test_an_unchanged_target_is_synced_and_proved_without_reading_chunks(
    world: World, store: ReadingStore
) -> None:
    manifest = await store_snapshot(store.snapshots, lines_of(DOCUMENTS))
    await restore(world, manifest)
    store.snapshots.parts.clear()
    report = await restore(world, manifest, mode="sync")
    assert (report.identical, report.uploaded, report.requests) == (DOCUMENTS, 0, 0)
    assert report.untouched_chunks == manifest.tree.count
    assert store.snapshots.parts == []


async def test_a_sync_reads_only_chunks_that_differ(world: World, store: ReadingStore) -> None:
    first, second, _only = await two_days(store)
    await restore(world, first)
    store.snapshots.parts.clear()
    report = await restore(world, second, mode="sync")
    assert (report.uploaded, report.identical) == (15, DOCUMENTS)
    before, after = await chunks_of(store.snapshots, first), await chunks_of(store.snapshots, second)
    assert set(store.snapshots.parts) == set(packs_of([chunk for chunk in after if chunk not in before]))


async def test_damage_in_a_pack_beside_what_the_snapshot_has_in_it_is_told(world: World, store: ReadingStore) -> None:
    first, second, only = await two_days(store)
    name = FOLDER.pack(only[0].pack)
    await store.snapshots.change(name, only[0].offset + only[0].stored // 2)
    report = await restore(world, second)
    assert report.identical == DOCUMENTS
    assert len(report.notes) == 1
    assert only[0].pack in report.notes[0]
    check = {each.name: each for each in (await preflight(world, second, target_index="other")).checks}["chunks"]
    assert check.outcome == "warning"
    assert only[0].pack in check.what
    assert "indexvault repair contoso-east/hotels" in check.do
    with pytest.raises(IntegrityError, match=name):
        await restore(world, first, target_index="other")
    assert await world.west.index_names() == ["restored"]
    refused = {each.name: each for each in (await preflight(world, first, target_index="other")).checks}["chunks"]
    assert (refused.outcome, name in refused.what) == ("failed", True)


async def test_a_snapshot_whose_packs_were_rewritten_is_proved_and_restored(world: World, store: ReadingStore) -> None:
    _first, second, _only = await two_days(store)
    chunks = await chunks_of(store.snapshots, second)
    for pack in sorted({chunk.pack for chunk in chunks})[::2]:
        await rewrite_pack(store.snapshots, FOLDER, pack, first=1)
    report = await restore(world, second)
    assert (report.identical, report.notes) == (DOCUMENTS, [])


@pytest.mark.parametrize("packs", [1, 1000])
async def test_damage_where_a_pack_was_rewritten_to_stops_a_restore_before_the_target_is_touched(
    world: World, store: ReadingStore, packs: int
) -> None:
    manifest = await store_snapshot(store.snapshots, lines_of(DOCUMENTS), pack_bytes=2000)
    names = sorted({chunk.pack for chunk in await chunks_of(store.snapshots, manifest)})
    assert len(names) > MOST_DOUBTFUL
    written = [await rewrite_pack(store.snapshots, FOLDER, pack) for pack in names[:packs]]
    await store.snapshots.change(FOLDER.pack(written[-1].name), 100)
    with pytest.raises(IntegrityError, match="member"):
        await restore(world, manifest)
    assert await world.west.index_names() == []


async def changed_before_loading(world: World, change: Any) -> None:
    """Have something happen to the store after the proof, and before anything is loaded."""
    done: list[bool] = []

    async def first(run: Run, resources: Any, given: Any) -> Any:
        if not done:
            done.append(True)
            await change()
        return await run(resources, given)

    world.around["load_documents"] = first


async def test_a_pack_that_is_rewritten_while_a_restore_runs_is_read_where_it_lies_then(
    world: World, store: ReadingStore
) -> None:
    manifest = await store_snapshot(store.snapshots, lines_of(DOCUMENTS))
    chunks = await chunks_of(store.snapshots, manifest)

    async def rewrite() -> None:
        for pack in sorted({chunk.pack for chunk in chunks}):
            await rewrite_pack(store.snapshots, FOLDER, pack)

    await changed_before_loading(world, rewrite)
    assert (await restore(world, manifest)).identical == DOCUMENTS


@pytest.mark.parametrize("gone", [False, True])
async def test_what_is_damaged_or_gone_after_the_proof_reaches_no_target(
    world: World, store: ReadingStore, *, gone: bool
) -> None:
    manifest = await store_snapshot(store.snapshots, lines_of(DOCUMENTS))
    chunk = (await chunks_of(store.snapshots, manifest))[40]
    name = FOLDER.pack(chunk.pack)
    saved = await store.snapshots.read(name, 2**30)

    async def harm() -> None:
        if gone:
            await store.snapshots.delete(name)
        else:
            await store.snapshots.change(name, chunk.offset + chunk.stored // 2)

    await changed_before_loading(world, harm)
    with pytest.raises(IntegrityError, match=rf"{name}.*run the same restore again") as raised:
        await restore(world, manifest)
    assert ("the pack is gone" in raised.value.what) is gone
    documents = await world.documents(WEST, "restored", "id")
    keys = {each["id"] for each in documents}
    assert not {f"h{number:06}" for number in range(DOCUMENTS) if chunk.first <= f"h{number:06}" <= chunk.last} & keys
    await store.snapshots.delete(name)
    await store.snapshots.create(name, saved)
    report = await restore(world, manifest)
    assert (report.resumed, report.identical) == ("restore-1", DOCUMENTS)


async def test_a_restore_after_many_changes_takes_few_requests(world: World, store: ReadingStore) -> None:
    rng = random.Random(5)
    lines = lines_of(DOCUMENTS)
    manifest = await store_snapshot(store.snapshots, lines, pack_bytes=2**20)
    for day in range(30):
        for key in rng.sample(sorted(lines), 15):
            lines[key] = lines[key].replace(b"Hotel", f"Hotel {day}".encode())
        manifest = await store_snapshot(store.snapshots, lines, previous=manifest, pack_bytes=2**20)
    chunks = await chunks_of(store.snapshots, manifest)
    packs = packs_of(chunks)
    assert len(packs) > 25
    store.snapshots.parts.clear()
    report = await restore(world, manifest)
    assert report.identical == DOCUMENTS
    assert sorted(store.snapshots.whole) == packs
    # One window holds all of it. In key order, a pack would be read again and again.
    assert sorted(store.snapshots.parts) == packs
    assert sum(one.pack != other.pack for one, other in pairwise(chunks)) > 2 * len(packs)


async def test_a_restore_that_resumes_proves_only_what_is_left(
    world: World, store: ReadingStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("indexvault.restore.stretches.SMALLEST_STRETCH", 100_000)
    manifest = await store_snapshot(store.snapshots, lines_of(DOCUMENTS))
    chunks = await chunks_of(store.snapshots, manifest)
    late = {"fault": "item", "status": 503, "key": "h0014..", "operation": "index_documents"}
    await world.faults(WEST, late)
    with pytest.raises(OverloadedError):
        await restore(world, manifest, parallel=1)
    await world.faults(WEST)
    store.snapshots.whole.clear()
    store.snapshots.parts.clear()
    assert (await restore(world, manifest)).identical == DOCUMENTS
    left = packs_of(chunks[-len(chunks) // 4 :])
    assert set(store.snapshots.whole) <= set(left)
    assert set(store.snapshots.parts) <= set(left)
    assert len(left) < len(packs_of(chunks)) / 2


async def test_a_replica_that_has_a_pack_sound_stands_in_for_one_that_has_not() -> None:
    damaged, sound = ReadingStore(), ReadingStore()
    manifest = await store_snapshot(damaged.snapshots, lines_of(200))
    await store_snapshot(sound.snapshots, lines_of(200))
    chunks = await chunks_of(damaged.snapshots, manifest)
    await damaged.snapshots.change(FOLDER.pack(chunks[0].pack), chunks[0].offset + 70)
    await damaged.snapshots.delete(FOLDER.pack(chunks[-1].pack))
    policies = {"nightly": PolicySettings(service=EAST, schedule="0 0 2 * * *", replicate_to=("second",))}
    async with open_world(damaged, replicas={"second": sound}, policies=policies) as world:
        report = await restore(world, manifest)
    assert (report.identical, report.notes) == (200, [])
    assert set(sound.snapshots.whole) == {FOLDER.pack(chunks[0].pack), FOLDER.pack(chunks[-1].pack)}
