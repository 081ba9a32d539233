"""Small snapshots for the tests: documents made from their number, and a writer that runs the whole way."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TypedDict, Unpack

import msgspec

from indexvault.snapshots.chunk_writer import ChunkWriter, PreviousChunks, added_of, digest_of_stored
from indexvault.snapshots.chunks import Chunk, ChunkCutter, SealedChunk
from indexvault.snapshots.manifest import (
    Added,
    Counts,
    Definition,
    Etags,
    Loss,
    Manifest,
    Presumption,
    SynonymMap,
    VersionedDefinition,
    state_of,
)
from indexvault.snapshots.names import PackFolder, snapshot_id
from indexvault.snapshots.pack_store import store_pack
from indexvault.snapshots.packs import PACK_TARGET, Pack
from indexvault.snapshots.store import SnapshotReader, SnapshotWriter
from indexvault.snapshots.summary import Summary
from indexvault.snapshots.tree import Tree
from indexvault.snapshots.tree_reader import TreeReader
from indexvault.snapshots.tree_writer import TreeWriter
from indexvault.snapshots.used_packs import UsedPacks
from indexvault.snapshots.verify import VerifyReport, verify_index
from indexvault.snapshots.writer import commit

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
    tree: Tree,
    digest: str,
    *,
    index: str = "hotels",
    created: datetime = MORNING,
    losses: tuple[Loss, ...] = (),
    added: Added | None = None,
    run: str = "run-1",
    generation: str = "",
    bits: int = BITS,
    proved: Manifest | None = None,
) -> Manifest:
    total = tree.documents
    presumption = None if proved is None else presumption_on(proved)
    return Manifest(
        id=snapshot_id(created, run.encode().rjust(3)[-3:]),
        service="contoso-east",
        index=index,
        state=state_of(losses=losses, presumption=presumption),
        losses=losses,
        presumption=presumption,
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
        boundary_bits=bits,
        generation=generation,
        bytes=tree.bytes,
        stored=tree.stored,
        added=added or Added(),
        content_digest=digest,
        tree=tree,
    )


def presumption_on(proved: Manifest) -> Presumption:
    """Return what a snapshot rests on whose changes were merged into a full reading."""
    return Presumption(
        field="changed",
        margin=600,
        since=f"{proved.started - timedelta(minutes=10):%Y-%m-%dT%H:%M:%SZ}",
        base=proved.id,
        proved=proved.id,
        proved_at=proved.created,
    )


async def verified(blobs: SnapshotReader, manifest: Manifest) -> VerifyReport:
    """Verify the snapshot of a manifest alone."""
    return await verify_index(blobs, manifest.service, manifest.index, only=[manifest.id])


class How(TypedDict, total=False):
    """How a sample is made.

    With `proved` it is presumed, on that full reading. With fewer `bits` it has more chunks,
    from 33 on in segments; with fewer `pack_bytes` it has more packs.
    """

    index: str
    created: datetime
    losses: tuple[Loss, ...]
    run: str
    previous: Manifest | None
    generation: str
    bits: int
    pack_bytes: int
    proved: Manifest | None


async def write_snapshot(
    blobs: SnapshotWriter, lines: Mapping[str, bytes], **how: Unpack[How]
) -> tuple[Manifest, Summary]:
    """Store the documents as a snapshot of contoso-east, as a backup does."""
    made = await prepare_snapshot(blobs, lines, **how)
    return made[0], await commit(blobs, *made)


async def prepare_snapshot(
    blobs: SnapshotWriter,
    lines: Mapping[str, bytes],
    *,
    index: str = "hotels",
    created: datetime = MORNING,
    losses: tuple[Loss, ...] = (),
    run: str = "run-1",
    previous: Manifest | None = None,
    generation: str = "",
    bits: int = BITS,
    pack_bytes: int = PACK_TARGET,
    proved: Manifest | None = None,
) -> tuple[Manifest, UsedPacks]:
    """Store everything of a snapshot but its manifest."""
    folder = PackFolder(service="contoso-east", index=index, generation=generation)
    reader = TreeReader(blobs, folder)
    shared = previous.tree if previous is not None and previous.generation == generation else None
    there = PreviousChunks(reader.chunks(shared) if shared is not None else None)
    writer = ChunkWriter(blobs, folder, pack_bytes=pack_bytes)
    stored = [await writer.add(sealed, there) for sealed in cut(lines, bits)]
    await writer.finish()

    async def store(pack: Pack) -> None:
        await store_pack(blobs, folder.segments, pack)

    async with TreeWriter(store, bits, previous=shared, reader=reader) as building:
        for each in stored:
            await building.add(each.chunk)
        tree = await building.finish()
    manifest = manifest_of(
        tree,
        digest_of_stored(stored),
        index=index,
        created=created,
        losses=losses,
        run=run,
        generation=generation,
        added=added_of(stored),
        bits=bits,
        proved=proved,
    )
    return manifest, building.used


async def chunks_of(blobs: SnapshotReader, manifest: Manifest) -> list[Chunk]:
    """Return all chunks of a small snapshot."""
    return [chunk async for some in TreeReader(blobs, manifest.folder).chunks(manifest.tree) for chunk in some]
