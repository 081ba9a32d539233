"""Snapshots by somebody who has the store and no record key. Without keys each is as good as any other."""

import hmac
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from indexvault.errors import ConflictError, NotFoundError
from indexvault.snapshots.authority import SIGNATURE
from indexvault.snapshots.catalogue import list_snapshots, read_manifest, resolve
from indexvault.snapshots.checksum import TRAILER_LENGTH, with_checksum
from indexvault.snapshots.generation import choose_generation
from indexvault.snapshots.known import known_snapshots, note_unrecorded
from indexvault.snapshots.manifest import MANIFEST_LIMIT, Manifest, open_manifest, seal
from indexvault.snapshots.names import SERVICE_OBJECTS, SnapshotReference, manifest_name
from indexvault.snapshots.prune import Removal, decide_proved, prune_index
from indexvault.snapshots.repair import repair_index
from indexvault.snapshots.repair_sources import ReplicaSource
from indexvault.snapshots.replicas import Replicas
from indexvault.snapshots.replicate import replicate_index
from indexvault.snapshots.retention import Retention
from indexvault.snapshots.service_manifest import ServiceManifest, commit_service, read_service_manifest
from indexvault.snapshots.signed_store import SignedStore
from indexvault.snapshots.store import Store
from indexvault.snapshots.summary import Summary, summarise, to_metadata
from indexvault.snapshots.tree import Tree
from indexvault.snapshots.used_packs import UsedPacks
from indexvault.snapshots.verify import verify_index
from indexvault.snapshots.writer import commit
from tests.keyed import KEY, KEYS, ONLY_OTHER, ROTATED, keyed
from tests.memory_store import MemoryStore
from tests.snapshots.samples import LATER, MORNING, documents, manifest_of, write_snapshot

EAST, HOTELS = "contoso-east", "hotels"
LATEST = SnapshotReference(service=EAST, index=HOTELS)
NOW = datetime(2026, 11, 21, tzinfo=UTC)


@pytest.fixture
def bare() -> MemoryStore:
    """The store as whoever has no key sees it."""
    return MemoryStore()


@pytest.fixture
def store(bare: MemoryStore) -> SignedStore:
    return keyed(bare)


async def forge(bare: Store, created: datetime) -> Manifest:
    """Write a manifest with a right checksum and a fitting summary, as anybody can."""
    manifest, _summary = await write_snapshot(bare.snapshots, documents(range(3)), created=created, run="forged")
    return manifest


async def authenticity(store: Store) -> dict[str, str | None]:
    return {each.id: each.authenticity for each in await list_snapshots(store.snapshots)}


async def test_a_snapshot_made_with_the_key_is_authentic(store: SignedStore, bare: MemoryStore) -> None:
    manifest, summary = await write_snapshot(store.snapshots, documents(range(5)))
    assert summary.authenticity == "authentic"
    assert await list_snapshots(store.snapshots) == [summary]
    assert (await read_manifest(store.snapshots, summary)).authenticity == "authentic"
    report = await verify_index(store.snapshots, EAST, HOTELS)
    assert (report.damage, report.authenticity, report.unauthentic) == ((), {manifest.id: "authentic"}, [])
    # Without the key it is read as any other.
    assert await read_manifest(bare.snapshots, summary) == manifest
    assert (await verify_index(bare.snapshots, EAST, HOTELS)).authenticity == {}


async def test_the_signature_is_as_the_page_of_the_format_says(store: SignedStore, bare: MemoryStore) -> None:
    manifest, _ = await write_snapshot(store.snapshots, documents(range(5)))
    data = await bare.snapshots.read(manifest_name(EAST, HOTELS, manifest.id), MANIFEST_LIMIT)
    signed, member = data[: -79 - 88], data[-79 - 88 : -79]
    digest = hmac.new(KEY.encode(), digestmod="sha256")
    for part in (b"manifest", signed):
        digest.update(len(part).to_bytes(8, "big") + part)
    assert member == b',"signature":"%s-%s"' % (KEYS.ids[0].encode(), digest.hexdigest().encode())


async def test_a_manifest_without_a_key_is_written_as_before(bare: MemoryStore) -> None:
    manifest, _ = await write_snapshot(bare.snapshots, documents(range(5)))
    data = await bare.snapshots.read(manifest_name(EAST, HOTELS, manifest.id), MANIFEST_LIMIT)
    assert data == seal(manifest)
    assert b"signature" not in data
    assert b"authenticity" not in data


@pytest.mark.parametrize("created", [datetime(2099, 1, 1, tzinfo=UTC), MORNING + timedelta(hours=1)])
async def test_a_forged_snapshot_is_no_latest(store: SignedStore, bare: MemoryStore, created: datetime) -> None:
    _manifest, genuine = await write_snapshot(store.snapshots, documents(range(5)))
    forged = await forge(bare, created)
    assert (await resolve(bare.snapshots, LATEST, now=LATER)).id == forged.id
    assert await resolve(store.snapshots, LATEST, now=LATER) == genuine
    by_id = await resolve(store.snapshots, SnapshotReference(service=EAST, index=HOTELS, id=forged.id), now=LATER)
    assert by_id.authenticity == "unauthentic"
    report = await verify_index(store.snapshots, EAST, HOTELS)
    assert (report.damage, report.unauthentic) == ((), [forged.id])


async def test_where_only_forged_snapshots_are_the_error_says_so(store: SignedStore, bare: MemoryStore) -> None:
    await forge(bare, MORNING)
    with pytest.raises(NotFoundError, match="not authentic: only by its id"):
        await resolve(store.snapshots, LATEST, now=NOW)


async def test_a_manifest_can_not_call_itself_authentic(store: SignedStore, bare: MemoryStore) -> None:
    manifest = manifest_of(Tree(), "0" * 64)
    data = msgspec.json.encode(msgspec.structs.replace(manifest, authenticity="authentic"))
    assert b'"authenticity":"authentic"' in data
    metadata = to_metadata(summarise(manifest)) | {"authenticity": "authentic"}
    name = manifest_name(EAST, HOTELS, manifest.id)
    await bare.snapshots.create(name, with_checksum(data), metadata=metadata)
    assert (await read_manifest(store.snapshots, summarise(manifest))).authenticity == "unauthentic"
    assert await authenticity(store) == {manifest.id: "unauthentic"}
    assert await authenticity(bare) == {manifest.id: None}


async def test_a_manifest_that_was_changed(store: SignedStore, bare: MemoryStore) -> None:
    """With its own signature and metadata, and a right checksum."""
    manifest, summary = await write_snapshot(store.snapshots, documents(range(5)))
    name = manifest_name(EAST, HOTELS, manifest.id)
    data = await bare.snapshots.read(name, MANIFEST_LIMIT)
    properties = await bare.snapshots.properties(name)
    assert properties is not None
    changed = with_checksum(data[:-TRAILER_LENGTH].replace(b"Edm.String", b"Edm.Strinh") + b"}")
    open_manifest(changed, name)
    await bare.snapshots.delete(name)
    await bare.snapshots.create(name, changed, metadata=properties.metadata)
    assert (await read_manifest(store.snapshots, summary)).authenticity == "unauthentic"
    assert (await verify_index(store.snapshots, EAST, HOTELS)).unauthentic == [manifest.id]


async def test_a_summary_that_was_changed(store: SignedStore, bare: MemoryStore) -> None:
    manifest, summary = await write_snapshot(store.snapshots, documents(range(5)))
    name = manifest_name(EAST, HOTELS, manifest.id)
    data = await bare.snapshots.read(name, MANIFEST_LIMIT)
    properties = await bare.snapshots.properties(name)
    assert properties is not None
    await bare.snapshots.delete(name)
    await bare.snapshots.create(name, data, metadata=properties.metadata | {"documents": "500"})
    assert await authenticity(store) == {manifest.id: "unauthentic"}
    assert (await read_manifest(store.snapshots, summary)).authenticity == "authentic"
    (finding,) = (await verify_index(store.snapshots, EAST, HOTELS)).damage
    assert "summary" in finding.what


async def test_a_signature_of_another_snapshot(store: SignedStore, bare: MemoryStore) -> None:
    manifest, _ = await write_snapshot(store.snapshots, documents(range(5)))
    other = msgspec.structs.replace(manifest, index="motels")
    genuine = await bare.snapshots.read(manifest_name(EAST, HOTELS, manifest.id), MANIFEST_LIMIT)
    signature = genuine[genuine.rindex(b',"signature"') : -TRAILER_LENGTH]
    forged = with_checksum(seal(other)[:-TRAILER_LENGTH] + signature + b"}")
    properties = await bare.snapshots.properties(manifest_name(EAST, HOTELS, manifest.id))
    assert properties is not None
    metadata = to_metadata(summarise(other)) | {SIGNATURE: properties.metadata[SIGNATURE]}
    await bare.snapshots.create(manifest_name(EAST, "motels", manifest.id), forged, metadata=metadata)
    (found,) = await list_snapshots(store.snapshots, EAST, "motels")
    assert found.authenticity == "unauthentic"
    assert (await read_manifest(store.snapshots, found)).authenticity == "unauthentic"


async def test_keys_are_rotated(bare: MemoryStore, store: SignedStore) -> None:
    old, _ = await write_snapshot(store.snapshots, documents(range(5)))
    new, _ = await write_snapshot(
        keyed(bare, ROTATED).snapshots, documents(range(6)), created=MORNING + timedelta(hours=1)
    )
    assert await authenticity(keyed(bare, ROTATED)) == {old.id: "authentic", new.id: "authentic"}
    assert await authenticity(keyed(bare, ONLY_OTHER)) == {old.id: "unauthentic", new.id: "authentic"}
    assert await authenticity(store) == {old.id: "authentic", new.id: "unauthentic"}


async def test_a_snapshot_of_others_is_accepted_as_it_is_now(store: SignedStore, bare: MemoryStore) -> None:
    foreign = await forge(bare, MORNING)
    name = manifest_name(EAST, HOTELS, foreign.id)
    data = await bare.snapshots.read(name, MANIFEST_LIMIT)
    await store.snapshots.authority.accept(EAST, HOTELS, foreign.id, data, to_metadata(summarise(foreign)))
    assert (await resolve(store.snapshots, LATEST, now=NOW)).authenticity == "accepted"
    assert (await read_manifest(store.snapshots, summarise(foreign))).authenticity == "accepted"
    report = await verify_index(store.snapshots, EAST, HOTELS)
    assert (report.authenticity, report.unauthentic) == ({foreign.id: "accepted"}, [])
    # What is put in its place is another one.
    await bare.snapshots.delete(name)
    changed = msgspec.structs.replace(foreign, key_field="Name")
    await bare.snapshots.create(name, seal(changed), metadata=to_metadata(summarise(changed)) | {"run": "x"})
    assert await authenticity(store) == {foreign.id: "unauthentic"}
    assert (await read_manifest(store.snapshots, summarise(foreign))).authenticity == "unauthentic"


async def test_a_forged_acceptance(store: SignedStore, bare: MemoryStore) -> None:
    foreign = await forge(bare, MORNING)
    other = keyed(bare, ONLY_OTHER)
    data = await bare.snapshots.read(manifest_name(EAST, HOTELS, foreign.id), MANIFEST_LIMIT)
    await other.snapshots.authority.accept(EAST, HOTELS, foreign.id, data, to_metadata(summarise(foreign)))
    assert await authenticity(other) == {foreign.id: "accepted"}
    assert await authenticity(store) == {foreign.id: "unauthentic"}


async def test_a_replica_is_as_authentic_as_what_it_copies(store: SignedStore, bare: MemoryStore) -> None:
    genuine, _ = await write_snapshot(store.snapshots, documents(range(5)))
    forged = await forge(bare, MORNING + timedelta(hours=1))
    replica = keyed(MemoryStore("replica"), account="replica")
    await replicate_index(store, replica, EAST, HOTELS, clock=lambda: NOW)
    assert await authenticity(replica) == {genuine.id: "authentic", forged.id: "unauthentic"}
    name = manifest_name(EAST, HOTELS, genuine.id)
    assert await replica.snapshots.read(name, MANIFEST_LIMIT) == await bare.snapshots.read(name, MANIFEST_LIMIT)


async def test_a_forged_snapshot_in_a_replica_does_not_pass_for_the_copy(store: SignedStore) -> None:
    genuine, summary = await write_snapshot(store.snapshots, documents(range(5)))
    bare_replica = MemoryStore("replica")
    name = manifest_name(EAST, HOTELS, genuine.id)
    forged = seal(msgspec.structs.replace(genuine, key_field="Name"))
    await bare_replica.snapshots.create(name, forged, metadata=to_metadata(summary))
    replica = keyed(bare_replica, account="replica")
    report = await replicate_index(store, replica, EAST, HOTELS, clock=lambda: NOW)
    assert [(each.snapshot, "not authentic" in each.why) for each in report.skipped] == [(genuine.id, True)]
    assert (report.copied, report.lag.snapshots) == ((), 1)
    await bare_replica.snapshots.delete(name)
    report = await replicate_index(store, replica, EAST, HOTELS, clock=lambda: NOW)
    assert (report.copied, report.skipped, report.lag.snapshots) == ((genuine.id,), (), 0)


async def test_a_repair_takes_the_authentic_copy_before_a_forged_one(store: SignedStore, bare: MemoryStore) -> None:
    genuine, summary = await write_snapshot(store.snapshots, documents(range(5)))
    name = manifest_name(EAST, HOTELS, genuine.id)
    forging, copying = MemoryStore("forging"), MemoryStore("copying")
    await forging.snapshots.create(name, seal(msgspec.structs.replace(genuine, key_field="Name")))
    await copying.snapshots.create(name, await bare.snapshots.read(name, MANIFEST_LIMIT))
    await bare.snapshots.delete(name)
    await bare.snapshots.create(name, b"damaged", metadata=to_metadata(summary))
    sources = [ReplicaSource(each.name, keyed(each, account=each.name).snapshots) for each in (forging, copying)]
    report = await repair_index(store, await verify_index(store.snapshots, EAST, HOTELS), sources, lambda: NOW)
    assert [each.source for each in report.repaired] == ["copying"]
    assert (await read_manifest(store.snapshots, summary)).authenticity == "authentic"
    assert await authenticity(store) == {genuine.id: "authentic"}


async def test_a_genuine_copy_in_another_store_is_preferred(store: SignedStore, bare: MemoryStore) -> None:
    genuine, summary = await write_snapshot(store.snapshots, documents(range(5)))
    replica = keyed(MemoryStore("replica"), account="replica")
    await replicate_index(store, replica, EAST, HOTELS, clock=lambda: NOW)
    name = manifest_name(EAST, HOTELS, genuine.id)
    await bare.snapshots.delete(name)
    await bare.snapshots.create(name, seal(msgspec.structs.replace(genuine, key_field="Name")))
    both = Replicas([store, replica]).snapshots
    found = await read_manifest(both, summary)
    assert (found.authenticity, found.key_field) == ("authentic", genuine.key_field)
    alone = await read_manifest(store.snapshots, summary)
    assert (alone.authenticity, alone.key_field) == ("unauthentic", "Name")


async def test_what_was_accepted_in_one_store_holds_for_its_replicas(store: SignedStore, bare: MemoryStore) -> None:
    foreign = await forge(bare, MORNING)
    data = await bare.snapshots.read(manifest_name(EAST, HOTELS, foreign.id), MANIFEST_LIMIT)
    replica = keyed(MemoryStore("replica"), account="replica")
    await replicate_index(store, replica, EAST, HOTELS, clock=lambda: NOW)
    await store.snapshots.authority.accept(EAST, HOTELS, foreign.id, data, to_metadata(summarise(foreign)))
    (found,) = await list_snapshots(Replicas([replica, store]).snapshots)
    assert found.authenticity == "accepted"


async def test_forged_snapshots_have_no_others_removed(store: SignedStore, bare: MemoryStore) -> None:
    _, genuine = await write_snapshot(store.snapshots, documents(range(5)))
    forged = await forge(bare, MORNING + timedelta(hours=1))
    keep = [Retention(last=1)]

    async def removed(seen: Store) -> list[str]:
        known = await list_snapshots(seen.snapshots, EAST, HOTELS)
        return [each.snapshot.id for each in await decide_proved(seen, known, keep, now=NOW) if not each.keep]

    assert await removed(bare) == [genuine.id]
    assert await removed(store) == []
    with pytest.raises(ConflictError, match="no complete snapshot would be left"):
        await prune_index(store, EAST, HOTELS, [Removal(genuine.id, "x")], clock=lambda: NOW)
    assert await authenticity(store) == {genuine.id: "authentic", forged.id: "unauthentic"}


async def test_a_forged_manifest_under_genuine_metadata_has_no_others_removed(
    store: SignedStore, bare: MemoryStore
) -> None:
    """What is to be removed is decided on manifests that were read."""
    _, first = await write_snapshot(store.snapshots, documents(range(5)))
    second, _ = await write_snapshot(store.snapshots, documents(range(6)), created=MORNING + timedelta(hours=1))
    name = manifest_name(EAST, HOTELS, second.id)
    properties = await bare.snapshots.properties(name)
    assert properties is not None
    await bare.snapshots.delete(name)
    await bare.snapshots.create(
        name, seal(msgspec.structs.replace(second, key_field="x")), metadata=properties.metadata
    )
    known = await list_snapshots(store.snapshots, EAST, HOTELS)
    decisions = await decide_proved(store, known, [Retention(last=1)], now=NOW)
    assert {each.snapshot.id: each.keep for each in decisions} == {first.id: True, second.id: True}


async def test_a_forged_snapshot_decides_no_generation_and_gets_no_record(
    store: SignedStore, bare: MemoryStore
) -> None:
    _, genuine = await write_snapshot(store.snapshots, documents(range(5)))
    created = MORNING + timedelta(hours=1)
    await write_snapshot(bare.snapshots, documents(range(3)), created=created, generation="forged", run="f")
    listed = await list_snapshots(store.snapshots, EAST, HOTELS)
    assert choose_generation(await list_snapshots(bare.snapshots, EAST, HOTELS), None, NOW) == "forged"
    assert choose_generation(listed, None, NOW) == ""
    await note_unrecorded(store.runs, EAST, HOTELS, listed)
    assert await known_snapshots(store.runs) == {genuine.reference}


async def test_a_forged_manifest_under_a_run_s_id_is_not_taken_for_its_own(
    store: SignedStore, bare: MemoryStore
) -> None:
    manifest = manifest_of(Tree(), "0" * 64)
    await commit(bare.snapshots, manifest, UsedPacks())
    assert (await commit(bare.snapshots, manifest, UsedPacks())).id == manifest.id
    with pytest.raises(ConflictError):
        await commit(store.snapshots, manifest, UsedPacks())


async def test_the_objects_of_a_service(store: SignedStore, bare: MemoryStore) -> None:
    manifest = ServiceManifest(
        id="20261120T023000Z-7f3a9c", service=EAST, state="complete", created=MORNING, tool="x", run="r", objects=()
    )
    summary: Summary = await commit_service(store.snapshots, manifest)
    assert summary.authenticity == "authentic"
    assert await list_snapshots(store.snapshots) == [summary]
    assert (await read_service_manifest(store.snapshots, manifest.reference)).authenticity == "authentic"
    assert await read_service_manifest(bare.snapshots, manifest.reference) == manifest
    assert (await verify_index(store.snapshots, EAST, SERVICE_OBJECTS)).unauthentic == []
    forged = msgspec.structs.replace(manifest, id="20261120T023000Z-000000")
    await commit_service(bare.snapshots, forged)
    assert (await read_service_manifest(store.snapshots, forged.reference)).authenticity == "unauthentic"
    assert (await verify_index(store.snapshots, EAST, SERVICE_OBJECTS)).unauthentic == [forged.id]


@pytest.mark.parametrize(
    "data", [b"", b"}", b"x" * 78, b"x" * 161, b"x" * 500, b',"signature":"' + b"\xff" * 73 + b'"' + b"x" * 79]
)
def test_bytes_that_are_no_manifest_are_not_signed(store: SignedStore, data: bytes) -> None:
    assert not store.snapshots.authority.has_signed(data)
