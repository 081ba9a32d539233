import hashlib
from datetime import timedelta

import msgspec
import pytest

from indexvault.errors import ConflictError, IntegrityError
from indexvault.snapshots.catalogue import list_snapshots, read_manifest
from indexvault.snapshots.manifest import Added
from indexvault.snapshots.names import PackFolder, manifest_name
from indexvault.snapshots.pack_store import store_pack
from indexvault.snapshots.packs import Pack, Packer, members_of
from indexvault.snapshots.store import Store
from indexvault.snapshots.tree import Tree
from indexvault.snapshots.used_packs import UsedPacks, used_packs
from indexvault.snapshots.writer import commit
from tests.memory_store import MemoryStore
from tests.snapshots.samples import MORNING, chunks_of, cut, document, documents, manifest_of, write_snapshot

FOLDER = PackFolder(service="contoso-east", index="hotels")
LINES = documents(range(200))
TOMORROW = MORNING + timedelta(days=1)


def packed() -> Pack:
    packer = Packer()
    sealed = cut(LINES)
    for each, stored in zip(sealed, members_of(sealed), strict=True):
        packer.add(each.chunk.sha256, stored)
    pack = packer.finish()
    assert pack is not None
    return pack


async def names(store: Store, prefix: str = "") -> list[str]:
    return [blob.name async for blob in store.snapshots.list(prefix)]


class TestStoringAPack:
    async def test_stores_what_is_new_under_its_hash(self, store: Store) -> None:
        pack = packed()
        assert await store_pack(store.snapshots, FOLDER.pack, pack)
        name = FOLDER.pack(hashlib.sha256(pack.data).hexdigest())
        assert await store.snapshots.read(name, len(pack.data)) == pack.data

    @pytest.mark.parametrize("may_be_there", [False, True])
    async def test_storing_again_adds_nothing(self, store: Store, *, may_be_there: bool) -> None:
        pack = packed()
        assert await store_pack(store.snapshots, FOLDER.pack, pack, may_be_there=may_be_there)
        assert not await store_pack(store.snapshots, FOLDER.pack, pack, may_be_there=may_be_there)

    async def test_nothing_is_sent_that_is_there(self, monkeypatch: pytest.MonkeyPatch) -> None:
        store = MemoryStore()
        pack = packed()
        await store_pack(store.snapshots, FOLDER.pack, pack)

        async def create(*_given: object, **_more: object) -> bool:
            raise AssertionError

        monkeypatch.setattr(store.snapshots, "create", create)
        assert not await store_pack(store.snapshots, FOLDER.pack, pack, may_be_there=True)

    @pytest.mark.parametrize("foreign", ["empty", "truncated", "flipped", "foreign"])
    async def test_never_trusts_a_blob_that_holds_something_else(self, store: Store, foreign: str) -> None:
        pack = packed()
        content = {
            "empty": b"",
            "truncated": pack.data[:-1],
            "flipped": pack.data[:100] + bytes([pack.data[100] ^ 1]) + pack.data[101:],
            "foreign": b"x" * len(pack.data),
        }[foreign]
        name = FOLDER.pack(pack.name)
        await store.snapshots.create(name, content)
        with pytest.raises(IntegrityError) as caught:
            await store_pack(store.snapshots, FOLDER.pack, pack)
        assert name in caught.value.on


class TestCommitting:
    async def test_makes_the_snapshot_exist(self, store: Store) -> None:
        manifest, summary = await write_snapshot(store.snapshots, LINES)
        assert await list_snapshots(store.snapshots) == [summary]
        assert await read_manifest(store.snapshots, summary) == manifest
        assert (summary.documents, summary.added_chunks) == (200, manifest.tree.count)

    async def test_an_unchanged_index_adds_no_chunk(self, store: Store) -> None:
        first, _ = await write_snapshot(store.snapshots, LINES)
        before = await names(store)
        second, summary = await write_snapshot(store.snapshots, LINES, created=TOMORROW, run="run-2", previous=first)
        assert second.added == Added()
        assert second.tree == first.tree
        assert set(await names(store)) - set(before) == {manifest_name("contoso-east", "hotels", summary.id)}

    async def test_a_change_adds_only_the_chunks_around_it(self, store: Store) -> None:
        first, _ = await write_snapshot(store.snapshots, LINES)
        changed = LINES | dict([document(77, version=" b")])
        second, _ = await write_snapshot(store.snapshots, changed, created=TOMORROW, run="run-2", previous=first)
        assert second.added.chunks == 1
        shared = set(await chunks_of(store.snapshots, second)) & set(await chunks_of(store.snapshots, first))
        assert len(shared) == first.tree.count - 1

    async def test_a_new_generation_shares_nothing(self, store: Store) -> None:
        first, _ = await write_snapshot(store.snapshots, LINES)
        second, summary = await write_snapshot(
            store.snapshots, LINES, created=TOMORROW, run="run-2", generation="20261121"
        )
        assert second.added.chunks == first.tree.count
        assert await read_manifest(store.snapshots, summary) == second
        (pack,) = await names(store, second.folder.prefix())
        assert {chunk.pack in pack for chunk in await chunks_of(store.snapshots, second)} == {True}

    async def test_may_be_called_twice(self, store: Store) -> None:
        manifest, summary = await write_snapshot(store.snapshots, LINES)
        later = msgspec.structs.replace(manifest, tool="indexvault 0.1.1")
        assert await commit(store.snapshots, later, await used_packs(store.snapshots, later)) == summary
        assert await read_manifest(store.snapshots, summary) == manifest

    async def test_never_replaces_another_runs_snapshot(self, store: Store) -> None:
        manifest, summary = await write_snapshot(store.snapshots, LINES)
        with pytest.raises(ConflictError):
            await commit(store.snapshots, msgspec.structs.replace(manifest, run="run-2"), UsedPacks())
        assert await read_manifest(store.snapshots, summary) == manifest

    async def test_writes_nothing_while_a_pack_is_missing(self, store: Store) -> None:
        first, _ = await write_snapshot(store.snapshots, LINES)
        (gone,) = await names(store, FOLDER.prefix())
        await store.snapshots.delete(gone)
        with pytest.raises(IntegrityError) as caught:
            await write_snapshot(store.snapshots, LINES, created=TOMORROW, run="run-2", previous=first)
        assert caught.value.on == gone
        assert len(await list_snapshots(store.snapshots)) == 1

    async def test_writes_nothing_while_a_pack_is_too_short(self) -> None:
        store = MemoryStore()
        first, _ = await write_snapshot(store.snapshots, LINES)
        (damaged,) = await names(store, FOLDER.prefix())
        data = await store.snapshots.read(damaged, 1 << 30)
        await store.snapshots.delete(damaged)
        await store.snapshots.create(damaged, data[:-1])
        with pytest.raises(IntegrityError, match=damaged):
            await write_snapshot(store.snapshots, LINES, created=TOMORROW, run="run-2", previous=first)

    async def test_writes_nothing_that_contradicts_itself(self) -> None:
        store = MemoryStore()
        manifest = manifest_of(Tree(), "0" * 64)
        with pytest.raises(IntegrityError):
            await commit(store.snapshots, msgspec.structs.replace(manifest, bytes=1), UsedPacks())
        assert await names(store) == []
