"""What a verification reports of each kind of damage, and what it reads."""

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from indexvault.errors import IntegrityError, NotFoundError
from indexvault.snapshots.chunks import Chunk, SealedChunk, compress
from indexvault.snapshots.manifest import Manifest
from indexvault.snapshots.names import manifest_name
from indexvault.snapshots.slices import Slice
from indexvault.snapshots.store import BlobProperties, Store
from indexvault.snapshots.verify import VerifyReport, check_chunk, verify_index
from indexvault.snapshots.writer import commit, store_chunk
from tests.memory_store import MemoryStore
from tests.snapshots.samples import MORNING, cut, document, documents, manifest_of, verified, write_snapshot

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


async def verify(store: Store, **choices: Any) -> VerifyReport:
    return await verify_index(store.snapshots, EAST, HOTELS, **choices)


async def test_a_shared_chunk_is_read_once(store: Store) -> None:
    first, second = await two_snapshots(store)
    seen: list[Chunk] = []
    report = await verify(store, progress=seen.append)
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
    reports = [await verify(store, depth=depth, only=only) for only in (None, [first.id])]
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
    by_content, by_size = await verify(store), await verify(store, depth="sizes")
    assert [(finding.blob, finding.kind, finding.snapshots) for finding in by_content.findings] == [
        (name, "damaged", (first.id, second.id))
    ]
    assert bool(by_size.findings) == shows_in_sizes
    assert by_content.chunks == by_content.chunks_named - 1


async def test_an_edited_manifest_is_damaged_and_the_others_are_still_checked(store: Store) -> None:
    first, second = await two_snapshots(store)
    name = manifest_name(EAST, HOTELS, first.id)
    await replace(store, name, lambda data: data.replace(b'"complete"', b'"lossy"'))
    report = await verify(store)
    assert [(finding.blob, finding.snapshots) for finding in report.findings] == [(name, (first.id,))]
    assert "checksum" in report.findings[0].what
    assert (report.snapshots, report.chunks, report.unnamed) == (1, len(second.chunks), None)


async def test_a_wrong_summary_is_found(store: Store) -> None:
    first, _ = await two_snapshots(store)
    name = manifest_name(EAST, HOTELS, first.id)
    data = await store.snapshots.read(name, 10**6)
    await store.snapshots.delete(name)
    await store.snapshots.create(name, data, metadata={"documents": "7"})
    assert [finding.blob for finding in (await verify(store)).damage] == [name]


async def test_a_manifest_that_should_be_there_is_damage(store: Store) -> None:
    first, second = await two_snapshots(store)
    name = manifest_name(EAST, HOTELS, first.id)
    await store.snapshots.delete(name)
    for only in (None, [first.id]):
        report = await verify(store, only=only, missing={first.id: "the manifest has vanished"})
        assert [(each.kind, each.blob, each.what, each.snapshots) for each in report.damage] == [
            ("missing", name, "the manifest has vanished", (first.id,))
        ]
        with pytest.raises(IntegrityError, match=name):
            report.raise_for_damage()
    sound = await verify(store, only=[second.id], missing={first.id: "the manifest has vanished"})
    assert sound.damage == ()
    with pytest.raises(NotFoundError):
        await verify(store, only=[first.id])


async def test_a_missing_manifest_leaves_chunks_that_no_snapshot_names(store: Store) -> None:
    first, second = await two_snapshots(store)
    await store.snapshots.delete(manifest_name(EAST, HOTELS, first.id))
    report = await verify(store)
    assert (report.findings, report.snapshots, report.unnamed) == ((), 1, 1)
    assert report.unnamed_bytes == next(chunk.stored for chunk in first.chunks if chunk not in second.chunks)
    with pytest.raises(NotFoundError):
        await verify(store, only=[first.id])


async def test_a_foreign_blob_is_named_and_no_damage(store: Store) -> None:
    await two_snapshots(store)
    names = [f"{EAST}/{HOTELS}/{name}" for name in ("chunks/notes.txt", "manifests/latest.json", "readme")]
    for name in names:
        await store.snapshots.create(name, b"?")
    report = await verify(store)
    assert sorted(finding.blob for finding in report.findings) == sorted(names)
    assert report.damage == ()
    report.raise_for_damage()


async def test_slices_together_read_every_chunk_once(store: Store) -> None:
    await two_snapshots(store)
    reports = [await verify(store, sample=Slice(number, 5)) for number in range(1, 6)]
    assert sum(report.chunks for report in reports) == reports[0].chunks_named
    assert all(not report.findings for report in reports)


async def test_a_slice_finds_damage_in_it_only_but_every_missing_chunk() -> None:
    store = MemoryStore()
    first, _ = await two_snapshots(store)
    flipped, missing = first.folder.blob(first.chunks[1].sha256), first.folder.blob(first.chunks[3].sha256)
    await replace(store, flipped, flip_middle)
    await store.snapshots.delete(missing)
    found = [
        {finding.blob for finding in (await verify(store, sample=Slice(number, 4))).findings} for number in range(1, 5)
    ]
    assert all(missing in blobs for blobs in found)
    assert sum(flipped in blobs for blobs in found) == 1


async def test_a_shared_chunk_lies_in_its_generation(store: Store) -> None:
    first, _ = await two_snapshots(store)
    created = MORNING + timedelta(days=2)
    fresh, _ = await write_snapshot(store.snapshots, LINES, created=created, run="run-3", generation="g2")
    await store.snapshots.delete(first.folder.blob(first.chunks[0].sha256))
    assert fresh.id not in (await verify(store)).findings[0].snapshots


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
    assert (await verify_index(store.snapshots, EAST, HOTELS)).damage == ()


async def test_progress_counts_the_chunks_of_the_slice_alone() -> None:
    store = MemoryStore()
    await write_snapshot(store.snapshots, documents(range(300)))
    heard: list[Chunk] = []
    report = await verify_index(store.snapshots, EAST, HOTELS, sample=Slice(number=1, total=3), progress=heard.append)
    assert 0 < len(heard) == report.chunks < report.chunks_named


async def test_a_sound_snapshot_is_read_whole(store: Store) -> None:
    manifest, _ = await write_snapshot(store.snapshots, LINES)
    seen: list[Chunk] = []
    report = await verify(store, progress=seen.append, concurrency=3)
    report.raise_for_damage()
    assert report == VerifyReport(
        service=EAST,
        index=HOTELS,
        snapshots=1,
        chunks_named=len(manifest.chunks),
        chunks=len(manifest.chunks),
        documents=300,
        bytes=manifest.bytes,
        unnamed=0,
        unnamed_bytes=0,
        findings=(),
    )
    assert sorted(seen, key=lambda chunk: chunk.first) == list(manifest.chunks)


async def test_an_empty_snapshot_is_sound(store: Store) -> None:
    manifest, _ = await write_snapshot(store.snapshots, {})
    assert (await verified(store.snapshots, manifest)).damage == ()


@pytest.mark.parametrize(
    "damage", [flip_middle, lambda data: data[:-5], lambda _: b"", lambda data: data + b"\0"], ids=range(4)
)
async def test_each_damaged_chunk_is_named(store: Store, damage: Callable[[bytes], bytes]) -> None:
    manifest, _ = await write_snapshot(store.snapshots, LINES)
    names = sorted(manifest.folder.blob(manifest.chunks[place].sha256) for place in (1, 3))
    for name in names:
        await replace(store, name, damage)
    report = await verified(store.snapshots, manifest)
    assert [found.blob for found in report.damage] == names
    assert report.chunks == len(manifest.chunks) - 2
    with pytest.raises(IntegrityError) as caught:
        report.raise_for_damage()
    assert all(name in str(caught.value) for name in names)


async def test_a_missing_chunk_is_named(store: Store) -> None:
    manifest, _ = await write_snapshot(store.snapshots, LINES)
    name = manifest.folder.blob(manifest.chunks[0].sha256)
    await store.snapshots.delete(name)
    report = await verified(store.snapshots, manifest)
    assert [found.blob for found in report.damage] == [name]


async def test_a_missing_manifest_is_named(store: Store) -> None:
    manifest, summary = await write_snapshot(store.snapshots, LINES)
    name = manifest_name(EAST, HOTELS, summary.id)
    await store.snapshots.delete(name)
    with pytest.raises(NotFoundError) as caught:
        await verified(store.snapshots, manifest)
    assert caught.value.on == f"{EAST}/{HOTELS}@{summary.id}"


async def test_a_summary_that_is_not_the_manifests_is_named(store: Store) -> None:
    manifest, summary = await write_snapshot(store.snapshots, LINES)
    name = manifest_name(EAST, HOTELS, summary.id)
    data = await store.snapshots.read(name, 10**6)
    await store.snapshots.delete(name)
    await store.snapshots.create(name, data)
    report = await verified(store.snapshots, manifest)
    assert [(found.blob, "metadata" in found.what) for found in report.damage] == [(name, True)]


class TestContent:
    """Chunks that hash as they should, of a manifest that is wrong about the documents in them."""

    @pytest.fixture
    def forge(self) -> Callable[[list[bytes]], Awaitable[str]]:
        async def forge(lines: list[bytes]) -> str:
            store = MemoryStore()
            honest = cut(LINES, bits=14)[0]
            data = b"\n".join(lines) + b"\n"
            forged = _rehashed(honest, data, len(lines))
            manifest = manifest_of([honest.chunk], honest.digest)
            stored = await store_chunk(store.snapshots, manifest.folder, forged, {})
            with pytest.raises(IntegrityError) as caught:
                await check_chunk(store.snapshots, manifest.folder, stored.chunk, manifest.key_field)
            assert "chunks/" in caught.value.on
            return caught.value.what

        return forge

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            (lambda lines: [lines[1], lines[0], *lines[2:]], "first and last"),
            (lambda lines: [lines[0], lines[2], lines[1], *lines[3:]], "key order"),
            (lambda lines: [lines[0], lines[1], lines[1], *lines[2:]], "key order"),
            (lambda lines: [lines[0], b"{}", *lines[2:]], "HotelId"),
            (lambda lines: [lines[0], b"[]", *lines[2:]], "HotelId"),
            (lambda lines: [lines[0], b"{", *lines[2:]], "HotelId"),
            (lambda lines: [lines[0], b'{"HotelId":7}', *lines[2:]], "HotelId"),
            (lambda lines: lines[:-1], "first and last"),
        ],
        ids=["swapped ends", "swapped", "repeated", "no key", "no object", "no json", "key no string", "short"],
    )
    async def test_is_checked_document_by_document(
        self,
        forge: Callable[[list[bytes]], Awaitable[str]],
        change: Callable[[list[bytes]], list[bytes]],
        said: str,
    ) -> None:
        what = await forge(change(list(LINES.values())))
        assert said in what
        assert "Hôtel" not in what

    async def test_must_add_up_to_the_manifests_digest(self) -> None:
        store = MemoryStore()
        manifest, _ = await write_snapshot(store.snapshots, LINES)
        await store.snapshots.delete(manifest_name(EAST, HOTELS, manifest.id))
        await commit(store.snapshots, msgspec.structs.replace(manifest, content_digest="0" * 64))
        report = await verified(store.snapshots, manifest)
        assert any("content digest" in found.what for found in report.damage)


def _rehashed(honest: SealedChunk, data: bytes, count: int) -> SealedChunk:
    chunk = honest.chunk
    return SealedChunk(
        chunk=msgspec.structs.replace(
            chunk, sha256=hashlib.sha256(data).hexdigest(), documents=count, bytes=len(data), stored=len(compress(data))
        ),
        digest=honest.digest,
        data=data,
    )
