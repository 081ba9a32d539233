"""A snapshot as a folder of plain files."""

import json
from pathlib import Path

import pytest

from indexvault.errors import ConflictError, IndexvaultError, IntegrityError, NotFoundError, SettingsError
from indexvault.snapshots.export import DOCUMENTS, export_snapshot, read_dump
from indexvault.snapshots.manifest import Loss
from indexvault.snapshots.store import Store
from tests.memory_store import MemoryStore
from tests.snapshots.damaging import flip_in, replace
from tests.snapshots.samples import chunks_of, documents, write_snapshot

LINES = documents(range(300))


async def test_documents_and_definitions_are_written_byte_for_byte(store: Store, tmp_path: Path) -> None:
    losses = (Loss("Rooms/Secret", "hidden"),)
    manifest, _ = await write_snapshot(store.snapshots, LINES, losses=losses, bits=1, pack_bytes=3000)
    file = await export_snapshot(store.snapshots, manifest, tmp_path / "out")
    assert file.read_bytes() == b"".join(LINES[key] + b"\n" for key in sorted(LINES))
    dump = read_dump(tmp_path / "out")
    assert (dump.definition, dump.synonym_maps) == (manifest.definition, manifest.synonym_maps)
    assert dump.files == (file,)
    assert dump.origin is not None
    assert (dump.origin.key_field, dump.origin.losses) == (manifest.key_field, manifest.losses)
    assert json.loads((tmp_path / "out" / "snapshot.json").read_text())["documents"] == 300


async def test_a_folder_that_holds_something_is_not_touched(tmp_path: Path) -> None:
    store = MemoryStore()
    manifest, _ = await write_snapshot(store.snapshots, LINES)
    (tmp_path / "mine").write_text("x")
    with pytest.raises(ConflictError):
        await export_snapshot(store.snapshots, manifest, tmp_path)
    held = [path.name for path in tmp_path.iterdir()]  # noqa: ASYNC240 - a test keeps nobody waiting
    assert held == ["mine"]


@pytest.mark.parametrize("place", ["file", "file/out", "/proc/none"])
async def test_a_folder_that_can_not_be_written_is_named(tmp_path: Path, place: str) -> None:
    store = MemoryStore()
    manifest, _ = await write_snapshot(store.snapshots, LINES)
    (tmp_path / "file").write_text("x")
    folder = tmp_path / place
    with pytest.raises(IndexvaultError, match="it can't be written") as caught:
        await export_snapshot(store.snapshots, manifest, folder)
    assert caught.value.on == f"folder {folder}"


async def test_a_damaged_snapshot_gives_no_finished_file(tmp_path: Path) -> None:
    store = MemoryStore()
    manifest, _ = await write_snapshot(store.snapshots, LINES)
    last = (await chunks_of(store.snapshots, manifest))[-1]
    await replace(store, manifest.folder.pack(last.pack), flip_in(last))
    with pytest.raises(IntegrityError, match="indexvault repair contoso-east/hotels"):
        await export_snapshot(store.snapshots, manifest, tmp_path)
    assert not (tmp_path / DOCUMENTS).exists()
    with pytest.raises(NotFoundError):
        read_dump(tmp_path)


def test_a_dump_made_elsewhere_needs_a_definition_and_documents(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        read_dump(tmp_path)
    (tmp_path / "b.jsonl").write_text('{"id":"1"}\n')
    (tmp_path / "a.jsonl").write_text('{"id":"2"}\n')
    (tmp_path / "definition.json").write_text('{"name": "x"}\n')
    dump = read_dump(tmp_path)
    assert [file.name for file in dump.files] == ["a.jsonl", "b.jsonl"]
    assert bytes(dump.definition.stable.body) == b'{"name": "x"}'
    assert (dump.origin, dump.synonym_maps) == (None, ())


@pytest.mark.parametrize("file", ["definition.json", "snapshot.json", "synonym-maps/stars.json"])
def test_a_broken_file_is_named(tmp_path: Path, file: str) -> None:
    (tmp_path / "a.jsonl").write_text('{"id":"2"}\n')
    (tmp_path / "definition.json").write_text('{"name":"x"}')
    (tmp_path / "synonym-maps").mkdir()
    (tmp_path / file).write_text('{"name":')
    with pytest.raises(SettingsError, match=file.rpartition("/")[2]):
        read_dump(tmp_path)
