"""Blobs that nobody here wrote: each is an IntegrityError or is passed over, whatever its bytes."""

import os
import socket
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from indexvault.bounds import MEBIBYTE
from indexvault.errors import IntegrityError, SettingsError
from indexvault.snapshots.checksum import with_checksum
from indexvault.snapshots.chunks import (
    CHUNK_CAP,
    LARGEST_CHUNK,
    MAX_BOUNDARY_BITS,
    MOST_NAMED,
    BoundaryBits,
    Chunk,
    compress,
    ends_chunk,
    open_chunk,
)
from indexvault.snapshots.export import read_dump
from indexvault.snapshots.field_diff import changed_fields
from indexvault.snapshots.manifest import open_manifest
from indexvault.snapshots.names import SERVICE_OBJECTS, SnapshotReference, manifest_name
from indexvault.snapshots.pins import Pin, read_pins
from indexvault.snapshots.run_names import pin_name
from indexvault.snapshots.service_manifest import ServiceManifest, commit_service, read_service_manifest
from indexvault.snapshots.summary import from_metadata, summarise, to_metadata
from tests.memory_store import MemoryStore
from tests.peak import taking_at_most
from tests.snapshots.samples import MORNING, STABLE, manifest_of

DEEP = b"[" * 200_000 + b"]" * 200_000
MANIFEST = msgspec.json.encode(manifest_of([], "0" * 64))
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
    for data in (DEEP, b'{"format":"indexvault/1","x":%s}' % DEEP):
        with pytest.raises(IntegrityError):
            open_manifest(with_checksum(data), "x")
        with pytest.raises(IntegrityError):
            open_manifest(data, "x")


def chunk_of(documents: int, size: int) -> Chunk:
    return Chunk(sha256="0" * 64, first="a", last="b", documents=documents, bytes=size, stored=1)


@pytest.mark.parametrize("documents", [1, 2, 2**53])
@pytest.mark.parametrize("size", [1_200_000_000, 2**53])
def test_a_chunk_that_would_grow_to_a_gigabyte(documents: int, size: int) -> None:
    bomb = compress(b"\0" * (256 * 1024 * 1024))
    with taking_at_most(64), pytest.raises(IntegrityError, match="larger"):
        open_chunk(chunk_of(documents, size), bomb, "x")
    with pytest.raises(IntegrityError, match="larger"):
        open_manifest(with_checksum(msgspec.json.encode(manifest_of([chunk_of(documents, size)], "0" * 64))), "x")


def test_the_largest_chunks_that_are_written_are_read() -> None:
    for chunk in (chunk_of(2, CHUNK_CAP), chunk_of(1, LARGEST_CHUNK)):
        open_manifest(with_checksum(msgspec.json.encode(manifest_of([chunk], "0" * 64))), "x")


@pytest.mark.parametrize("bits", [MAX_BOUNDARY_BITS + 1, 4_000_000_000, 2**53])
def test_boundary_bits_that_no_key_could_be_compared_with(bits: int) -> None:
    with pytest.raises(IntegrityError):
        open_manifest(with_checksum(MANIFEST.replace(b'"boundary_bits":4', b'"boundary_bits":%d' % bits)), "x")
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(b"%d" % bits, type=BoundaryBits)
    begun = time.process_time()
    ends_chunk("a", bits)
    assert time.process_time() - begun < 1


def test_more_chunks_than_a_manifest_names() -> None:
    one = msgspec.json.encode(chunk_of(1, 1))
    data = MANIFEST.replace(b'"chunks":[]', b'"chunks":[%s]' % b",".join([one] * (MOST_NAMED + 1)))
    with taking_at_most(192), pytest.raises(IntegrityError, match="chunks"):
        open_manifest(with_checksum(data), "x")


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
    summary = summarise(manifest_of([], "0" * 64))
    assert from_metadata(summary.reference, to_metadata(summary)) == summary
    assert from_metadata(summary.reference, to_metadata(summary) | changed) is None


@pytest.mark.parametrize("data", [b'{"since":"2026-11-20T02:30:00Z","reason":"\xff"}', b'{"x":%s}' % DEEP])
async def test_a_record(data: bytes) -> None:
    store = MemoryStore()
    await store.runs.put(pin_name("east", "hotels", "x"), data)
    with pytest.raises(IntegrityError):
        await read_pins(store.runs, "east", "hotels")


async def test_a_pin_is_read() -> None:
    store = MemoryStore()
    await store.runs.put(pin_name("east", "hotels", "x"), msgspec.json.encode(Pin(MORNING)))
    assert await read_pins(store.runs, "east", "hotels") == {"x": Pin(MORNING)}


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
