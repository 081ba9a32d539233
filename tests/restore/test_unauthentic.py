"""What a store's writer without the record key can do to restores and backups: each attack works without keys."""

from collections.abc import AsyncIterator

import msgspec
import pytest

from indexvault.backup.job import BackupReport
from indexvault.backup.reveal_records import Reveal, RevealRecords
from indexvault.errors import ConflictError, UnauthenticError
from indexvault.restore.state import RestoreState, write_restore_state
from indexvault.snapshots.catalogue import list_snapshots, read_manifest, resolve
from indexvault.snapshots.manifest import Manifest, seal
from indexvault.snapshots.names import SnapshotReference, manifest_name
from indexvault.snapshots.summary import summarise, to_metadata
from tests import hotels
from tests.keyed import KEY
from tests.memory_store import MemoryStore
from tests.world import EAST, LATER, WEST, World, open_world

LATEST = SnapshotReference(service=EAST, index="hotels")


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with open_world(MemoryStore("local"), record_key=KEY) as opened:
        yield opened


@pytest.fixture
async def keyless() -> AsyncIterator[World]:
    async with open_world(MemoryStore("local")) as opened:
        yield opened


async def backed_up(world: World) -> BackupReport:
    await world.fill(hotels.DEFINITION, hotels.hotels(20))
    return await world.back_up("hotels")


async def forge(world: World, made: BackupReport) -> Manifest:
    """Write a snapshot of the year 2090 with the chunks of a genuine one, and another definition."""
    blobs = world.store.snapshots
    genuine = await read_manifest(blobs, SnapshotReference(service=EAST, index="hotels", id=made.snapshot))
    created = genuine.created.replace(year=2090)
    forged = msgspec.structs.replace(genuine, id=f"{created:%Y%m%dT%H%M%SZ}-0a0b0c", created=created)
    name = manifest_name(EAST, "hotels", forged.id)
    await blobs.create(name, seal(forged), metadata=to_metadata(summarise(forged)))
    return forged


async def test_a_genuine_snapshot_is_restored(world: World) -> None:
    made = await backed_up(world)
    report = await world.restore(made)
    assert report.documents == 20
    checked = await world.preflight(made, index="other")
    assert [check.what for check in checked.checks if check.name == "authenticity"] == ["a record key has signed it"]


async def test_a_forged_snapshot_must_be_accepted(world: World) -> None:
    made = await backed_up(world)
    forged = await forge(world, made)
    found = await resolve(world.clients.store("local").snapshots, LATEST, now=LATER)
    assert found.id == made.snapshot
    with pytest.raises(UnauthenticError, match="--accept-unauthentic"):
        await world.restore(made, snapshot=forged.id)
    assert await world.west.index_names() == []
    report = await world.restore(made, snapshot=forged.id, accept_unauthentic=True)
    assert report.documents == 20


async def test_without_a_key_it_is_the_latest(keyless: World) -> None:
    made = await backed_up(keyless)
    forged = await forge(keyless, made)
    assert (await resolve(keyless.store.snapshots, LATEST, now=LATER)).id == forged.id
    assert (await keyless.restore(made, snapshot=forged.id)).documents == 20


async def test_a_snapshot_from_before_the_key_must_be_accepted_once(world: World) -> None:
    async with open_world(world.store) as before:
        made = await backed_up(before)
    store = world.clients.store("local")
    (listed,) = await list_snapshots(store.snapshots)
    assert listed.authenticity == "unauthentic"
    with pytest.raises(UnauthenticError):
        await world.restore(made)
    data = await store.snapshots.read(manifest_name(EAST, "hotels", made.snapshot), 2**26)
    await store.snapshots.authority.accept(EAST, "hotels", made.snapshot, data, to_metadata(listed))
    assert (await world.restore(made)).documents == 20


@pytest.mark.parametrize("with_key", [True, False])
async def test_a_forged_state_of_a_restore(world: World, keyless: World, with_key: bool) -> None:  # noqa: FBT001
    """It keeps every other restore from its target."""
    seen = world if with_key else keyless
    made = await backed_up(seen)
    await seen.fill({**hotels.DEFINITION, "name": "restored"}, hotels.hotels(3), WEST)
    forged = RestoreState(
        fingerprint="0" * 64,
        snapshot=f"{EAST}/hotels@{made.snapshot}",
        mode="create",
        target="restored",
        written_index="restored",
        records="forged",
        execution="forged",
        started=made.started,
        touched=True,
    )
    await write_restore_state(seen.store.runs, WEST, forged)
    if with_key:
        assert (await seen.restore(made, mode="sync")).documents == 20
    else:
        with pytest.raises(ConflictError, match="unfinished"):
            await seen.restore(made, mode="sync")


@pytest.mark.parametrize("with_key", [True, False])
async def test_a_forged_reveal(world: World, keyless: World, with_key: bool) -> None:  # noqa: FBT001
    """It has no backup hide live fields: with a key it isn't read, without one the last snapshot shows them."""
    seen = world if with_key else keyless
    made = await backed_up(seen)
    manifest = await read_manifest(
        seen.store.snapshots, SnapshotReference(service=EAST, index="hotels", id=made.snapshot)
    )
    forged = Reveal(
        service=EAST,
        index="hotels",
        run="forged",
        fields=["stars"],
        definition=manifest.definition,
        etag="x",
        started=made.started,
    )
    await RevealRecords(seen.store.runs).write(forged)
    report = await seen.back_up("hotels")
    body = msgspec.json.decode((await seen.east.index_definition("hotels")).body)
    (stars,) = [field for field in body["fields"] if field["name"] == "stars"]
    assert stars.get("retrievable") is not False
    assert report.state == "complete"
    assert any("reveal" in note for note in report.notes) == (not with_key)
