"""What an audit says to each kind of damage, and what it reads."""

from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

import pytest

from indexvault.errors import IntegrityError, NotFoundError
from indexvault.snapshots.audit import AuditReport, audit_index
from indexvault.snapshots.chunks import Chunk
from indexvault.snapshots.manifest import Manifest
from indexvault.snapshots.names import manifest_name
from indexvault.snapshots.slices import Slice
from indexvault.snapshots.store import BlobProperties, Store
from tests.memory_store import MemoryStore
from tests.snapshots.samples import MORNING, document, documents, write_snapshot

EAST, HOTELS = "contoso-east", "hotels"
LINES = documents(range(300))


async def two_snapshots(store: Store) -> tuple[Manifest, Manifest]:
    """Return two snapshots that share all chunks but one."""
    first, _ = await write_snapshot(store.snapshots, LINES)
    changed = LINES | dict([document(150, " b")])
    created = MORNING + timedelta(days=1)
    second, _ = await write_snapshot(store.snapshots, changed, created=created, run="run-2", previous=first)
    return first, second


async def replace(store: Store, name: str, change: Callable[[bytes], bytes]) -> None:
    properties = await store.snapshots.properties(name)
    assert properties is not None
    data = await store.snapshots.read(name, 10**6)
    await store.snapshots.delete(name)
    await store.snapshots.create(name, change(data), metadata=properties.metadata)


def flip_middle(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 0xFF]) + data[middle + 1 :]


async def audit(store: Store, **choices: Any) -> AuditReport:
    return await audit_index(store.snapshots, EAST, HOTELS, **choices)


async def test_a_shared_chunk_is_read_once(store: Store) -> None:
    first, second = await two_snapshots(store)
    seen: list[Chunk] = []
    report = await audit(store, progress=seen.append)
    report.raise_for_damage()
    assert (report.snapshots, report.findings, report.unnamed) == (2, (), 0)
    assert report.chunks == report.chunks_named == len(seen) == len({*first.chunks, *second.chunks})
    assert len(seen) == len(first.chunks) + 1


@pytest.mark.parametrize("depth", ["content", "sizes"])
async def test_a_missing_chunk_is_named_with_every_snapshot_it_belongs_to(store: Store, depth: str) -> None:
    first, second = await two_snapshots(store)
    shared, own = first.chunks[0], next(chunk for chunk in first.chunks if chunk not in second.chunks)
    await store.snapshots.delete(first.folder.blob(shared.sha256))
    await store.snapshots.delete(first.folder.blob(own.sha256))
    reports = [await audit(store, depth=depth, only=only) for only in (None, [first.id])]
    for report in reports:
        found = {finding.blob: (finding.kind, finding.snapshots) for finding in report.findings}
        assert found == {
            first.folder.blob(shared.sha256): ("missing", (first.id, second.id)),
            first.folder.blob(own.sha256): ("missing", (first.id,)),
        }
    with pytest.raises(IntegrityError, match=second.id):
        reports[0].raise_for_damage()


@pytest.mark.parametrize(
    ("damage", "shows_in_sizes"),
    [(flip_middle, False), (lambda data: data[:-5], True), (lambda _: b"", True), (lambda data: data + b"\0", True)],
    ids=["flipped byte", "truncated gzip", "empty", "longer"],
)
async def test_a_damaged_chunk_is_found_by_its_content_and_by_its_size_if_that_changed(
    store: Store, damage: Callable[[bytes], bytes], *, shows_in_sizes: bool
) -> None:
    first, second = await two_snapshots(store)
    name = first.folder.blob(first.chunks[2].sha256)
    await replace(store, name, damage)
    by_content, by_size = await audit(store), await audit(store, depth="sizes")
    assert [(finding.blob, finding.kind, finding.snapshots) for finding in by_content.findings] == [
        (name, "damaged", (first.id, second.id))
    ]
    assert bool(by_size.findings) == shows_in_sizes
    assert by_content.chunks == by_content.chunks_named - 1


async def test_an_edited_manifest_is_damaged_and_the_others_are_still_checked(store: Store) -> None:
    first, second = await two_snapshots(store)
    name = manifest_name(EAST, HOTELS, first.id)
    await replace(store, name, lambda data: data.replace(b'"complete"', b'"lossy"'))
    report = await audit(store)
    assert [(finding.blob, finding.snapshots) for finding in report.findings] == [(name, (first.id,))]
    assert "checksum" in report.findings[0].what
    assert (report.snapshots, report.chunks, report.unnamed) == (1, len(second.chunks), None)


async def test_a_wrong_summary_is_found(store: Store) -> None:
    first, _ = await two_snapshots(store)
    name = manifest_name(EAST, HOTELS, first.id)
    data = await store.snapshots.read(name, 10**6)
    await store.snapshots.delete(name)
    await store.snapshots.create(name, data, metadata={"documents": "7"})
    assert [finding.blob for finding in (await audit(store)).damage] == [name]


async def test_a_missing_manifest_leaves_chunks_that_no_snapshot_names(store: Store) -> None:
    first, second = await two_snapshots(store)
    await store.snapshots.delete(manifest_name(EAST, HOTELS, first.id))
    report = await audit(store)
    assert (report.findings, report.snapshots, report.unnamed) == ((), 1, 1)
    assert report.unnamed_bytes == next(chunk.stored for chunk in first.chunks if chunk not in second.chunks)
    with pytest.raises(NotFoundError):
        await audit(store, only=[first.id])


async def test_a_foreign_blob_is_named_and_no_damage(store: Store) -> None:
    await two_snapshots(store)
    names = [f"{EAST}/{HOTELS}/{name}" for name in ("chunks/notes.txt", "manifests/latest.json", "readme")]
    for name in names:
        await store.snapshots.create(name, b"?")
    report = await audit(store)
    assert sorted(finding.blob for finding in report.findings) == sorted(names)
    assert report.damage == ()
    report.raise_for_damage()


async def test_slices_together_read_every_chunk_once(store: Store) -> None:
    await two_snapshots(store)
    reports = [await audit(store, part=Slice(number, 5)) for number in range(1, 6)]
    assert sum(report.chunks for report in reports) == reports[0].chunks_named
    assert all(not report.findings for report in reports)


async def test_a_slice_finds_damage_in_it_only_but_every_missing_chunk() -> None:
    store = MemoryStore()
    first, _ = await two_snapshots(store)
    flipped, missing = first.folder.blob(first.chunks[1].sha256), first.folder.blob(first.chunks[3].sha256)
    await replace(store, flipped, flip_middle)
    await store.snapshots.delete(missing)
    found = [
        {finding.blob for finding in (await audit(store, part=Slice(number, 4))).findings} for number in range(1, 5)
    ]
    assert all(missing in blobs for blobs in found)
    assert sum(flipped in blobs for blobs in found) == 1


async def test_a_shared_chunk_lies_in_its_generation(store: Store) -> None:
    first, _ = await two_snapshots(store)
    created = MORNING + timedelta(days=2)
    fresh, _ = await write_snapshot(store.snapshots, LINES, created=created, run="run-3", generation="g2")
    await store.snapshots.delete(first.folder.blob(first.chunks[0].sha256))
    assert fresh.id not in (await audit(store)).findings[0].snapshots


async def test_a_chunk_stored_while_the_listing_was_under_way_is_not_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    store = MemoryStore()
    manifest, _ = await write_snapshot(store.snapshots, documents(range(100)))
    late = manifest.folder.blob(manifest.chunks[0].sha256)
    listing = store.snapshots.list

    async def stale(prefix: str) -> AsyncIterator[BlobProperties]:
        async for blob in listing(prefix):
            if blob.name != late:
                yield blob

    monkeypatch.setattr(store.snapshots, "list", stale)
    assert (await audit_index(store.snapshots, EAST, HOTELS)).damage == ()


async def test_progress_counts_the_chunks_of_the_slice_alone() -> None:
    store = MemoryStore()
    await write_snapshot(store.snapshots, documents(range(300)))
    heard: list[Chunk] = []
    report = await audit_index(store.snapshots, EAST, HOTELS, part=Slice(number=1, total=3), progress=heard.append)
    assert 0 < len(heard) == report.chunks < report.chunks_named
