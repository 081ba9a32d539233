"""Small snapshots for the tests: documents made from their number, and a writer that runs the whole way."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

import msgspec

from indexvault.snapshots.chunks import Chunk, ChunkCutter, SealedChunk, add_digests
from indexvault.snapshots.manifest import (
    Added,
    Counts,
    Definition,
    Etags,
    Loss,
    Manifest,
    SynonymMap,
    VersionedDefinition,
    known_chunks,
)
from indexvault.snapshots.names import ChunkFolder, snapshot_id
from indexvault.snapshots.store import SnapshotReader, SnapshotWriter
from indexvault.snapshots.summary import Summary
from indexvault.snapshots.verify import VerifyReport, verify_index
from indexvault.snapshots.writer import commit, store_chunk

MORNING = datetime(2026, 11, 20, 2, 30, tzinfo=UTC)
LATER = datetime(2100, 1, 1, tzinfo=UTC)
"""A time after every snapshot of a test."""

BITS = 4
STABLE = b'{ "name":"hotels", "fields":[{"name":"HotelId","type":"Edm.String","key":true}],\r\n "similarity":null }'
PREVIEW = '{"name":"hotels","fields":[{"name":"HotelId","type":"Edm.String","key":true}],"description":"H\\u00f4tels"}'
SYNONYMS = b'{"name":"stars","format":"solr","synonyms":"star, \\u2605\\nfive => 5"}'


def document(number: int, version: str = "") -> tuple[str, bytes]:
    """Return a document's key and its bytes, with values that a re-written JSON would change."""
    key = f"hotel-{number:05}"
    line = (
        f'{{"HotelId":"{key}","Name":"Hôtel \\u2605 {number}{version}","Rating":{number}.50,'
        f'"Rooms":{2**60 + number},"Score":"NaN","Opened":"2026-11-20T02:30:00.00{number % 10}Z","Tags":[]}}'
    )
    return key, line.encode()


def documents(numbers: Iterable[int]) -> dict[str, bytes]:
    return dict(document(number) for number in numbers)


def cut(lines: Mapping[str, bytes], bits: int = BITS) -> list[SealedChunk]:
    cutter = ChunkCutter(bits)
    sealed = [chunk for key in sorted(lines) if (chunk := cutter.add(key, lines[key]))]
    last = cutter.finish()
    return [*sealed, last] if last else sealed


def manifest_of(
    chunks: Iterable[Chunk],
    digest: str,
    *,
    index: str = "hotels",
    created: datetime = MORNING,
    losses: tuple[Loss, ...] = (),
    added: Added | None = None,
    run: str = "run-1",
    generation: str = "",
) -> Manifest:
    listed = tuple(chunks)
    total = sum(chunk.documents for chunk in listed)
    return Manifest(
        id=snapshot_id(created, run.encode().rjust(3)[-3:]),
        service="contoso-east",
        index=index,
        state="lossy" if losses else "complete",
        losses=losses,
        created=created,
        started=created - timedelta(minutes=2),
        finished=created,
        tool="indexvault 0.1.0",
        run=run,
        key_field="HotelId",
        definition=Definition(
            stable=VersionedDefinition(api_version="2026-04-01", body=msgspec.Raw(STABLE)),
            preview=VersionedDefinition(api_version="2026-08-01-preview", body=msgspec.Raw(PREVIEW.encode())),
        ),
        synonym_maps=(
            SynonymMap(
                name="stars",
                definition=Definition(stable=VersionedDefinition(api_version="2026-04-01", body=msgspec.Raw(SYNONYMS))),
            ),
        ),
        counts=Counts(before=total, after=total, documents=total),
        etag=Etags(before='"0x1"', after='"0x1"'),
        boundary_bits=BITS,
        generation=generation,
        bytes=sum(chunk.bytes for chunk in listed),
        stored=sum(chunk.stored for chunk in listed),
        added=added or Added(),
        content_digest=digest,
        chunks=listed,
    )


async def verified(blobs: SnapshotReader, manifest: Manifest) -> VerifyReport:
    """Verify the snapshot of a manifest alone."""
    return await verify_index(blobs, manifest.service, manifest.index, only=[manifest.id])


async def write_snapshot(
    blobs: SnapshotWriter,
    lines: Mapping[str, bytes],
    *,
    index: str = "hotels",
    created: datetime = MORNING,
    losses: tuple[Loss, ...] = (),
    run: str = "run-1",
    previous: Manifest | None = None,
    generation: str = "",
) -> tuple[Manifest, Summary]:
    """Store the documents as a snapshot of contoso-east, as a backup does."""
    folder = ChunkFolder(service="contoso-east", index=index, generation=generation)
    known = known_chunks(previous)
    stored = [await store_chunk(blobs, folder, sealed, known) for sealed in cut(lines)]
    new = [part.chunk for part in stored if part.added]
    manifest = manifest_of(
        [part.chunk for part in stored],
        add_digests(part.digest for part in stored),
        index=index,
        created=created,
        losses=losses,
        run=run,
        generation=generation,
        added=Added(
            chunks=len(new), bytes=sum(chunk.bytes for chunk in new), stored=sum(chunk.stored for chunk in new)
        ),
    )
    return manifest, await commit(blobs, manifest)
