"""What a further snapshot of an index stores: nothing that is there already, unless a new generation begins."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from indexvault.backup.job import BackupJob, BackupReport
from indexvault.backup.workflow import BACK_UP_INDEX
from indexvault.snapshots.catalogue import resolve_manifest
from indexvault.snapshots.names import SnapshotReference
from tests import hotels
from tests.memory_store import MemoryStore
from tests.snapshots.samples import chunks_of, verified
from tests.world import EAST, LATER, WEST, World, open_world, upload_batch

MONTH = timedelta(days=30)


@dataclass
class Calendar:
    now: datetime = datetime(2026, 11, 20, 2, 30, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now


@pytest.fixture
def calendar() -> Calendar:
    return Calendar()


@pytest.fixture
async def world(calendar: Calendar) -> AsyncIterator[World]:
    async with open_world(MemoryStore("local"), clock=calendar) as opened:
        yield opened


async def upload(world: World, documents: list[dict[str, Any]]) -> None:
    lines = [msgspec.json.encode(document) for document in documents]
    await world.east.index_documents("hotels", upload_batch(lines))


async def back_up(world: World, *, full_every: timedelta | None, service: str = EAST) -> BackupReport:
    world.runs += 1
    job = BackupJob(service=service, index="hotels", run=f"backup-{world.runs}", full_every=full_every)
    return await world.engine.run(BACK_UP_INDEX, job)


async def test_a_changed_document_costs_its_chunk_and_no_other(world: World) -> None:
    documents = hotels.hotels(3000)
    await world.fill(hotels.DEFINITION, documents)
    first = await world.back_up("hotels")
    await upload(world, [documents[1234] | {"name": "renamed"}])
    second = await world.back_up("hotels")
    assert first.added_chunks == first.chunks > 50
    assert (second.added_chunks, second.chunks) == (1, first.chunks)


async def test_an_appended_document_costs_the_last_chunk(world: World) -> None:
    documents = hotels.hotels(3001)
    await world.fill(hotels.DEFINITION, documents[:3000])
    await world.back_up("hotels")
    await upload(world, documents[3000:])
    assert (await world.back_up("hotels")).added_chunks == 1


async def test_an_index_restored_to_another_service_gives_the_same_chunks(world: World) -> None:
    await world.fill(hotels.DEFINITION, hotels.hotels(3000))
    made = await world.back_up("hotels")
    await world.restore(made, index="hotels")
    again = await back_up(world, full_every=None, service=WEST)
    before, after = [
        await resolve_manifest(world.store.snapshots, SnapshotReference(service=service, index="hotels"), now=LATER)
        for service in (EAST, WEST)
    ]
    assert again.chunks == made.chunks
    chunks = [chunk.sha256 for chunk in await chunks_of(world.store.snapshots, after)]
    assert chunks == [chunk.sha256 for chunk in await chunks_of(world.store.snapshots, before)]


async def test_an_index_restored_in_its_own_place_stores_nothing_anew(world: World) -> None:
    await world.fill(hotels.DEFINITION, hotels.hotels(3000))
    made = await world.back_up("hotels")
    await world.east.delete_index("hotels", before=await world.east.index_definition("hotels"))
    await world.restore(made, index="hotels", target_service=EAST)
    assert (await world.back_up("hotels")).added_chunks == 0


async def test_a_new_generation_stores_every_chunk_anew_and_lasts(world: World, calendar: Calendar) -> None:
    await world.fill(hotels.DEFINITION, hotels.hotels(3000))
    first = await back_up(world, full_every=MONTH)
    calendar.now += timedelta(days=29)
    assert (await back_up(world, full_every=MONTH)).added_chunks == 0
    calendar.now += timedelta(days=2)
    fresh = await back_up(world, full_every=MONTH)
    assert fresh.added_chunks == fresh.chunks == first.chunks
    calendar.now += timedelta(days=1)
    assert (await back_up(world, full_every=MONTH)).added_chunks == 0
    manifest = await resolve_manifest(world.store.snapshots, SnapshotReference(service=EAST, index="hotels"), now=LATER)
    assert manifest.generation == f"{fresh.started:%Y%m%dT%H%M%SZ}"
    assert not (await verified(world.store.snapshots, manifest)).damage
