"""Targets of the fuzzer: what lies in a store beside the records of runs, and what a workflow engine keeps."""

import contextlib
import functools
import hashlib
import random
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from durabletask.task import FailureDetails

from indexvault.api.snapshot_views import view_snapshot
from indexvault.errors import (
    IndexvaultError,
    IntegrityError,
)
from indexvault.model import IndexName
from indexvault.restore.definition import target_definition
from indexvault.restore.secrets import missing_paths
from indexvault.restore.service.names import Rules, renamed
from indexvault.search.schema import read_schema
from indexvault.snapshots.catalogue import list_snapshots, read_manifest
from indexvault.snapshots.checksum import TRAILER_LENGTH, with_checksum
from indexvault.snapshots.chunks import Chunk, document_lines
from indexvault.snapshots.generation import choose_generation
from indexvault.snapshots.locations import Location, decode_locations, encode_locations
from indexvault.snapshots.manifest import Manifest, open_manifest, seal
from indexvault.snapshots.names import (
    SERVICE_OBJECTS,
    SnapshotReference,
    manifest_name,
)
from indexvault.snapshots.packs import member, open_chunk, open_member, scan_members
from indexvault.snapshots.retention import Retention, decide
from indexvault.snapshots.service_manifest import read_service_manifest
from indexvault.snapshots.summary import from_metadata, summarise
from indexvault.snapshots.tree import Tree, decode_segment, encode_segment, node_of
from indexvault.snapshots.tree_reader import TreeReader
from indexvault.workflow.failures import error_of as error_of_failure
from tests.memory_store import MemoryStore
from tests.snapshots.samples import cut, documents, manifest_of
from tests.soak import fuzz_examples as examples
from tests.soak import fuzz_inputs as inputs
from tests.soak.fuzz_target import Target, json_like, text_like, wait

_ON = "fuzz"
_HEADER_BYTES = 52
_ID = "20261120T023000Z-7f3a9c"
_MANIFEST_ID = manifest_of(Tree(), "0" * 64).id
_INDEX = IndexName("contoso-east", "hotels")
_REFERENCE = SnapshotReference(service=_INDEX.service, index=_INDEX.index, id=_ID)
_NOW = examples.NOW
_LINES = examples.LINES


def _placed_chunks() -> list[Chunk]:
    return [each.chunk.placed("0b" * 32, 100 * at, 100) for at, each in enumerate(cut(documents(range(40))))]


@functools.cache
def _sealed_manifests() -> list[bytes]:
    return [seal(manifest_of(Tree(chunks=tuple(_placed_chunks())), "0a" * 32)), seal(manifest_of(Tree(), "0" * 64))]


def _draw_manifest(rng: random.Random) -> bytes:
    damaged = json_like(_sealed_manifests())(rng)
    # Whoever can write to the store can make a checksum that matches.
    return (
        damaged
        if rng.random() < 0.1
        else with_checksum(damaged[:-TRAILER_LENGTH] + b"}" if rng.random() < 0.5 else damaged)
    )


def _use_manifest(data: bytes) -> None:
    manifest = open_manifest(data, _ON)
    summary = summarise(manifest)
    msgspec.json.encode(view_snapshot(manifest, None))
    choose_generation([summary], None, _NOW)
    decide([summary], [Retention(hourly=1, weekly=1, yearly=1)], now=_NOW)
    wait(_walk(manifest))
    for versioned in manifest.definition.versions:
        read_schema(versioned.body, on=_ON)
        missing_paths(versioned.body)
    target_definition(manifest.definition, "inns")


async def _walk(manifest: Manifest) -> None:
    reader = TreeReader(MemoryStore(clock=lambda: _NOW).snapshots, manifest.folder)
    async for _chunks in reader.chunks(manifest.tree, after="hotel-00007", until="hotel-00009"):
        pass
    async for _chunks in reader.chunks_between(manifest.tree, 1, 3):
        pass


async def read_stored(data: bytes, name: str, read: Callable[[MemoryStore], Awaitable[Any]]) -> Any:
    store = MemoryStore(clock=lambda: _NOW)
    await store.snapshots.create(name, data)
    await store.runs.put(name, data)
    return await read(store)


def _use_manifest_blob(data: bytes) -> None:
    async def read(store: MemoryStore) -> None:
        await list_snapshots(store.snapshots, None, None)
        reference = SnapshotReference(service=_INDEX.service, index=_INDEX.index, id=_MANIFEST_ID)
        await read_manifest(store.snapshots, reference)

    wait(read_stored(data, manifest_name(_INDEX.service, _INDEX.index, _MANIFEST_ID), read))


def _draw_service_manifest(rng: random.Random) -> bytes:
    damaged = json_like(examples.SERVICE_MANIFESTS)(rng)
    return damaged if rng.random() < 0.05 else with_checksum(damaged)


def _use_service_manifest(data: bytes) -> None:
    async def read(store: MemoryStore) -> None:
        await list_snapshots(store.snapshots, None, None)
        reference = SnapshotReference(service=_INDEX.service, index=SERVICE_OBJECTS, id=_ID)
        manifest = await read_service_manifest(store.snapshots, reference)
        for each in manifest.objects:
            for version in each.definition.versions:
                missing_paths(version.body)
                renamed(each.kind, version.body, Rules(["*=dr-*"]), "x")

    wait(read_stored(data, manifest_name(_INDEX.service, SERVICE_OBJECTS, _ID), read))


@functools.cache
def _metadata() -> dict[str, str]:
    manifest = open_manifest(_sealed_manifests()[0], _ON)
    return examples.metadata_of(msgspec.structs.replace(summarise(manifest), id=_ID))


def _use_metadata(metadata: dict[str, str]) -> None:
    summary = from_metadata(_REFERENCE, metadata)
    if summary is not None:
        other = msgspec.structs.replace(summary, id="20261119T023000Z-7f3a9c", created=_NOW)
        decide([summary, other], [Retention(last=1, hourly=2, weekly=1, yearly=1)], now=_NOW)
        choose_generation([summary, other], None, _NOW)
        msgspec.json.encode(summary)


@functools.cache
def _sealed_chunk() -> tuple[Chunk, bytes]:
    sealed = cut(documents(range(20)), bits=14)[0]
    return sealed.chunk, member(sealed.chunk.sha256, sealed.data)


def _draw_chunk(rng: random.Random) -> tuple[Chunk, bytes]:
    chunk, stored = _sealed_chunk()
    if rng.random() < 0.2:
        size = rng.choice((0, 1, chunk.bytes - 1, chunk.bytes + 1, 2**20, 2**31, 2**32, 2**40, 2**53))
        chunk = msgspec.structs.replace(chunk, bytes=size)
    if rng.random() < 0.2:
        data = inputs.damaged_bytes(rng, [b"\n".join(_LINES) + b"\n"])
        digest = hashlib.sha256(data).hexdigest()
        return Chunk(digest, chunk.first, chunk.last, data.count(b"\n"), len(data)), member(digest, data)
    if rng.random() < 0.5:  # the header as it should be, and something else behind it
        header = stored[:_HEADER_BYTES]
        return chunk, _with_length(header + inputs.damaged_gzip(rng, stored[:10] + stored[_HEADER_BYTES:])[10:], rng)
    return chunk, _with_length(inputs.damaged_gzip(rng, stored), rng)


def _with_length(stored: bytes, rng: random.Random) -> bytes:
    """Make a damaged member say its own length, mostly: who damages it can do that too."""
    return stored[:16] + len(stored).to_bytes(4, "little") + stored[20:] if rng.random() < 0.8 else stored


def _use_chunk(given: tuple[Chunk, bytes]) -> None:
    chunk, stored = given
    data = open_chunk(chunk, stored, _ON)
    assert len(data) == chunk.bytes
    document_lines(data)


@functools.cache
def _segments() -> list[bytes]:
    chunks = _placed_chunks()
    node = node_of(chunks, encode_segment(chunks)).placed("0c" * 32, 0, 100)
    return [encode_segment(chunks), encode_segment([node])]


def _use_segment(data: bytes) -> None:
    chunks = _placed_chunks()
    for level in (1, 2):
        right = node_of(chunks, encode_segment(chunks))
        for node in (right, msgspec.structs.replace(right, sha256=hashlib.sha256(data).hexdigest())):
            with contextlib.suppress(IntegrityError):
                decode_segment(node, level, data, _ON)


@functools.cache
def _packed() -> bytes:
    return b"".join(member(each.chunk.sha256, each.data) for each in cut(documents(range(40))))


def _use_pack(data: bytes) -> None:
    for each in scan_members(data, _ON):
        open_member(each.sha256, data[each.offset : each.offset + each.stored], 1 << 20, _ON)


@functools.cache
def _locations() -> bytes:
    return encode_locations([Location(100 * at, "0a" * 32, 100 * at, 100) for at in range(40)])


def _use_locations(data: bytes) -> None:
    decode_locations(data, _ON)


def _use_failure(text: str) -> None:
    str(error_of_failure(FailureDetails(text, "indexvault.x.ActivityFailedError", None)))


STORED: tuple[Target, ...] = (
    Target(name="manifest", draw=_draw_manifest, use=_use_manifest, raises=(IndexvaultError,)),
    Target(name="manifest-blob", draw=_draw_manifest, use=_use_manifest_blob, raises=(IndexvaultError,)),
    Target(name="service-manifest", draw=_draw_service_manifest, use=_use_service_manifest, raises=(IndexvaultError,)),
    Target(
        name="metadata",
        draw=lambda rng: inputs.damaged_mapping(rng, [_metadata()], surrogates=True),
        use=_use_metadata,
        raises=(),
    ),
    Target(name="chunk", draw=_draw_chunk, use=_use_chunk, raises=(IntegrityError,), peak_bytes=24 << 20),
    Target(
        name="segment",
        draw=lambda rng: inputs.damaged_bytes(rng, _segments()),
        use=_use_segment,
        raises=(IntegrityError,),
    ),
    Target(
        name="pack",
        draw=lambda rng: inputs.damaged_bytes(rng, [_packed()]),
        use=_use_pack,
        raises=(IntegrityError,),
        peak_bytes=24 << 20,
    ),
    Target(
        name="locations",
        draw=lambda rng: inputs.damaged_gzip(rng, _locations()),
        use=_use_locations,
        raises=(IntegrityError,),
        peak_bytes=64 << 20,
    ),
    Target(name="failure", draw=text_like(examples.FAILURES, surrogates=True), use=_use_failure, raises=()),
)
