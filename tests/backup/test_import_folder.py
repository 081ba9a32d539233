"""A folder as a snapshot."""

import json
import os
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from indexvault.backup.import_folder import Importer
from indexvault.backup.import_lines import MOST_FINDINGS, ImportFindings
from indexvault.backup.limits import LIMITS, Limits
from indexvault.errors import AccountingError, IndexvaultError, NotFoundError, SettingsError
from indexvault.model import IndexName
from indexvault.snapshots.catalogue import list_snapshots, read_manifest, resolve_manifest
from indexvault.snapshots.diff import DiffTally, diff_snapshots
from indexvault.snapshots.export import export_snapshot
from indexvault.snapshots.known import known_snapshots
from indexvault.snapshots.names import SnapshotReference, manifest_name
from indexvault.snapshots.store import Store
from indexvault.snapshots.summary import Summary
from indexvault.workflow.activity import ProgressUpdate
from tests import hotels
from tests.memory_store import MemoryStore
from tests.snapshots.samples import chunks_of, verified
from tests.world import EAST, LATER, WEST, World, open_world

DUMPED = IndexName("elsewhere", "hotels")


async def bring(
    store: Store,
    folder: Path,
    index: IndexName = DUMPED,
    *,
    seed: int = 5,
    limits: Limits = LIMITS,
    findings: ImportFindings | None = None,
) -> Summary:
    done: list[ProgressUpdate] = []
    rng = random.Random(seed)
    importer = Importer(store, clock=lambda: datetime.now(UTC), rng=rng, report=done.append, limits=limits)
    summary = await importer.import_folder(folder, index, run="import-1", findings=findings)
    assert sum(each.documents for each in done if each.stage == "store") == summary.documents
    return summary


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with open_world(MemoryStore("local")) as opened:
        yield opened


async def test_an_exported_snapshot_comes_back_chunk_by_chunk(world: World, tmp_path: Path) -> None:
    await world.fill(hotels.DEFINITION, hotels.hotels(900))
    made = await world.back_up("hotels")
    before = await resolve_manifest(world.store.snapshots, SnapshotReference(service=EAST, index="hotels"), now=LATER)
    await export_snapshot(world.store.snapshots, before, tmp_path / "out")
    summary = await bring(world.store, tmp_path / "out", IndexName(EAST, "hotels"))
    after = await read_manifest(world.store.snapshots, summary)
    assert await chunks_of(world.store.snapshots, after) == await chunks_of(world.store.snapshots, before)
    assert (after.added.chunks, after.content_digest) == (0, before.content_digest)
    assert after.definition == before.definition
    assert made.documents == after.counts.documents == 900
    # Both are recorded as committed, so that a manifest that vanishes is noticed.
    recorded = {reference.id for reference in await known_snapshots(world.store.runs, EAST, "hotels")}
    assert recorded == {before.id, after.id}


def dump(folder: Path, *lines: str, definition: object = hotels.DEFINITION) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "definition.json").write_text(json.dumps(definition))
    (folder / "part.jsonl").write_text("".join(line + "\n" for line in lines), errors="surrogateescape")
    return folder


async def test_a_dump_made_elsewhere_is_sorted_stripped_and_restored(world: World, tmp_path: Path) -> None:
    documents = hotels.hotels(400)
    lines = [json.dumps({"@search.score": 1.0, **document}) for document in documents]
    random.Random(1).shuffle(lines)
    summary = await bring(world.store, dump(tmp_path, *lines, ""))
    manifest = await read_manifest(world.store.snapshots, summary)
    (await verified(world.store.snapshots, manifest)).raise_for_damage()
    assert (summary.state, summary.documents) == ("complete", 400)
    await world.fill(hotels.DEFINITION, documents)
    made = await world.back_up("hotels")
    other = await read_manifest(
        world.store.snapshots, SnapshotReference(service=EAST, index="hotels", id=made.snapshot)
    )
    tally = DiffTally()
    keys = {change.key async for change in diff_snapshots(world.store.snapshots, manifest, other, tally)}
    assert (tally.added, tally.removed) == (0, 0)
    assert keys <= {document["id"] for document in documents}


@pytest.mark.parametrize(
    ("lines", "error", "text"),
    [
        (['{"id":"1"}', '{"id":"2"}', '{"id":"1","name":"b"}'], AccountingError, "3 documents under 2 keys"),
        (['{"id":"1"}', "[1]"], SettingsError, "line 2"),
        (['{"id":1}'], SettingsError, "line 1"),
        (['{"name":"x"}'], SettingsError, "line 1"),
        (['{"id":"1",'], SettingsError, "line 1"),
    ],
)
async def test_what_can_t_be_imported_leaves_no_snapshot(
    tmp_path: Path, lines: list[str], error: type[IndexvaultError], text: str
) -> None:
    store = MemoryStore()
    with pytest.raises(error, match=text):
        await bring(store, dump(tmp_path, *lines))
    assert await list_snapshots(store.snapshots) == []
    assert [blob.name async for blob in store.runs.list("runs/")] == []


REFUSED = [
    ('{"id":"1","stars":3000000000}', "/stars"),
    ('{"id":"1","name":"a","name":"b"}', "/name"),
    ('{"id":"a\\u0000b"}', "/id"),
    ('{"id":"a b"}', "/id"),
    ('{"id":"1","colour":"red"}', "/colour"),
    ('{"id":"1","vector":[1,2,3]}', "/vector"),
    ('{"id":"1","name":"\udcff"}', "UTF-8"),
]


@pytest.mark.parametrize(("line", "where"), REFUSED)
async def test_what_no_service_would_take_is_refused_where_it_is(tmp_path: Path, line: str, where: str) -> None:
    store = MemoryStore()
    with pytest.raises(SettingsError, match=f"part.jsonl: line 2, .*{where}"):
        await bring(store, dump(tmp_path, '{"id":"0"}', line))
    assert await list_snapshots(store.snapshots) == []


async def test_a_lenient_import_keeps_it_and_says_so_in_the_snapshot(tmp_path: Path) -> None:
    lines = [line.replace('"1"', f'"{number}"') for number, (line, _where) in enumerate(REFUSED)]
    folder, store, findings = dump(tmp_path, *lines), MemoryStore(), ImportFindings()
    summary = await bring(store, folder, findings=findings)
    assert (summary.documents, findings.count) == (len(REFUSED), len(REFUSED))
    assert findings.first[0].startswith("part.jsonl line 1, /stars: ")
    manifest = await read_manifest(store.snapshots, summary)
    assert manifest.reading is not None
    assert manifest.reading.reason.startswith("7 findings")
    assert "part.jsonl line 5, /colour" in manifest.reading.reason


async def test_findings_are_bounded(tmp_path: Path) -> None:
    findings = ImportFindings()
    await bring(MemoryStore(), dump(tmp_path, *(f'{{"id":"{n}","x":1}}' for n in range(500))), findings=findings)
    assert (findings.count, len(findings.first)) == (500, MOST_FINDINGS)
    assert findings.words().endswith("; and 480 more")


@pytest.mark.parametrize("name", ["Hotels", "a--b", "-a", "a" * 129, "$service", "a b"])
async def test_no_snapshot_gets_a_name_that_no_index_can_have(tmp_path: Path, name: str) -> None:
    store = MemoryStore()
    with pytest.raises(SettingsError, match="no index can have this name"):
        await bring(store, dump(tmp_path, '{"id":"1"}'), IndexName(EAST, name), findings=ImportFindings())
    assert await list_snapshots(store.snapshots) == []


async def test_a_definition_that_no_service_would_take_is_refused(tmp_path: Path) -> None:
    definition = hotels.definition(fields=[*hotels.DEFINITION["fields"], {"name": "1st", "type": "Edm.String"}])
    with pytest.raises(SettingsError, match=r"definition\.json: /1st"):
        await bring(MemoryStore(), dump(tmp_path, '{"id":"1"}', definition=definition))


async def test_an_export_that_lost_a_document_is_refused_unless_that_was_meant(world: World, tmp_path: Path) -> None:
    await world.fill(hotels.DEFINITION, hotels.hotels(50))
    await world.back_up("hotels")
    manifest = await resolve_manifest(world.store.snapshots, SnapshotReference(service=EAST, index="hotels"), now=LATER)
    folder = tmp_path / "out"
    file = await export_snapshot(world.store.snapshots, manifest, folder)
    file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[:-1]))
    with pytest.raises(AccountingError, match="49 are there, and 50 were exported"):
        await bring(world.store, folder, IndexName(WEST, "hotels"))
    origin = json.loads((folder / "snapshot.json").read_text())
    del origin["content_digest"]
    (folder / "snapshot.json").write_text(json.dumps(origin))
    assert (await bring(world.store, folder, IndexName(WEST, "hotels"))).documents == 49


async def test_lines_may_end_and_begin_as_other_systems_write_them(tmp_path: Path) -> None:
    folder = dump(tmp_path)
    for file in folder.glob("*.jsonl"):
        file.unlink()
    (folder / "b.jsonl").write_bytes(b'\xef\xbb\xbf{"id":"2"}\r\n\r\n{"id":"1"}')
    store = MemoryStore()
    manifest = await read_manifest(store.snapshots, await bring(store, folder))
    assert [(chunk.first, chunk.last) for chunk in manifest.tree.chunks] == [("1", "2")]
    assert manifest.bytes == len(b'{"id":"1"}\n{"id":"2"}\n')


async def test_what_is_no_document_by_its_size_is_not_read_whole(tmp_path: Path) -> None:
    folder = dump(tmp_path, '{"id":"1"}', json.dumps({"id": "2", "name": "x" * 100}))
    with pytest.raises(SettingsError, match="line 2 is longer than any document"):
        await bring(MemoryStore(), folder, limits=Limits(longest_line=100))


async def test_a_pipe_or_a_folder_among_the_files_is_refused(tmp_path: Path) -> None:
    folder = dump(tmp_path, '{"id":"1"}')
    os.mkfifo(folder / "z.jsonl")
    with pytest.raises(SettingsError, match="it is a FIFO"):
        await bring(MemoryStore(), folder)


async def test_a_damaged_newest_snapshot_is_no_reason_not_to_import(tmp_path: Path) -> None:
    store = MemoryStore()
    folder = dump(tmp_path, '{"id":"1"}')
    first = await bring(store, folder)
    name = manifest_name(first.service, first.index, first.id)
    properties = await store.snapshots.properties(name)
    assert properties is not None
    await store.snapshots.delete(name)
    await store.snapshots.create(name, b"{}", metadata=properties.metadata)
    assert (await bring(store, folder, seed=6)).documents == 1


@pytest.mark.parametrize("stable", ["[]", '{"name":"hotels"}'])
async def test_both_definitions_must_be_definitions(tmp_path: Path, stable: str) -> None:
    folder = dump(tmp_path, '{"id":"1"}')
    (folder / "definition.json").rename(folder / "definition.preview.json")
    (folder / "definition.json").write_text(stable)
    with pytest.raises(IndexvaultError):
        await bring(MemoryStore(), folder)


async def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        await bring(MemoryStore(), tmp_path)


async def test_an_index_without_documents_is_one(tmp_path: Path) -> None:
    store = MemoryStore()
    assert (await bring(store, dump(tmp_path))).documents == 0


async def test_what_was_lossy_stays_lossy(world: World, tmp_path: Path) -> None:
    await world.fill(hotels.with_field("name", retrievable=False), [])
    await world.back_up("hotels")
    manifest = await resolve_manifest(world.store.snapshots, SnapshotReference(service=EAST, index="hotels"), now=LATER)
    assert manifest.state == "lossy"
    await export_snapshot(world.store.snapshots, manifest, tmp_path / "out")
    assert (await bring(world.store, tmp_path / "out", IndexName(WEST, "hotels"))).state == "lossy"
