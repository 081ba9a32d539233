import hashlib
from datetime import timedelta

import msgspec
import pytest

from indexvault.errors import ConflictError, IntegrityError
from indexvault.snapshots.catalogue import list_snapshots, read_manifest
from indexvault.snapshots.chunks import compress, open_chunk
from indexvault.snapshots.manifest import Added
from indexvault.snapshots.names import ChunkFolder, manifest_name
from indexvault.snapshots.store import Store
from indexvault.snapshots.writer import commit, store_chunk
from tests.memory_store import MemoryStore
from tests.snapshots.samples import MORNING, cut, document, documents, manifest_of, write_snapshot

FOLDER = ChunkFolder(service="contoso-east", index="hotels")
LINES = documents(range(200))
TOMORROW = MORNING + timedelta(days=1)


async def names(store: Store, prefix: str = "") -> list[str]:
    return [blob.name async for blob in store.snapshots.list(prefix)]


class TestStoringAChunk:
    async def test_stores_what_is_new_under_its_hash(self, store: Store) -> None:
        sealed = cut(LINES)[0]
        stored = await store_chunk(store.snapshots, FOLDER, sealed, {})
        assert stored.added
        assert stored.digest == sealed.digest
        name = FOLDER.blob(hashlib.sha256(sealed.data).hexdigest())
        properties = await store.snapshots.properties(name)
        assert properties is not None
        assert properties.size == stored.chunk.stored
        assert open_chunk(stored.chunk, await store.snapshots.read(name, properties.size), name) == sealed.data

    async def test_sends_nothing_that_the_previous_snapshot_names(self, store: Store) -> None:
        sealed = cut(LINES)[0]
        stored = await store_chunk(store.snapshots, FOLDER, sealed, {sealed.chunk.sha256: 123})
        assert (stored.added, stored.chunk.stored) == (False, 123)
        assert await names(store) == []

    async def test_storing_again_adds_nothing(self, store: Store) -> None:
        sealed = cut(LINES)[0]
        first = await store_chunk(store.snapshots, FOLDER, sealed, {})
        second = await store_chunk(store.snapshots, FOLDER, sealed, {})
        assert (first.added, second.added) == (True, False)
        assert first.chunk == second.chunk

    async def test_trusts_another_compressors_chunk_after_reading_it(self, store: Store) -> None:
        sealed = cut(LINES)[0]
        # Two stored blocks instead of one compressed: other bytes, the same content.
        half = len(sealed.data) // 2
        blocks = b"".join(
            bytes([last]) + len(part).to_bytes(2, "little") + (len(part) ^ 0xFFFF).to_bytes(2, "little") + part
            for last, part in ((0, sealed.data[:half]), (1, sealed.data[half:]))
        )
        packed = compress(sealed.data)
        other = packed[:10] + blocks + packed[-8:]
        await store.snapshots.create(FOLDER.blob(sealed.chunk.sha256), other)
        stored = await store_chunk(store.snapshots, FOLDER, sealed, {})
        assert (stored.added, stored.chunk.stored) == (False, len(other))

    @pytest.mark.parametrize("foreign", ["empty", "truncated", "flipped", "foreign"])
    async def test_never_trusts_a_blob_that_holds_something_else(self, store: Store, foreign: str) -> None:
        sealed = cut(LINES)[0]
        stored = compress(sealed.data)
        content = {
            "empty": b"",
            "truncated": stored[:-1],
            "flipped": stored[:100] + bytes([stored[100] ^ 1]) + stored[101:],
            "foreign": b"x" * len(stored),
        }[foreign]
        name = FOLDER.blob(sealed.chunk.sha256)
        await store.snapshots.create(name, content)
        with pytest.raises(IntegrityError) as caught:
            await store_chunk(store.snapshots, FOLDER, sealed, {})
        assert name in caught.value.on


class TestCommitting:
    async def test_makes_the_snapshot_exist(self, store: Store) -> None:
        manifest, summary = await write_snapshot(store.snapshots, LINES)
        assert await list_snapshots(store.snapshots) == [summary]
        assert await read_manifest(store.snapshots, summary) == manifest
        assert (summary.documents, summary.added_chunks) == (200, len(manifest.chunks))

    async def test_an_unchanged_index_adds_no_chunk(self, store: Store) -> None:
        first, _ = await write_snapshot(store.snapshots, LINES)
        before = await names(store)
        second, summary = await write_snapshot(store.snapshots, LINES, created=TOMORROW, run="run-2", previous=first)
        assert second.added == Added()
        assert second.chunks == first.chunks
        assert set(await names(store)) - set(before) == {manifest_name("contoso-east", "hotels", summary.id)}

    async def test_a_change_adds_only_the_chunks_around_it(self, store: Store) -> None:
        first, _ = await write_snapshot(store.snapshots, LINES)
        changed = LINES | dict([document(77, version=" b")])
        second, _ = await write_snapshot(store.snapshots, changed, created=TOMORROW, run="run-2", previous=first)
        assert second.added.chunks == 1
        assert len(set(second.chunks) & set(first.chunks)) == len(first.chunks) - 1

    async def test_a_new_generation_shares_nothing(self, store: Store) -> None:
        first, _ = await write_snapshot(store.snapshots, LINES)
        second, summary = await write_snapshot(
            store.snapshots, LINES, created=TOMORROW, run="run-2", generation="20261121"
        )
        assert second.added.chunks == len(first.chunks)
        assert await read_manifest(store.snapshots, summary) == second
        assert len(await names(store, second.folder.prefix)) == len(second.chunks)

    async def test_may_be_called_twice(self, store: Store) -> None:
        manifest, summary = await write_snapshot(store.snapshots, LINES)
        later = msgspec.structs.replace(manifest, tool="indexvault 0.1.1")
        assert await commit(store.snapshots, later) == summary
        assert await read_manifest(store.snapshots, summary) == manifest

    async def test_never_replaces_another_runs_snapshot(self, store: Store) -> None:
        manifest, summary = await write_snapshot(store.snapshots, LINES)
        with pytest.raises(ConflictError):
            await commit(store.snapshots, msgspec.structs.replace(manifest, run="run-2"))
        assert await read_manifest(store.snapshots, summary) == manifest

    async def test_writes_nothing_while_a_chunk_is_missing(self, store: Store) -> None:
        first, _ = await write_snapshot(store.snapshots, LINES)
        gone = FOLDER.blob(first.chunks[2].sha256)
        await store.snapshots.delete(gone)
        with pytest.raises(IntegrityError) as caught:
            await write_snapshot(store.snapshots, LINES, created=TOMORROW, run="run-2", previous=first)
        assert caught.value.on == gone
        assert len(await list_snapshots(store.snapshots)) == 1

    async def test_writes_nothing_while_a_chunk_is_damaged(self) -> None:
        store = MemoryStore()
        first, _ = await write_snapshot(store.snapshots, LINES)
        damaged = FOLDER.blob(first.chunks[2].sha256)
        await store.snapshots.delete(damaged)
        await store.snapshots.create(damaged, b"short")
        with pytest.raises(IntegrityError, match=damaged):
            await write_snapshot(store.snapshots, LINES, created=TOMORROW, run="run-2", previous=first)

    async def test_writes_nothing_that_contradicts_itself(self) -> None:
        store = MemoryStore()
        manifest = manifest_of([], "0" * 64)
        with pytest.raises(IntegrityError):
            await commit(store.snapshots, msgspec.structs.replace(manifest, bytes=1))
        assert await names(store) == []
