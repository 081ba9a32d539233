"""Snapshots in format 2 stay readable, by this project and by the reader in docs/format.md."""

import gzip
import hashlib
import json
import re
import shutil
import subprocess
import sys
import zlib
from pathlib import Path

import msgspec
import pytest

from indexvault.snapshots.catalogue import list_snapshots, read_manifest, resolve
from indexvault.snapshots.chunks import Chunk, document_lines
from indexvault.snapshots.manifest import Added, Counts, Loss, Manifest
from indexvault.snapshots.names import SNAPSHOT_CONTAINER, SnapshotReference
from indexvault.snapshots.packs import scan_members
from indexvault.snapshots.reader import read_chunk
from indexvault.snapshots.tree import Node, Tree
from tests.memory_store import MemoryStore
from tests.snapshots.samples import LATER, chunks_of, verified

TESTS = Path(__file__).resolve().parent.parent
FORMAT_2 = TESTS / "fixtures" / "format-2"
CONTAINER = FORMAT_2 / SNAPSHOT_CONTAINER
METADATA: dict[str, dict[str, str]] = json.loads((FORMAT_2 / "metadata.json").read_bytes())
DOCUMENTS: dict[str, list[str]] = json.loads((FORMAT_2 / "documents.json").read_bytes())


@pytest.fixture
async def store() -> MemoryStore:
    """Return a store that holds the fixture."""
    store = MemoryStore()
    for name, metadata in METADATA.items():
        await store.snapshots.create(name, (CONTAINER / name).read_bytes(), metadata=metadata)
    return store


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the reader in the page to a file and return it."""
    page = (TESTS.parent / "docs" / "format.md").read_text()
    (program,) = re.findall(r"^```python\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    path = tmp_path_factory.mktemp("reader") / "reader.py"
    path.write_text(program)
    return path


def run_reader(reader: Path, folder: Path, reference: SnapshotReference) -> subprocess.CompletedProcess[bytes]:
    arguments = [str(folder), reference.service, reference.index, reference.id or ""]
    command = [sys.executable, "-I", str(reader), *arguments]
    return subprocess.run(command, capture_output=True, check=False, timeout=60)  # noqa: S603  # our own page's program


async def test_lists_them(store: MemoryStore) -> None:
    listed = await list_snapshots(store.snapshots)
    assert {str(summary.reference) for summary in listed} == set(DOCUMENTS)
    assert [(summary.index, summary.state, summary.documents) for summary in listed] == [
        ("empty_index", "complete", 0),
        ("hotels", "complete", 900),
        ("hotels", "lossy", 899),
        ("hotels", "complete", 900),
    ]


@pytest.mark.parametrize("reference", DOCUMENTS)
async def test_reads_every_byte_of_them(store: MemoryStore, reference: str) -> None:
    manifest = await read_manifest(store.snapshots, SnapshotReference.parse(reference))
    report = await verified(store.snapshots, manifest)
    report.raise_for_damage()
    lines = [
        line.decode()
        for chunk in await chunks_of(store.snapshots, manifest)
        for line in document_lines(await read_chunk(store.snapshots, manifest.folder, chunk))
    ]
    assert lines == DOCUMENTS[reference]


async def test_reads_their_definitions_as_they_were_sent(store: MemoryStore) -> None:
    summary = await resolve(store.snapshots, SnapshotReference.parse("contoso-east/hotels@2026-11-21"), now=LATER)
    manifest = await read_manifest(store.snapshots, summary)
    assert bytes(manifest.definition.stable.body) == (
        b'{ "name":"hotels", "fields":[{"name":"HotelId","type":"Edm.String","key":true}],\r\n "similarity":null }'
    )
    assert manifest.synonym_maps[0].name == "stars"
    assert [loss.field for loss in manifest.losses] == ["Rooms/Secret"]


@pytest.mark.parametrize("reference", DOCUMENTS)
def test_the_page_reader_reads_them(reader: Path, reference: str) -> None:
    ended = run_reader(reader, CONTAINER, SnapshotReference.parse(reference))
    assert (ended.returncode, ended.stderr) == (0, b"")
    assert ended.stdout.decode().splitlines() == DOCUMENTS[reference]


def compressed_again(member: bytes) -> bytes:
    """Return a member as another writer would make it: as sound, and of another length."""
    data = gzip.decompress(member)
    squeezed = zlib.compressobj(9, zlib.DEFLATED, -15)
    body = squeezed.compress(data) + squeezed.flush() + member[-8:]
    return member[:16] + (52 + len(body)).to_bytes(4, "little") + member[20:52] + body


@pytest.mark.parametrize("kind", ["packs", "segments"])
async def test_both_read_what_a_repair_has_compressed_again(reader: Path, tmp_path: Path, kind: str) -> None:
    reference = SnapshotReference.parse("contoso-east/hotels@20261120T023000Z-6e2d30")
    shutil.copytree(CONTAINER, tmp_path / "copy")
    index = tmp_path / "copy" / "contoso-east" / "hotels"
    for old in sorted((index / kind).glob("*.jsonl.gz")):
        data = old.read_bytes()
        record, new = [], b""
        members = list(scan_members(data, old.name))
        for each in members:
            made = compressed_again(data[each.offset : each.offset + each.stored])
            record.append((each.offset, len(new), len(made)))
            new += made
        assert [each.stored for each in members] != [size for _was, _now, size in record]
        name = hashlib.sha256(new).hexdigest()
        (index / kind / f"{name}.jsonl.gz").write_bytes(new)
        lines = b"".join(json.dumps([was, name, now, size]).encode() + b"\n" for was, now, size in record)
        (index / "locations" / old.name).write_bytes(gzip.compress(lines))
        old.unlink()
    ended = run_reader(reader, tmp_path / "copy", reference)
    assert (ended.returncode, ended.stderr) == (0, b"")
    assert ended.stdout.decode().splitlines() == DOCUMENTS[str(reference)]
    store = MemoryStore()
    for path in (tmp_path / "copy").rglob("*.*"):
        name = str(path.relative_to(tmp_path / "copy"))
        await store.snapshots.create(name, path.read_bytes(), metadata=METADATA.get(name, {}))
    (await verified(store.snapshots, await read_manifest(store.snapshots, reference))).raise_for_damage()


@pytest.mark.parametrize("struct", [Manifest, Tree, Node, Chunk, Added, Loss, Counts])
def test_the_page_names_every_member(struct: type[msgspec.Struct]) -> None:
    page = (TESTS.parent / "docs" / "format.md").read_text()
    missing = [name for name in struct.__struct_fields__ if f"`{name}`" not in page and f'"{name}"' not in page]
    assert missing == []


@pytest.mark.parametrize(
    "pattern", ["manifests/20261120*.json", "packs/*.jsonl.gz", "segments/*.jsonl.gz", "locations/*.jsonl.gz"]
)
def test_the_page_reader_finds_damage(reader: Path, tmp_path: Path, pattern: str) -> None:
    shutil.copytree(CONTAINER, tmp_path / "copy")
    for damaged in (tmp_path / "copy" / "contoso-east" / "hotels").glob(pattern):
        data = bytearray(damaged.read_bytes())
        data[len(data) // 2] ^= 0xFF
        damaged.write_bytes(data)
    snapshot = SnapshotReference.parse("contoso-east/hotels@20261120T023000Z-6e2d30")
    assert run_reader(reader, tmp_path / "copy", snapshot).returncode != 0


@pytest.mark.skipif(not (shutil.which("jq") and shutil.which("zcat")), reason="the page's shell lines need jq and zcat")
def test_the_page_shell_lines_work(reader: Path) -> None:
    page = (TESTS.parent / "docs" / "format.md").read_text()
    looking, reading = re.findall(r"^```sh\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    ended = subprocess.run(  # noqa: S603  # our own page's lines
        [str(shutil.which("bash")), "-euo", "pipefail", "-c", looking],
        cwd=CONTAINER,
        capture_output=True,
        check=True,
        timeout=60,
    )
    lines = ended.stdout.splitlines()
    assert b'"HotelId":"hotel-00060"' in lines[0]
    assert b'"level":1' in lines[-1]
    ended = subprocess.run(  # noqa: S603  # our own page's lines
        [
            str(shutil.which("bash")),
            "-euo",
            "pipefail",
            "-c",
            reading.replace("python reader.py", f"{sys.executable} {reader}").replace("> hotels.jsonl", ""),
        ],
        cwd=CONTAINER,
        capture_output=True,
        check=True,
        timeout=60,
    )
    assert ended.stdout.decode().splitlines() == DOCUMENTS["contoso-east/hotels@20261120T023000Z-6e2d30"]
