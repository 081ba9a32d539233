"""Documents of about 1 kB for benchmarks of snapshots, and a writer that works as a backup does."""

import hashlib
import random
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

import msgspec

from indexvault.snapshots.chunks import ChunkCutter, add_digests, boundary_bits
from indexvault.snapshots.manifest import Added, Counts, Definition, Etags, Manifest, VersionedDefinition, known_chunks
from indexvault.snapshots.names import ChunkFolder, snapshot_id
from indexvault.snapshots.store import SnapshotWriter
from indexvault.snapshots.writer import StoredChunk, commit, store_chunk

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


async def write_snapshot(
    blobs: SnapshotWriter,
    lines: Mapping[str, bytes],
    created: datetime,
    *,
    previous: Manifest | None = None,
    target: int | None = None,
    index: str = INDEX,
) -> Manifest:
    """Store documents as a snapshot. `target` is the chunk size in bytes if it is not the default."""
    average = sum(map(len, lines.values())) / max(1, len(lines))
    bits = boundary_bits(average, target) if target is not None else boundary_bits(average)
    folder = ChunkFolder(service=SERVICE, index=index)
    known = known_chunks(previous)
    cutter = ChunkCutter(previous.boundary_bits if previous else bits)
    stored: list[StoredChunk] = []
    for key in sorted(lines):
        sealed = cutter.add(key, lines[key])
        if sealed is not None:
            stored.append(await store_chunk(blobs, folder, sealed, known))
    last = cutter.finish()
    if last is not None:
        stored.append(await store_chunk(blobs, folder, last, known))
    manifest = manifest_of(stored, created, bits=previous.boundary_bits if previous else bits, index=index)
    await commit(blobs, manifest)
    return manifest


def manifest_of(stored: Iterable[StoredChunk], created: datetime, *, bits: int, index: str = INDEX) -> Manifest:
    """Return the manifest of stored chunks."""
    parts = list(stored)
    chunks = tuple(part.chunk for part in parts)
    new = [part.chunk for part in parts if part.added]
    documents = sum(chunk.documents for chunk in chunks)
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
        bytes=sum(chunk.bytes for chunk in chunks),
        stored=sum(chunk.stored for chunk in chunks),
        added=Added(
            chunks=len(new), bytes=sum(chunk.bytes for chunk in new), stored=sum(chunk.stored for chunk in new)
        ),
        content_digest=add_digests(part.digest for part in parts),
        chunks=chunks,
    )
