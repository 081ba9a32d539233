"""One document through the snapshots of its index."""

from datetime import timedelta

import pytest

from indexvault.errors import NotFoundError
from indexvault.snapshots.history import History, find_key
from indexvault.snapshots.manifest import Manifest
from indexvault.snapshots.names import manifest_name
from indexvault.snapshots.store import Store
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
