"""Snapshots of hotels in small packs, written without a service, and a store that notes what is read of it."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from indexvault.backup.job import BackupReport
from indexvault.restore.job import RestoreJob
from indexvault.restore.report import PreflightReport, RestoreReport
from indexvault.restore.workflow import PREFLIGHT_RESTORE, RESTORE_INDEX
from indexvault.snapshots.catalogue import read_manifest
from indexvault.snapshots.chunk_writer import ChunkWriter, PreviousChunks, digest_of_stored
from indexvault.snapshots.manifest import Added, Counts, Definition, Etags, Manifest, VersionedDefinition
from indexvault.snapshots.names import PackFolder, SnapshotReference, snapshot_id
from indexvault.snapshots.pack_store import store_pack
from indexvault.snapshots.packs import Pack
from indexvault.snapshots.tree_reader import TreeReader
from indexvault.snapshots.tree_writer import TreeWriter
from indexvault.snapshots.used_packs import used_packs
from indexvault.snapshots.writer import commit
from tests import hotels
from tests.memory_store import MemorySnapshotBlobs, MemoryStore
from tests.snapshots.samples import cut, presumption_on
from tests.world import EAST, WEST, World

FOLDER = PackFolder(service=EAST, index="hotels")
PACK_BYTES = 16 * 1024
BITS = 3
BUILT = "1990-01-11T10:20:30.123Z"
CRS = {"type": "name", "properties": {"name": "EPSG:4326"}}
STARTED = datetime(2026, 10, 1, 2, 30, tzinfo=UTC)


class ReadingBlobs(MemorySnapshotBlobs):
    """Notes the names of packs of chunks that are read, whole or in part."""

    def __init__(self) -> None:
        super().__init__("local", lambda: datetime.now(UTC))
        self.whole: list[str] = []
        self.parts: list[str] = []

    async def read(self, name: str, limit: int) -> bytes:
        data = await super().read(name, limit)
        if "/packs/" in name:
            self.whole.append(name)
        return data

    async def read_range(self, name: str, offset: int, length: int) -> bytes:
        data = await super().read_range(name, offset, length)
        if "/packs/" in name:
            self.parts.append(name)
        return data

    async def change(self, name: str, at: int) -> None:
        """Change one byte of a blob."""
        data = bytearray(await super().read(name, 2**30))
        data[at] ^= 1
        await self.delete(name)
        await self.create(name, bytes(data))


class ReadingStore(MemoryStore):
    def __init__(self) -> None:
        super().__init__("local")
        self.snapshots: ReadingBlobs = ReadingBlobs()


def lines_of(count: int) -> dict[str, bytes]:
    """Return hotels as the lines that a service returns of them, by key."""
    order = [field["name"] for field in hotels.DEFINITION["fields"]]
    lines = {}
    for each in hotels.hotels(count):
        added = {"built": BUILT, "place": each["place"] | {"crs": CRS}, "dates": [], "rooms": []}
        document = each | added
        lines[each["id"]] = msgspec.json.encode({name: document[name] for name in order})
    return lines


async def store_snapshot(
    blobs: MemorySnapshotBlobs,
    lines: Mapping[str, bytes],
    *,
    previous: Manifest | None = None,
    pack_bytes: int = PACK_BYTES,
) -> Manifest:
    """Store a snapshot of hotels of contoso-east, a day after the previous one."""
    created = previous.created + timedelta(days=1) if previous is not None else STARTED
    reader = TreeReader(blobs, FOLDER)
    there = PreviousChunks(reader.chunks(previous.tree) if previous is not None else None)
    writer = ChunkWriter(blobs, FOLDER, pack_bytes=pack_bytes)
    stored = [await writer.add(sealed, there) for sealed in cut(lines, BITS)]
    await writer.finish()

    async def store(pack: Pack) -> None:
        await store_pack(blobs, FOLDER.segments, pack)

    before = previous.tree if previous is not None else None
    async with TreeWriter(store, BITS, previous=before, reader=reader) as building:
        for each in stored:
            await building.add(each.chunk)
        tree = await building.finish()
    body = msgspec.Raw(msgspec.json.encode(hotels.DEFINITION))
    manifest = Manifest(
        id=snapshot_id(created, b"abc"),
        service=EAST,
        index="hotels",
        state="complete",
        created=created,
        started=created,
        finished=created,
        tool="indexvault",
        run="run-1",
        key_field="id",
        definition=Definition(stable=VersionedDefinition(api_version="2026-04-01", body=body)),
        counts=Counts(before=len(lines), after=len(lines), documents=len(lines)),
        etag=Etags(before='"0x1"', after='"0x1"'),
        boundary_bits=BITS,
        bytes=tree.bytes,
        stored=tree.stored,
        added=Added(),
        content_digest=digest_of_stored(stored),
        tree=tree,
    )
    await commit(blobs, manifest, building.used)
    return manifest


def job_of(world: World, manifest: Manifest, **changes: Any) -> RestoreJob:
    """Return the job that restores a snapshot to the west."""
    world.runs += 1
    members: dict[str, Any] = {
        "service": EAST,
        "index": manifest.index,
        "snapshot": manifest.id,
        "target_service": WEST,
        "target_index": "restored",
        "run": f"restore-{world.runs}",
    }
    return RestoreJob(**(members | changes))


async def restore(world: World, manifest: Manifest, **changes: Any) -> RestoreReport:
    return await world.engine.run(RESTORE_INDEX, job_of(world, manifest, **changes))


async def preflight(world: World, manifest: Manifest, **changes: Any) -> PreflightReport:
    return await world.engine.run(PREFLIGHT_RESTORE, job_of(world, manifest, **changes))


async def presume(world: World, made: BackupReport) -> BackupReport:
    """Store the documents of a full reading again as a presumed snapshot, a second later, and return its report."""
    full = await read_manifest(
        world.store.snapshots, SnapshotReference(service=EAST, index=made.index, id=made.snapshot)
    )
    created = full.created + timedelta(seconds=1)
    presumed = msgspec.structs.replace(
        full,
        id=snapshot_id(created, b"prs"),
        created=created,
        state="presumed",
        presumption=presumption_on(full),
        authenticity=None,
    )
    await commit(world.store.snapshots, presumed, await used_packs(world.store.snapshots, presumed))
    return msgspec.structs.replace(made, snapshot=presumed.id, state=presumed.state, presumption=presumed.presumption)
