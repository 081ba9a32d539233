"""Blobs that nobody here wrote: each is an IntegrityError or is passed over, whatever its bytes."""

import hashlib
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from isal import igzip

from indexvault.bounds import MEBIBYTE
from indexvault.errors import IntegrityError, SettingsError
from indexvault.snapshots.checksum import with_checksum
from indexvault.snapshots.chunks import CHUNK_CAP, LARGEST_CHUNK, MAX_BOUNDARY_BITS, BoundaryBits, Chunk, ends_chunk
from indexvault.snapshots.export import read_dump
from indexvault.snapshots.field_diff import changed_fields
from indexvault.snapshots.locations import Location, decode_locations, encode_locations
from indexvault.snapshots.manifest import Manifest, open_manifest
from indexvault.snapshots.names import SERVICE_OBJECTS, SnapshotReference, manifest_name
from indexvault.snapshots.packs import PACK_LIMIT, member, open_chunk, open_member
from indexvault.snapshots.pins import Pin, pins_by_id
from indexvault.snapshots.records import RecordStore
from indexvault.snapshots.run_names import pin_name
from indexvault.snapshots.service_manifest import ServiceManifest, commit_service, read_service_manifest
from indexvault.snapshots.summary import from_metadata, summarise, to_metadata
from indexvault.snapshots.tree import (
    SEGMENT_ENTRIES,
    SEGMENT_LIMIT,
    Entry,
    Node,
    Tree,
    decode_segment,
    encode_segment,
    node_of,
)
from indexvault.snapshots.used_packs import used_packs
from indexvault.snapshots.verify import verify_index
from indexvault.snapshots.writer import commit
from tests.memory_store import MemoryStore
from tests.peak import taking_at_most
from tests.snapshots.samples import MORNING, STABLE, chunks_of, documents, manifest_of, write_snapshot

DEEP = b"[" * 200_000 + b"]" * 200_000
MANIFEST = msgspec.json.encode(manifest_of(Tree(), "0" * 64))
OTHER_BODIES = [b"[]", b'{"a":' + b"[" * 900 + b"]" * 900 + b"}", b'{"a":1e999}', b'{"a":"\xff"}', DEEP]
SERVICE = msgspec.json.encode(
    {
        "id": "20261120T023000Z-7f3a9c",
        "service": "east",
        "state": "complete",
        "created": "2026-11-20T02:30:00Z",
        "tool": "a test",
        "run": "run-1",
        "objects": [{"kind": "skillsets", "name": "s", "definition": {"stable": {"api_version": "1", "body": {}}}}],
    }
)
REFERENCE = SnapshotReference(service="east", index=SERVICE_OBJECTS, id="20261120T023000Z-7f3a9c")


@pytest.mark.parametrize("body", OTHER_BODIES)
def test_a_definition_in_a_manifest_that_nobody_can_use(body: bytes) -> None:
    data = MANIFEST.replace(STABLE, body)
    assert data != MANIFEST
    with pytest.raises(IntegrityError):
        open_manifest(with_checksum(data), "x")


def test_a_manifest_that_nests_deep() -> None:
    for data in (DEEP, b'{"format":"indexvault/2","x":%s}' % DEEP):
        with pytest.raises(IntegrityError):
            open_manifest(with_checksum(data), "x")
        with pytest.raises(IntegrityError):
            open_manifest(data, "x")


def chunk_of(documents: int, size: int, **place: Any) -> Chunk:
    listed = Chunk("0" * 64, "a", "b" if documents > 1 else "a", documents, size, pack="0" * 64, stored=100)
    return msgspec.structs.replace(listed, **place)


def open_tree(tree: Tree) -> Manifest:
    return open_manifest(with_checksum(msgspec.json.encode(manifest_of(tree, "0" * 64))), "x")


@pytest.mark.parametrize("documents", [1, 2, 2**53])
@pytest.mark.parametrize("size", [1_200_000_000, 2**53])
def test_a_chunk_that_would_grow_to_a_gigabyte(documents: int, size: int) -> None:
    zeros = b"\0" * (256 * MEBIBYTE)
    bomb = member(hashlib.sha256(zeros).hexdigest(), zeros)
    del zeros
    with taking_at_most(64), pytest.raises(IntegrityError, match="larger"):
        open_chunk(chunk_of(documents, size), bomb, "x")
    with pytest.raises(IntegrityError, match="larger"):
        open_tree(Tree(chunks=(chunk_of(documents, size),)))


def test_a_member_that_holds_more_than_is_listed_is_not_opened_further() -> None:
    zeros = b"\0" * (256 * MEBIBYTE)
    sha256 = hashlib.sha256(zeros).hexdigest()
    bomb = member(sha256, zeros)
    del zeros
    with taking_at_most(64):
        with pytest.raises(IntegrityError, match="most"):
            open_chunk(chunk_of(2, CHUNK_CAP, sha256=sha256), bomb, "x")
        with pytest.raises(IntegrityError, match="most"):
            open_member(sha256, bomb, SEGMENT_LIMIT, "x")


def test_the_largest_chunks_that_are_written_are_read() -> None:
    for chunk in (chunk_of(2, CHUNK_CAP), chunk_of(1, LARGEST_CHUNK)):
        open_tree(Tree(chunks=(chunk,)))


@pytest.mark.parametrize(
    "place",
    [{"offset": PACK_LIMIT}, {"offset": 2**53}, {"stored": 2**53}, {"stored": 0}, {"pack": "../x"}, {"pack": ""}],
    ids=str,
)
def test_a_chunk_that_lies_in_no_pack(place: dict[str, Any]) -> None:
    with pytest.raises(IntegrityError, match="does not lie in a pack"):
        open_tree(Tree(chunks=(chunk_of(2, 9, **place),)))


@pytest.mark.parametrize(
    "place", [{"offset": 2**32}, {"offset": PACK_LIMIT}, {"stored": 2**53}, {"stored": 1}], ids=str
)
def test_a_record_that_leads_beyond_a_pack(place: dict[str, Any]) -> None:
    location = msgspec.structs.replace(Location(0, "0" * 64, 0, 100), **place)
    with pytest.raises(IntegrityError, match="no record"):
        decode_locations(encode_locations([location]), "x")


def test_a_record_that_would_grow_to_a_gigabyte() -> None:
    bomb = igzip.compress(b"\n" * (1024 * MEBIBYTE), 2)
    with taking_at_most(400), pytest.raises(IntegrityError, match="no record"):
        decode_locations(bomb, "x")


@pytest.mark.parametrize("level", [0, 1, 2])
def test_a_segment_that_repeats_or_nests_itself(level: int) -> None:
    """A segment can't hold itself: it would hash to what it lists. What repeats is out of order."""
    entry: Entry = Node("0" * 64, "b", 1, 2, 9, 100, "0" * 64, 0, 100) if level > 1 else chunk_of(2, 9)
    data = encode_segment([entry, entry])
    with pytest.raises(IntegrityError, match="order"):
        decode_segment(node_of([entry, entry], data), max(level, 1), data, "x")
    with pytest.raises(IntegrityError):
        decode_segment(node_of([entry], data), max(level, 1), data, "x")


def test_more_entries_than_a_root_or_a_segment_has() -> None:
    chunks = [chunk_of(1, 1, first=f"{number:06}", last=f"{number:06}") for number in range(SEGMENT_ENTRIES + 1)]
    data = encode_segment(chunks)
    with pytest.raises(IntegrityError, match="entries"):
        decode_segment(node_of(chunks, data), 1, data, "x")
    with pytest.raises(IntegrityError, match="tree"):
        open_tree(Tree(chunks=tuple(chunks)))
    with pytest.raises(IntegrityError, match="tree"):
        open_tree(Tree(level=9, nodes=(Node("0" * 64, "b", 1, 2, 9, 100, "0" * 64, 0, 100),)))


async def test_what_is_listed_twice_with_other_hashes_is_not_taken_for_verified() -> None:
    """Two trees name one member: one of them lies about it."""
    store = MemoryStore()
    honest, _ = await write_snapshot(store.snapshots, documents(range(50)), created=MORNING)
    chunks = await chunks_of(store.snapshots, honest)
    lies = [msgspec.structs.replace(chunk, sha256=hashlib.sha256(chunk.first.encode()).hexdigest()) for chunk in chunks]
    liar = manifest_of(Tree(chunks=tuple(lies)), honest.content_digest, run="run-2")
    await commit(store.snapshots, liar, await used_packs(store.snapshots, liar))
    report = await verify_index(store.snapshots, liar.service, liar.index)
    assert [(each.blob, each.snapshots) for each in report.damage] == [(liar.folder.pack(chunks[0].pack), (liar.id,))]


@pytest.mark.parametrize("bits", [MAX_BOUNDARY_BITS + 1, 4_000_000_000, 2**53])
def test_boundary_bits_that_no_key_could_be_compared_with(bits: int) -> None:
    with pytest.raises(IntegrityError):
        open_manifest(with_checksum(MANIFEST.replace(b'"boundary_bits":4', b'"boundary_bits":%d' % bits)), "x")
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(b"%d" % bits, type=BoundaryBits)
    begun = time.process_time()
    ends_chunk("a", bits)
    assert time.process_time() - begun < 1


def test_sizes_are_bounded() -> None:
    with pytest.raises(IntegrityError):
        open_manifest(with_checksum(MANIFEST.replace(b'"bytes":0', b'"bytes":%d' % 2**63)), "x")


async def read_service(data: bytes) -> ServiceManifest:
    store = MemoryStore()
    await store.snapshots.create(manifest_name("east", SERVICE_OBJECTS, REFERENCE.id or ""), with_checksum(data))
    return await read_service_manifest(store.snapshots, REFERENCE)


async def test_a_service_manifest() -> None:
    assert (await read_service(SERVICE)).created == MORNING
    for body in OTHER_BODIES:
        with pytest.raises(IntegrityError):
            await read_service(SERVICE.replace(b'"body":{}', b'"body":' + body))
    with pytest.raises(IntegrityError):
        await read_service(SERVICE.replace(b"2026-11-20T02:30:00Z", b"0001-01-01T00:00:00+14:00"))


async def test_a_service_manifest_is_committed_as_before() -> None:
    manifest = msgspec.json.decode(SERVICE, type=ServiceManifest)
    store = MemoryStore()
    await commit_service(store.snapshots, manifest)
    assert await read_service_manifest(store.snapshots, REFERENCE) == manifest


@pytest.mark.parametrize("changed", [{"tool": "\udc80"}, {"created": "0001-01-01T00:00:00+14:00"}, {"bytes": "\udc80"}])
def test_metadata_that_is_no_summary(changed: dict[str, str]) -> None:
    summary = summarise(manifest_of(Tree(), "0" * 64))
    assert from_metadata(summary.reference, to_metadata(summary)) == summary
    assert from_metadata(summary.reference, to_metadata(summary) | changed) is None


@pytest.mark.parametrize("data", [b'{"since":"2026-11-20T02:30:00Z","reason":"\xff"}', b'{"x":%s}' % DEEP])
async def test_a_record(data: bytes) -> None:
    store = MemoryStore()
    await store.runs.put(pin_name("east", "hotels", "x"), data)
    with pytest.raises(IntegrityError):
        await RecordStore(store.runs, Pin).read(pin_name("east", "hotels", "x"))
    assert await pins_by_id(store.runs, "east", "hotels") == {"x": None}


async def test_a_pin_is_read() -> None:
    store = MemoryStore()
    await store.runs.put(pin_name("east", "hotels", "x"), msgspec.json.encode(Pin(MORNING)))
    assert await pins_by_id(store.runs, "east", "hotels") == {"x": Pin(MORNING)}


@pytest.mark.parametrize("body", OTHER_BODIES)
def test_a_folder(tmp_path_factory: pytest.TempPathFactory, body: bytes) -> None:
    folder = tmp_path_factory.mktemp("dump")
    (folder / "documents.jsonl").write_bytes(b"")
    (folder / "definition.json").write_bytes(body)
    with pytest.raises(SettingsError):
        read_dump(folder)


@pytest.mark.parametrize("line", [b'{"a":"\xff"}', b'{"a":1e999}', b'{"a":%s}' % DEEP])
def test_documents_whose_fields_are_asked_for(line: bytes) -> None:
    with pytest.raises(IntegrityError):
        changed_fields(b'{"a":1}', line)


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(path))


SPECIAL: dict[str, Callable[[Path], object]] = {
    "a FIFO": os.mkfifo,
    "a directory": lambda path: path.mkdir(),
    "a socket": make_socket,
    "a device": lambda path: path.symlink_to("/dev/zero"),
}


@pytest.mark.parametrize("through", ["itself", "a link"])
@pytest.mark.parametrize("kind", SPECIAL)
@pytest.mark.parametrize(
    "name", ["documents.jsonl", "definition.json", "definition.preview.json", "snapshot.json", "synonym-maps/a.json"]
)
def test_what_is_no_plain_file_is_refused_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, kind: str, through: str
) -> None:
    monkeypatch.chdir(tmp_path)  # a socket's path has 100 characters at most
    folder = Path("dump")
    (folder / "synonym-maps").mkdir(parents=True)
    (folder / "documents.jsonl").write_bytes(b"")
    (folder / "definition.json").write_bytes(STABLE)
    (folder / name).unlink(missing_ok=True)
    SPECIAL[kind](Path("elsewhere") if through == "a link" else folder / name)
    if through == "a link":
        (folder / name).symlink_to(Path("elsewhere").absolute())
    with pytest.raises(SettingsError, match=f"it is {kind}") as raised:
        read_dump(folder)
    assert raised.value.on.endswith(name)


@pytest.mark.parametrize("name", ["definition.json", "snapshot.json", "synonym-maps/a.json"])
def test_a_file_that_is_too_large(tmp_path: Path, name: str) -> None:
    (tmp_path / "synonym-maps").mkdir()
    (tmp_path / "documents.jsonl").write_bytes(b"")
    (tmp_path / "definition.json").write_bytes(STABLE)
    with (tmp_path / name).open("wb") as file:
        file.truncate(300 * MEBIBYTE)
    with taking_at_most(64), pytest.raises(SettingsError, match="16 MiB"):
        read_dump(tmp_path)
