"""One document through the snapshots of its index."""

from datetime import timedelta

import pytest

from indexvault.errors import NotFoundError
from indexvault.snapshots.history import History, find_key
from indexvault.snapshots.manifest import Manifest
from indexvault.snapshots.names import manifest_name
from indexvault.snapshots.store import Store
from tests.memory_store import MemoryStore
from tests.snapshots.samples import MORNING, document, documents, write_snapshot

KEY = document(150)[0]
WITHOUT = {key: line for key, line in documents(range(300)).items() if key != KEY}


async def write(store: Store, day: int, version: str | None) -> Manifest:
    lines = WITHOUT | ({} if version is None else dict([document(150, version)]))
    manifest, _ = await write_snapshot(store.snapshots, lines, created=MORNING + timedelta(days=day), run=f"run-{day}")
    return manifest


async def find(store: Store, key: str = KEY) -> History:
    return await find_key(store.snapshots, "contoso-east", "hotels", key)


async def test_when_it_appeared_changed_and_vanished(store: Store) -> None:
    versions = [None, "", "", " b", " b", None, None, " b"]
    written = [await write(store, day, version) for day, version in enumerate(versions)]
    history = await find(store)
    assert [(event.kind, event.snapshot.id) for event in history.events] == [
        ("appeared", written[1].id),
        ("changed", written[3].id),
        ("vanished", written[5].id),
        ("appeared", written[7].id),
    ]
    assert [event.line for event in history.events] == [
        document(150)[1],
        document(150, " b")[1],
        None,
        document(150, " b")[1],
    ]
    assert (history.snapshots, history.chunks_read) == (8, 3)


@pytest.mark.parametrize("key", ["", "hotel-00150x", "zzz", "A"])
async def test_a_key_that_never_was_has_no_events(store: Store, key: str) -> None:
    await write(store, 0, "")
    assert (await find(store, key)).events == ()


async def test_a_damaged_snapshot_is_said_to_be_and_the_others_tell(store: Store) -> None:
    written = [await write(store, day, version) for day, version in enumerate(["", "", " b"])]
    await store.snapshots.delete(manifest_name("contoso-east", "hotels", written[1].id))
    await store.snapshots.create(manifest_name("contoso-east", "hotels", written[1].id), b"{}")
    assert [event.kind for event in (await find(store)).events] == ["appeared", "unreadable", "changed"]


async def test_an_index_without_snapshots(store: Store) -> None:
    with pytest.raises(NotFoundError):
        await find(store)


async def test_only_the_way_to_the_key_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    store = MemoryStore()
    previous: Manifest | None = None
    for day in range(5):
        lines = documents(range(2000)) | dict([document(1000, f" {day}")])
        created = MORNING + timedelta(days=day)
        previous, _ = await write_snapshot(
            store.snapshots, lines, created=created, run=f"run-{day}", bits=0, previous=previous
        )
    assert previous is not None
    assert previous.tree.level > 1
    asked: list[str] = []
    read_range = store.snapshots.read_range

    async def counted(name: str, offset: int, length: int) -> bytes:
        asked.append(f"{name}@{offset}")
        return await read_range(name, offset, length)

    monkeypatch.setattr(store.snapshots, "read_range", counted)
    assert (await find(store, document(3)[0])).chunks_read == 1
    few = len(asked)
    assert few == len(set(asked)) <= 2 * previous.tree.level + 1 + 5
    asked.clear()
    history = await find(store, document(1000)[0])
    assert [event.kind for event in history.events] == ["appeared", *["changed"] * 4]
    assert len(asked) == len(set(asked)) == 5 * (previous.tree.level + 1)
