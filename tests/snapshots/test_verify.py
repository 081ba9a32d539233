import hashlib
from collections.abc import Awaitable, Callable

import msgspec
import pytest

from indexvault.errors import IntegrityError
from indexvault.snapshots.chunks import Chunk, SealedChunk, compress
from indexvault.snapshots.manifest import Manifest
from indexvault.snapshots.names import manifest_name
from indexvault.snapshots.store import Store
from indexvault.snapshots.verify import VerifyReport, verify_snapshot
from indexvault.snapshots.writer import store_chunk
from tests.memory_store import MemoryStore
from tests.snapshots.samples import cut, documents, manifest_of, write_snapshot

LINES = documents(range(300))


async def replace(store: Store, name: str, change: Callable[[bytes], bytes]) -> None:
    data = await store.snapshots.read(name, 10**6)
    await store.snapshots.delete(name)
    await store.snapshots.create(name, change(data))


def flip_middle(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 0xFF]) + data[middle + 1 :]


async def test_a_sound_snapshot_is_read_whole(store: Store) -> None:
    manifest, _ = await write_snapshot(store.snapshots, LINES)
    seen: list[Chunk] = []
    report = await verify_snapshot(store.snapshots, manifest, progress=seen.append, concurrency=3)
    report.raise_for_damage()
    assert report == VerifyReport(
        snapshot=report.snapshot, chunks=len(manifest.chunks), documents=300, bytes=manifest.bytes, damage=()
    )
    assert sorted(seen, key=lambda chunk: chunk.first) == list(manifest.chunks)


async def test_an_empty_snapshot_is_sound(store: Store) -> None:
    manifest, _ = await write_snapshot(store.snapshots, {})
    assert (await verify_snapshot(store.snapshots, manifest)).damage == ()


@pytest.mark.parametrize(
    "damage", [flip_middle, lambda data: data[:-5], lambda _: b"", lambda data: data + b"\0"], ids=range(4)
)
async def test_each_damaged_chunk_is_named(store: Store, damage: Callable[[bytes], bytes]) -> None:
    manifest, _ = await write_snapshot(store.snapshots, LINES)
    names = sorted(manifest.folder.blob(manifest.chunks[place].sha256) for place in (1, 3))
    for name in names:
        await replace(store, name, damage)
    report = await verify_snapshot(store.snapshots, manifest)
    assert [found.blob for found in report.damage] == names
    assert report.chunks == len(manifest.chunks) - 2
    with pytest.raises(IntegrityError) as caught:
        report.raise_for_damage()
    assert all(name in str(caught.value) for name in names)


async def test_a_missing_chunk_is_named(store: Store) -> None:
    manifest, _ = await write_snapshot(store.snapshots, LINES)
    name = manifest.folder.blob(manifest.chunks[0].sha256)
    await store.snapshots.delete(name)
    report = await verify_snapshot(store.snapshots, manifest)
    assert [found.blob for found in report.damage] == [name]


async def test_a_missing_manifest_is_named(store: Store) -> None:
    manifest, summary = await write_snapshot(store.snapshots, LINES)
    name = manifest_name("contoso-east", "hotels", summary.id)
    await store.snapshots.delete(name)
    assert [found.blob for found in (await verify_snapshot(store.snapshots, manifest)).damage] == [name]


async def test_a_summary_that_is_not_the_manifests_is_named(store: Store) -> None:
    manifest, summary = await write_snapshot(store.snapshots, LINES)
    name = manifest_name("contoso-east", "hotels", summary.id)
    await replace(store, name, lambda data: data)
    report = await verify_snapshot(store.snapshots, manifest)
    assert [(found.blob, "metadata" in found.what) for found in report.damage] == [(name, True)]


class TestContent:
    """Chunks that hash as they should, of a manifest that is wrong about the documents in them."""

    @pytest.fixture
    def forge(self) -> Callable[[list[bytes]], Awaitable[list[str]]]:
        async def forge(lines: list[bytes]) -> list[str]:
            store = MemoryStore()
            honest = cut(LINES, bits=14)[0]
            data = b"\n".join(lines) + b"\n"
            forged = _rehashed(honest, data, len(lines))
            manifest = manifest_of([honest.chunk], honest.digest)
            stored = await store_chunk(store.snapshots, manifest.folder, forged, {})
            report = await verify_snapshot(store.snapshots, _with_chunk(manifest, stored.chunk))
            return [found.what for found in report.damage if "chunks/" in found.blob]

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
        forge: Callable[[list[bytes]], Awaitable[list[str]]],
        change: Callable[[list[bytes]], list[bytes]],
        said: str,
    ) -> None:
        (what,) = await forge(change(list(LINES.values())))
        assert said in what
        assert "Hôtel" not in what

    async def test_must_add_up_to_the_manifests_digest(self) -> None:
        store = MemoryStore()
        manifest, _ = await write_snapshot(store.snapshots, LINES)
        report = await verify_snapshot(store.snapshots, msgspec.structs.replace(manifest, content_digest="0" * 64))
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


def _with_chunk(manifest: Manifest, chunk: Chunk) -> Manifest:
    return msgspec.structs.replace(manifest, chunks=(chunk,))
