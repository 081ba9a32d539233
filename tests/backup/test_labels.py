"""Labels on snapshots, from the order to listings, requests and pruning."""

import random
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest
from msgspec.structs import replace

from backup.backups import BackupRequest, back_up
from indexvault.api.endpoint import Call, Nothing
from indexvault.api.snapshots import SnapshotsQuery, list_all
from indexvault.backup.run import choose, item_for
from indexvault.backup.service_objects import ServiceJob, back_up_objects
from indexvault.errors import SettingsError
from indexvault.maintenance.retention import MaintenanceJob, prune_stores
from indexvault.settings.model import PolicySettings
from indexvault.snapshots.catalogue import list_snapshots, read_manifest
from indexvault.snapshots.labels import Labels
from indexvault.snapshots.names import SERVICE_OBJECTS
from indexvault.snapshots.retention import Retention, TaggedRetention
from indexvault.workflow.functions_host import FunctionsHost
from indexvault.workflow.runs import RunRecord, Runs
from tests import hotels
from tests.memory_store import MemoryStore
from tests.world import EAST, Calendar, World, open_world

LABELS = Labels(description="Before the migration ü", tags={"release": "4.2", "manual": ""}, expires=timedelta(days=30))
POLICY = PolicySettings(
    service=EAST, schedule="0 0 2 * * *", keep=Retention(last=1, tagged={"release": TaggedRetention()})
)


async def test_a_snapshot_carries_its_labels_in_manifest_and_listing() -> None:
    calendar = Calendar()
    async with open_world(MemoryStore("local", calendar), clock=calendar) as world:
        await world.fill(hotels.definition(), hotels.hotels(3))
        made = await world.back_up("hotels", labels=LABELS)
        await back_up_objects(world.resources, ServiceJob(service=EAST, run="objects-1", labels=LABELS))
        listed = await list_snapshots(world.store.snapshots, EAST)
        assert [each.index for each in listed] == [SERVICE_OBJECTS, "hotels"]
        for summary in listed:
            assert (summary.description, summary.tags) == (LABELS.description, LABELS.tags)
            assert summary.expires == summary.created + timedelta(days=30)
        manifest = await read_manifest(world.store.snapshots, listed[1])
        assert (manifest.id, manifest.tags, manifest.expires) == (made.snapshot, LABELS.tags, listed[1].expires)


async def test_every_item_of_a_run_gets_the_labels_of_its_record() -> None:
    record = RunRecord(
        run="20261120T020000Z-policy-nightly",
        kind="backup",
        workflow="run_backup",
        service=EAST,
        asked="all",
        owner="policy nightly",
        created=datetime(2026, 11, 20, 2, tzinfo=UTC),
        choose=["*"],
        labels=LABELS,
    )
    assert {item.job.labels == LABELS for item in choose(record, ["hotels", "rooms"]).items} == {True}
    assert item_for(record, "hotels", 0).job.labels == LABELS


async def listed(world: World, tag: str | None) -> list[str]:
    host = cast("Any", SimpleNamespace(resources=world.resources))
    call = Call(body=None, query=SnapshotsQuery(tag=tag), path=Nothing(), host=host, engine=cast("Any", None))
    return [each.id for each in (await list_all(call)).content.snapshots]


async def test_retention_and_listings_go_by_tags_and_expiry() -> None:
    calendar = Calendar()
    async with open_world(MemoryStore("local", calendar), clock=calendar, policies={"nightly": POLICY}) as world:
        await world.fill(hotels.definition(), hotels.hotels(3))
        made = {}
        for name, labels in {
            "plain": Labels(),
            "release": Labels(tags={"release": "1"}),
            "expiring": Labels(expires=timedelta(days=5)),
            "newest": Labels(tags={"env": "a"}),
        }.items():
            made[name] = (await world.back_up("hotels", labels=labels)).snapshot
            calendar.now += timedelta(days=1)
        assert await listed(world, "release") == await listed(world, "release=1") == [made["release"]]
        assert await listed(world, "release,env") == []
        job = MaintenanceJob(service=EAST, index="hotels")
        for gone in ("plain", "expiring"):
            (plan,) = await prune_stores(world.resources, job, dry_run=False)
            assert plan.report.removed == (made[gone],)
            calendar.now += timedelta(days=30)
        assert await listed(world, None) == [made["newest"], made["release"]]


class Idle:
    async def start(self, _workflow: str, _order: object) -> bool:
        return True


async def ordered(world: World, **members: Any) -> RunRecord:
    host = FunctionsHost({}, rng=random.Random(1))
    host.resources = world.resources
    body = BackupRequest(service=EAST, **members)
    reply = await back_up(Call(body=body, query=Nothing(), path=Nothing(), host=host, engine=cast("Any", Idle())))
    record = await Runs(world.store.runs).read(reply.content.run)
    assert record is not None
    return record


async def test_a_request_orders_labels_and_a_time_limit() -> None:
    calendar = Calendar()
    async with open_world(MemoryStore("local", calendar), clock=calendar) as world:
        record = await ordered(
            world,
            description=LABELS.description,
            tags=LABELS.tags,
            expires=LABELS.expires,
            time_limit=timedelta(hours=1),
        )
        assert (record.labels, record.time_limit) == (LABELS, timedelta(hours=1))
        for wrong in ({"tags": {"a b": ""}}, {"expires": timedelta(0)}, {"time_limit": timedelta(0)}):
            with pytest.raises(SettingsError) as refused:
                await ordered(world, **wrong)
            assert refused.value.on == f"body.{next(iter(wrong))}"


async def test_the_manifest_decides_where_metadata_says_otherwise() -> None:
    """Listings come from metadata, which a copy may have lost or changed: nothing is removed on its word alone."""
    calendar = Calendar()
    store = MemoryStore("local", calendar)
    async with open_world(store, clock=calendar, policies={"nightly": POLICY}) as world:
        await world.fill(hotels.definition(), hotels.hotels(3))
        old = (await world.back_up("hotels", labels=Labels(tags={"release": "1"}))).snapshot
        calendar.now += timedelta(days=1)
        await world.back_up("hotels")
        (name,) = [name for name in store.snapshots._blobs if name.endswith(f"{old}.json")]
        blob = store.snapshots._blobs[name]
        kept = {key: value for key, value in blob.metadata.items() if key != "tags"}
        store.snapshots._blobs[name] = replace(blob, metadata=kept | {"expires": "2026-11-16T03:30:00Z"})
        (plan,) = await prune_stores(world.resources, MaintenanceJob(service=EAST, index="hotels"), dry_run=False)
        assert plan.report.removed == ()
