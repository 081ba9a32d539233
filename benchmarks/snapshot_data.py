"""Documents of about 1 kB for benchmarks of snapshots, and a writer that works as a backup does."""

import hashlib
import random
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

import msgspec

from indexvault.snapshots.chunk_writer import ChunkWriter, PreviousChunks, StoredChunk, added_of, digest_of_stored
from indexvault.snapshots.chunks import CHUNK_TARGET, Chunk, ChunkCutter, boundary_bits
from indexvault.snapshots.manifest import Counts, Definition, Etags, Manifest, VersionedDefinition
from indexvault.snapshots.names import PackFolder, snapshot_id
from indexvault.snapshots.pack_store import store_pack
from indexvault.snapshots.packs import Pack
from indexvault.snapshots.store import SnapshotWriter
from indexvault.snapshots.tree import Tree
from indexvault.snapshots.tree_reader import TreeReader
from indexvault.snapshots.tree_writer import TreeWriter
from indexvault.snapshots.used_packs import UsedPacks
from indexvault.snapshots.writer import commit

SERVICE, INDEX = "contoso", "hotels"
MORNING = datetime(2026, 11, 20, 2, 30, tzinfo=UTC)

_WORDS = [
    "harbour",
    "hotel",
    "quiet",
    "room",
    "garden",
    "sea",
    "view",
    "terrace",
    "breakfast",
    "family",
    "suite",
    "parking",
    "old",
    "town",
    "station",
    "river",
    "lake",
    "museum",
    "art",
    "coffee",
    "modern",
    "renovated",
    "rooftop",
    "pool",
    "spa",
    "bicycle",
    "market",
    "village",
    "mountain",
    "trail",
    "winter",
    "summer",
    "festival",
    "music",
    "staff",
    "friendly",
    "luxury",
    "budget",
    "clean",
    "bright",
    "large",
    "small",
    "double",
    "twin",
]


def random_key(number: int) -> str:
    """Return a key like a hash: new keys fall anywhere in key order."""
    return hashlib.sha256(str(number).encode()).hexdigest()[:20]


def rising_key(number: int) -> str:
    """Return a key like a counter: new keys come last."""
    return f"{number:012}"


def document(key: str, version: int = 0) -> bytes:
    """Return a document of about 1 kB, always the same for a key and a version."""
    rng = random.Random(f"{key} {version}")  # noqa: S311 - repeatable data, not secrets
    text = " ".join(rng.choices(_WORDS, k=118))
    tags = ",".join(f'"{word}"' for word in rng.sample(_WORDS, 3))
    return (
        f'{{"id":"{key}","description":"{text}","rating":{rng.random() * 5:.2f},"rooms":{rng.randrange(500)},'
        f'"renovated":"2026-01-{rng.randrange(28) + 1:02}T00:00:00Z","tags":[{tags}],'
        f'"code":"{rng.getrandbits(128):032x}"}}'
    ).encode()


def short_document(key: str, version: int = 0) -> bytes:
    """Return a document of about 370 bytes, always the same for a key and a version."""
    rng = random.Random(f"{key} {version}")  # noqa: S311 - repeatable data, not secrets
    text = " ".join(rng.choices(_WORDS, k=34))
    return (
        f'{{"id":"{key}","description":"{text}","rating":{rng.random() * 5:.2f},"rooms":{rng.randrange(500)},'
        f'"code":"{rng.getrandbits(64):016x}"}}'
    ).encode()


async def write_snapshot(
    blobs: SnapshotWriter,
    lines: Mapping[str, bytes],
    created: datetime,
    *,
    previous: Manifest | None = None,
    target: int = CHUNK_TARGET,
    index: str = INDEX,
) -> Manifest:
    """Store documents as a snapshot, in chunks of `target` bytes on average."""
    average = sum(map(len, lines.values())) / max(1, len(lines))
    bits = previous.boundary_bits if previous else boundary_bits(average, target)
    folder = PackFolder(service=SERVICE, index=index)
    reader = TreeReader(blobs, folder)
    there = PreviousChunks(reader.chunks(previous.tree) if previous is not None else None)
    cutter, writer = ChunkCutter(bits), ChunkWriter(blobs, folder)
    stored = [
        await writer.add(sealed, there) for key in sorted(lines) if (sealed := cutter.add(key, lines[key])) is not None
    ]
    if (last := cutter.finish()) is not None:
        stored.append(await writer.add(last, there))
    await writer.finish()
    tree, used = await write_tree(blobs, folder, [each.chunk for each in stored], bits, previous)
    manifest = manifest_of(tree, stored, created, bits=bits, index=index)
    await commit(blobs, manifest, used)
    return manifest


async def write_tree(
    blobs: SnapshotWriter, folder: PackFolder, chunks: Iterable[Chunk], bits: int, previous: Manifest | None = None
) -> tuple[Tree, UsedPacks]:
    """Store the segments above some chunks."""

    async def store(pack: Pack) -> None:
        await store_pack(blobs, folder.segments, pack)

    tree = previous.tree if previous is not None else None
    async with TreeWriter(store, bits, previous=tree, reader=TreeReader(blobs, folder)) as building:
        for chunk in chunks:
            await building.add(chunk)
        return await building.finish(), building.used


def manifest_of(
    tree: Tree, stored: Iterable[StoredChunk], created: datetime, *, bits: int, index: str = INDEX
) -> Manifest:
    """Return the manifest of stored chunks."""
    parts = list(stored)
    documents = tree.documents
    definition = b'{"name":"hotels","fields":[{"name":"id","type":"Edm.String","key":true}]}'
    return Manifest(
        id=snapshot_id(created, created.isoformat().encode()[-3:]),
        service=SERVICE,
        index=index,
        state="complete",
        created=created,
        started=created,
        finished=created,
        tool="benchmark",
        run=f"run-{created:%Y%m%dT%H%M%S}",
        key_field="id",
        definition=Definition(stable=VersionedDefinition(api_version="2026-04-01", body=msgspec.Raw(definition))),
        counts=Counts(before=documents, after=documents, documents=documents),
        etag=Etags(before='"1"', after='"1"'),
        boundary_bits=bits,
        bytes=tree.bytes,
        stored=tree.stored,
        added=added_of(parts),
        content_digest=digest_of_stored(parts),
        tree=tree,
    )
