"""Facts about a pair that is as ready as it can be, and what may be otherwise."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from msgspec.structs import replace

from indexvault.readiness.facts import DrillFacts, IndexSize, ObjectFacts, PairFacts, PairIndexFacts, SideFacts
from indexvault.readiness.management import Resource
from indexvault.recovery.standby_records import StandbyState
from indexvault.search.statistics import ServiceStatistics
from indexvault.status.facts import IndexFacts, Point, ReplicaFacts, VerificationFacts
from indexvault.status.health import Health

NOW = datetime(2026, 11, 20, 9, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
MADE = NOW - 20 * MINUTE


def statistics(**counters: tuple[int, int | None]) -> ServiceStatistics:
    """Return what a service counts, with other usages and quotas than those of a standard service in use."""
    given: dict[str, tuple[int, int | None]] = {
        "documentCount": (300, None),
        "indexesCount": (2, 50),
        "storageSize": (5_000_000, 160_000_000_000),
        "vectorIndexSize": (1_000_000, 35_000_000_000),
        "synonymMaps": (1, 5),
        "aliasesCount": (1, 100),
        "dataSourcesCount": (1, 50),
        "indexersCount": (1, 50),
        "skillsetCount": (0, 50),
    }
    told = {name: {"usage": usage, "quota": quota} for name, (usage, quota) in (given | counters).items()}
    return msgspec.convert({"counters": told, "limits": {}}, ServiceStatistics)


RESOURCE = Resource(
    region="East US",
    tier="standard",
    replicas=3,
    partitions=1,
    created=datetime(2025, 3, 4, tzinfo=UTC),
    status="running",
    takes_roles=True,
    takes_keys=True,
)
OBJECTS = {
    "synonymmaps": frozenset({"spelling"}),
    "aliases": frozenset({"live"}),
    "datasources": frozenset({"orders-db"}),
    "skillsets": frozenset[str](),
    "indexers": frozenset({"orders-indexer"}),
}
ACTIVE = SideFacts(
    service="contoso-east",
    region="eastus",
    tier="standard",
    replicas=None,
    store="east",
    store_region="eastus",
    resource=RESOURCE,
    statistics=statistics(),
    may_write=True,
    sizes={
        "hotels": IndexSize(documents=200, storage=3_000_000, vectors=1_000_000),
        "orders": IndexSize(documents=100, storage=2_000_000),
    },
    objects=OBJECTS,
)
OTHER = replace(
    ACTIVE,
    service="contoso-west",
    region="westus2",
    store="west",
    store_region="westus2",
    resource=replace(RESOURCE, region="West US 2", replicas=2),
)


POINT = Point(
    id="20261120T084000Z-7f3a9c",
    state="complete",
    created=MADE,
    documents=200,
    bytes=2_000_000,
    stored=500_000,
    added_stored=1_000,
)


def index(name: str, /, **changes: Any) -> PairIndexFacts:
    """Return an index of the pair that is as it should be."""
    facts = IndexFacts(
        service="contoso-east",
        index=name,
        health=Health("green", ()),
        is_on_service=True,
        policies=("hourly",),
        last=POINT,
        last_complete=POINT,
        last_proved=POINT,
        last_verified=VerificationFacts(at=NOW - 3 * DAY),
        snapshots=24,
        replicas=(ReplicaFacts(store="west", last=MADE),),
    )
    of_facts = {each: changes.pop(each) for each in list(changes) if each in IndexFacts.__struct_fields__}
    found = PairIndexFacts(
        facts=replace(facts, **of_facts),
        drill=DrillFacts(target="contoso-west", finished=NOW - 5 * DAY, seconds=95.0),
        covered_after=True,
        standby=standby(name),
    )
    return replace(found, **changes)


def standby(name: str, **changes: Any) -> StandbyState:
    """Return an index of the standby that equals the newest snapshot."""
    state = StandbyState(
        pair="contoso",
        index=name,
        source="contoso-east",
        service="contoso-west",
        generation=0,
        run="follow",
        tried_at=MADE + MINUTE,
        snapshot="20261120T084000Z-7f3a9c",
        created=MADE,
        equal_at=MADE + MINUTE,
    )
    return replace(state, **changes)


READY = PairFacts(
    pair="contoso",
    mode="hot-warm",
    now=NOW,
    active=ACTIVE,
    other=OTHER,
    copies="west",
    copies_region="westus2",
    recovery_point=HOUR,
    recovery_time=30 * MINUTE,
    overlay="west",
    geo_redundant=("orders-db",),
    has_record_key=True,
    indexes=(index("hotels"), index("orders")),
    data_sources=("orders-db",),
    needs=(ObjectFacts("datasources", "orders-db", (), is_there=True),),
)
