"""Protected snapshots, and the two people who lift that."""

from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest
from msgspec.structs import replace

from indexvault.api.endpoint import Call, Nothing, identity_of
from indexvault.api.protections import ProtectionPath, ProtectRequest, protect, unprotect
from indexvault.errors import ConflictError, NotFoundError, RequestError
from indexvault.maintenance.deletion import plan_deletion
from indexvault.maintenance.pinning import pin_snapshot, protect_snapshot, unpin_snapshot, unprotect_snapshot
from indexvault.maintenance.pins import list_pins
from indexvault.maintenance.retention import MaintenanceJob, prune_stores
from indexvault.settings.model import PolicySettings
from indexvault.snapshots.labels import Labels
from indexvault.snapshots.names import SnapshotReference
from indexvault.snapshots.pins import Identity, Pin, Release
from indexvault.snapshots.retention import Retention
from indexvault.snapshots.run_names import pin_name
from tests import hotels
from tests.keyed import KEY as RECORD_KEY
from tests.memory_store import MemoryStore
from tests.world import EAST, Calendar, World, open_world

ANN, BEN = (Identity("principal", f"aad/{name}", f"{name}@contoso.example") for name in ("ann", "ben"))
KEY_OF_BEN = Identity("key", "3f2a", "3f2a")
POLICY = PolicySettings(service=EAST, schedule="0 0 2 * * *", keep=Retention(last=1))
JOB = MaintenanceJob(service=EAST, index="hotels")


async def two_snapshots(world: World, clock: Calendar) -> SnapshotReference:
    """Make two snapshots, of which the policy removes the first, and return that."""
    await world.fill(hotels.definition(), hotels.hotels(3))
    first = await world.back_up("hotels", labels=Labels(expires=timedelta(hours=1)))
    clock.now += timedelta(days=1)
    await world.back_up("hotels")
    return SnapshotReference(service=EAST, index="hotels", id=first.snapshot)


@pytest.mark.parametrize("record_key", [None, RECORD_KEY])
async def test_nothing_removes_a_protected_snapshot_but_two_people(record_key: str | None) -> None:
    clock = Calendar()
    store = MemoryStore("local")
    async with open_world(store, clock=clock, policies={"nightly": POLICY}, record_key=record_key) as world:
        first, clients = await two_snapshots(world, clock), world.clients
        assert (await protect_snapshot(clients, first, ANN, "audit", clock.now)).protected_by == ANN.name
        (plan,) = await prune_stores(world.resources, JOB, dry_run=False)
        assert plan.report.removed == ()
        kept = next(each for each in plan.decisions if each.snapshot.id == first.id)
        assert kept.reasons[0] == "protected by ann@contoso.example: audit"
        with pytest.raises(ConflictError, match="pinned"):
            await plan_deletion(world.resources, [first])
        with pytest.raises(ConflictError, match="protected by ann"):
            await unpin_snapshot(clients, first, clock.now)
        for _ in range(2):
            assert (await unprotect_snapshot(clients, first, ANN, clock.now)).state == "asked"
        # Somebody who is known in another way may be the same person, and begins anew.
        assert (await unprotect_snapshot(clients, first, KEY_OF_BEN, clock.now)).asked_by == "function key 3f2a"
        assert (await unprotect_snapshot(clients, first, ANN, clock.now)).state == "asked"
        pins = await list_pins(world.resources, {(EAST, "hotels")})
        assert pins[first].words == "protected by ann@contoso.example: audit (ann@contoso.example asks to lift it)"
        clock.now += timedelta(days=8)
        assert (await unprotect_snapshot(clients, first, BEN, clock.now)).state == "asked"  # the first has lapsed
        lifted = await unprotect_snapshot(clients, first, ANN, clock.now)
        assert (lifted.state, lifted.asked_by) == ("lifted", BEN.name)
        (plan,) = await prune_stores(world.resources, JOB, dry_run=False)
        assert plan.report.removed == (first.id,)


async def test_protecting_again_withdraws_the_request_and_a_pin_becomes_a_protection() -> None:
    clock = Calendar()
    async with open_world(MemoryStore("local", clock), clock=clock) as world:
        first, clients = await two_snapshots(world, clock), world.clients
        await pin_snapshot(clients, first, "looked at", clock.now)
        with pytest.raises(NotFoundError, match="not protected"):
            await unprotect_snapshot(clients, first, ANN, clock.now)
        await protect_snapshot(clients, first, ANN, "", clock.now)
        await unprotect_snapshot(clients, first, ANN, clock.now)
        assert (await protect_snapshot(clients, first, BEN, "", clock.now)).protected_by == ANN.name
        assert (await unprotect_snapshot(clients, first, BEN, clock.now)).state == "asked"
        assert (await list_pins(world.resources, {(EAST, "hotels")}))[first].reason == "looked at"


async def test_a_forged_request_does_not_stand_for_the_first_person() -> None:
    """With a record key, what others write to the store is no request. What they delete is gone: see the page."""
    clock = Calendar()
    store = MemoryStore("local")
    async with open_world(store, clock=clock, record_key=RECORD_KEY) as world:
        first, clients = await two_snapshots(world, clock), world.clients
        await protect_snapshot(clients, first, ANN, "audit", clock.now)
        name = pin_name(EAST, "hotels", first.id or "")
        forged = Pin(clock.now, "audit", protected_by=ANN, release=Release(by=ANN, at=clock.now))
        await store.runs.put(name, msgspec.json.encode(forged))
        with pytest.raises(NotFoundError):
            await unprotect_snapshot(clients, first, BEN, clock.now)


HEADERS = {"x-ms-client-principal-id": "1-2-3", "x-ms-client-principal-name": "ann@contoso.example"}


def test_a_principal_counts_only_where_the_platform_says_who_it_is() -> None:
    """Where its authentication is off, anybody could set the headers."""
    keyed = HEADERS | {"x-functions-key": "k"}
    on = identity_of(keyed, {}, {"WEBSITE_AUTH_ENABLED": "True"})
    assert on is not None
    assert (on.kind, on.name) == ("principal", "ann@contoso.example")
    for environment in ({}, {"WEBSITE_AUTH_ENABLED": "False"}):
        off = identity_of(keyed, {}, environment)
        assert off is not None
        assert off.kind == "key"
    assert identity_of(HEADERS, {}, {}) is None
    assert identity_of({}, {"code": "k"}, {}) == identity_of({"x-functions-key": "k"}, {}, {})
    assert identity_of({"x-functions-key": "k"}, {}, {}) != identity_of({"x-functions-key": "l"}, {}, {})


async def test_over_http_two_keys_lift_it_where_the_settings_allow_it() -> None:
    clock = Calendar()
    async with open_world(MemoryStore("local", clock), clock=clock) as world:
        first = await two_snapshots(world, clock)
        host = cast("Any", SimpleNamespace(resources=world.resources, environment={}))

        def call(identity: Identity | None, body: Any = None) -> Call[Any, Nothing, Any]:
            path = ProtectionPath(service=EAST, index="hotels", id=first.id or "")
            return Call(body=body, query=Nothing(), path=path, host=host, engine=cast("Any", None), identity=identity)

        asked = ProtectRequest(snapshot=str(first), reason="audit")
        with pytest.raises(RequestError, match="who asks"):
            await protect(call(None, asked))
        assert (await protect(call(KEY_OF_BEN, asked))).status == 200
        with pytest.raises(RequestError, match="don't let requests"):
            await unprotect(call(KEY_OF_BEN))
        world.clients.settings = replace(world.clients.settings, allow_removal_requests=True)
        assert (await unprotect(call(KEY_OF_BEN))).content.state == "asked"
        assert (await unprotect(call(KEY_OF_BEN))).content.state == "asked"
        assert (await unprotect(call(Identity("key", "77", "77")))).content.state == "lifted"


async def test_a_protection_that_cannot_be_read_is_not_unpinned_by_one_person() -> None:
    """A newer version may have written it: that one knows how two people lift it."""
    clock = Calendar()
    async with open_world(MemoryStore("local"), clock=clock) as world:
        first = await two_snapshots(world, clock)
        name = pin_name(EAST, "hotels", first.id or "")
        by = {"kind": "badge", "id": "ann", "name": "ann"}
        await world.store.runs.put(name, msgspec.json.encode({"since": clock.now, "protected_by": by}))
        with pytest.raises(ConflictError, match="can't be read"):
            await unpin_snapshot(world.clients, first, clock.now)
        assert await world.store.runs.read(name, 1 << 20) is not None
        await world.store.runs.put(name, b"{")
        assert (await unpin_snapshot(world.clients, first, clock.now)).was_pinned
