"""A verification that is divided into stretches of the keys finds what a whole one finds, and reads nothing twice."""

import random
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from indexvault.errors import NotFoundError
from indexvault.snapshots.manifest import Manifest
from indexvault.snapshots.names import manifest_name
from indexvault.snapshots.slices import Slice
from indexvault.snapshots.tree_reader import TreeReader
from indexvault.snapshots.used_packs import used_packs
from indexvault.snapshots.verify import (
    VerifyReport,
    conclude,
    plan_verification,
    verify_index,
    verify_stretch,
)
from indexvault.snapshots.writer import commit
from tests.memory_store import MemoryStore
from tests.snapshots.damaging import flip_in, flip_middle, replace, rewrite
from tests.snapshots.samples import MORNING, chunks_of, document, documents, write_snapshot

EAST, HOTELS = "contoso-east", "hotels"
LINES = documents(range(600))
FINE: dict[str, Any] = {"bits": 1, "pack_bytes": 3000}
SMALL = 4000
"""Uncompressed bytes of a stretch, of some 60 kB."""

type Damage = Callable[[MemoryStore, list[Manifest]], Awaitable[None]]


async def three_snapshots(store: MemoryStore) -> list[Manifest]:
    """Return three snapshots that share most chunks, the oldest first; the second has a generation of its own."""
    rng = random.Random(3)
    made: list[Manifest] = []
    lines = dict(LINES)
    for day, generation in enumerate(("", "g", "")):
        lines |= dict(document(rng.randrange(600), f" of day {day}") for _ in range(9))
        previous = made[0] if day == 2 else None
        created = MORNING + timedelta(days=day)
        manifest, _ = await write_snapshot(
            store.snapshots,
            lines,
            created=created,
            run=f"run-{day}",
            previous=previous,
            generation=generation,
            **FINE,
        )
        made.append(manifest)
    return made


async def in_stretches(store: MemoryStore, most: int, **choices: Any) -> tuple[VerifyReport, int]:
    """Verify stretch by stretch, with what goes between them encoded. Return the report, and their number."""
    asked = {name: choices.pop(name) for name in ("only", "missing") if name in choices}
    made = await plan_verification(store.snapshots, EAST, HOTELS, most=most, **asked)
    plan = msgspec.json.decode(msgspec.json.encode(made), type=type(made))
    found = []
    for number in range(len(plan.stretches)):
        part = await verify_stretch(store.snapshots, plan, number, **choices)
        found.append(msgspec.json.decode(msgspec.json.encode(part), type=type(part)))
    return await conclude(store.snapshots, plan, found), len(plan.stretches)


async def nothing(_store: MemoryStore, _made: list[Manifest]) -> None:
    """Damage nothing."""


async def a_chunk(store: MemoryStore, made: list[Manifest]) -> None:
    for manifest, at in ((made[0], 7), (made[0], 8), (made[1], -1)):
        chunk = (await chunks_of(store.snapshots, manifest))[at]
        await replace(store, manifest.folder.pack(chunk.pack), flip_in(chunk))


async def a_pack(store: MemoryStore, made: list[Manifest]) -> None:
    for at in (0, 50, 120):
        await store.snapshots.delete(made[0].folder.pack((await chunks_of(store.snapshots, made[0]))[at].pack))


async def a_segment(store: MemoryStore, made: list[Manifest]) -> None:
    await replace(store, made[0].folder.segments(made[0].tree.nodes[1].pack), flip_middle)


async def all_segments(store: MemoryStore, made: list[Manifest]) -> None:
    for pack in {node.pack for node in made[2].tree.nodes}:
        await store.snapshots.delete(made[2].folder.segments(pack))


async def a_rewritten_pack(store: MemoryStore, made: list[Manifest]) -> None:
    await rewrite(store.snapshots, made[0].folder, (await chunks_of(store.snapshots, made[0]))[30].pack)


async def a_content_digest(store: MemoryStore, made: list[Manifest]) -> None:
    await store.snapshots.delete(manifest_name(EAST, HOTELS, made[2].id))
    wrong = msgspec.structs.replace(made[2], content_digest="0" * 64)
    await commit(store.snapshots, wrong, await used_packs(store.snapshots, made[2]))


async def a_manifest(store: MemoryStore, made: list[Manifest]) -> None:
    await replace(store, manifest_name(EAST, HOTELS, made[0].id), flip_middle)


@pytest.mark.parametrize(
    "damage",
    [nothing, a_chunk, a_pack, a_segment, all_segments, a_rewritten_pack, a_content_digest, a_manifest],
)
@pytest.mark.parametrize("choices", [{}, {"depth": "sizes"}, {"sample": Slice(2, 3)}], ids=["whole", "sizes", "slice"])
async def test_stretches_find_what_a_whole_verification_finds(damage: Damage, choices: dict[str, Any]) -> None:
    store = MemoryStore()
    made = await three_snapshots(store)
    await damage(store, made)
    await store.snapshots.create(f"{EAST}/{HOTELS}/packs/stranger.txt", b"")
    for only in (None, [made[1].id, made[2].id]):
        whole = await verify_index(store.snapshots, EAST, HOTELS, only=only, **choices)
        divided, stretches = await in_stretches(store, SMALL, only=only, **choices)
        assert divided == whole
        assert stretches > 8 or damage is all_segments
        once, one = await in_stretches(store, 1 << 30, only=only, **choices)
        assert (once, one) == (whole, 1)


async def test_each_chunk_is_read_in_one_stretch() -> None:
    store = MemoryStore()
    await three_snapshots(store)
    seen: list[Any] = []
    await verify_index(store.snapshots, EAST, HOTELS, progress=seen.append)
    there: list[Any] = []
    await in_stretches(store, SMALL, progress=there.append)
    assert sorted(there, key=lambda chunk: (chunk.pack, chunk.offset)) == sorted(
        seen, key=lambda chunk: (chunk.pack, chunk.offset)
    )


async def test_stretches_hold_about_as_much_as_was_asked_for() -> None:
    store = MemoryStore()
    made = await three_snapshots(store)
    plan = await plan_verification(store.snapshots, EAST, HOTELS, most=SMALL)
    parts = [await verify_stretch(store.snapshots, plan, number) for number in range(len(plan.stretches))]
    assert all(part.bytes for part in parts)
    # Segments are not divided.
    largest = sum(
        [
            max([node.bytes async for node in TreeReader(store.snapshots, each.folder).nodes(each.tree, 1)])
            for each in made
        ]
    )
    assert max(part.bytes for part in parts) < 3 * SMALL + largest
    assert sum(part.bytes for part in parts) > made[2].bytes


async def test_an_index_without_snapshots_has_one_stretch_of_nothing() -> None:
    store = MemoryStore()
    report, stretches = await in_stretches(store, SMALL)
    assert (report.snapshots, report.chunks, stretches) == (0, 0, 1)
    with pytest.raises(NotFoundError):
        await plan_verification(store.snapshots, EAST, HOTELS, only=["20261120T023000Z-7f3a9c"])
