"""Check where the services of a pair are, and what their tiers and replicas promise. Pure.

Source: Reliability in Azure AI Search, 2026-09.
"""

from collections.abc import Iterator

from indexvault.readiness.facts import PairFacts, SideFacts
from indexvault.readiness.report import CheckKind, FactSource, ReadinessCheck, finding
from indexvault.readiness.zones import AS_OF, PAIRED, ZONES, same
from indexvault.settings.residency import plain_region

READ_REPLICAS = 2
WRITE_REPLICAS = 3
_ZONELESS = frozenset({"free", "basic", "serverless_developer"})
_RUNNING = frozenset({"running"})
_BUSY = frozenset({"provisioning"})
_TELL = "Set resource_id of the service, and give the identity Reader on it"


def place_checks(facts: PairFacts) -> Iterator[ReadinessCheck]:
    """Yield the checks of both services' places, tiers and replicas."""
    for side in sides_of(facts):
        yield from _service_checks(side, is_active=side is facts.active)
    yield _regions(facts)
    for side in sides_of(facts):
        yield _store_region(side)


def sides_of(facts: PairFacts) -> list[SideFacts]:
    """Return the active service, then the other one if there is one."""
    return [facts.active, *([facts.other] if facts.other is not None else [])]


def _service_checks(side: SideFacts, *, is_active: bool) -> Iterator[ReadinessCheck]:
    subject = f"service {side.service}"
    if side.unread:
        do = "If it does not come back, fail over: docs/runbook.md" if is_active else "Check the service and the roles"
        yield finding("reach it", subject, "bad", side.unread, do)
    else:
        yield finding("reach it", subject, "good", "it answers")
    yield from _resource_checks(side, subject)
    yield _promise(side, subject, "reads promised", READ_REPLICAS, "queries", is_active=is_active)
    yield _promise(side, subject, "writes promised", WRITE_REPLICAS, "indexing", is_active=is_active)
    yield _zones(side, subject)


def _resource_checks(side: SideFacts, subject: str) -> Iterator[ReadinessCheck]:
    told = side.resource
    if told is None:
        return
    status = (told.status or "").lower()
    if status in _RUNNING:
        yield finding("state", subject, "good", "it is running", source="management API")
    elif status in _BUSY:
        yield finding(
            "state", subject, "warning", "it is being scaled", "Wait until it is done", source="management API"
        )
    else:
        yield finding(
            "state",
            subject,
            "bad" if status else "unknown",
            f"its state is {status}" if status else "Azure Resource Manager tells no state",
            "See the service's page in the portal, and Azure Service Health",
            source="management API",
        )
    wrong = [
        *(
            [f"the region is {told.region}, not {side.region}"]
            if told.region and not same(told.region, side.region)
            else []
        ),
        *([f"the tier is {told.tier}, not {side.tier}"] if told.tier and told.tier != side.tier else []),
    ]
    if wrong:
        yield finding(
            "as configured",
            subject,
            "bad",
            "; ".join(wrong),
            "Correct the settings: checks of regions and quotas use them",
            source="management API",
        )
    else:
        yield finding(
            "as configured", subject, "good", "region and tier are as in the settings", source="management API"
        )


def replicas_of(side: SideFacts) -> tuple[int | None, FactSource]:
    """Return how many replicas a service has, if that is known, and from where."""
    if side.resource is not None and side.resource.replicas is not None:
        return side.resource.replicas, "management API"
    return side.replicas, "settings"


def _promise(
    side: SideFacts, subject: str, check: CheckKind, needed: int, of: str, *, is_active: bool
) -> ReadinessCheck:
    """Check the replicas against what the platform promises 99.9 % for."""
    if side.tier == "free":
        return finding(
            check, subject, "bad", "the free tier promises nothing", "Choose another tier", source="settings"
        )
    replicas, source = replicas_of(side)
    if replicas is None:
        return finding(
            check,
            subject,
            "unknown",
            f"how many replicas it has is not known: {side.untold}",
            f"{_TELL}; or set replicas",
            source="settings",
        )
    has = "1 replica" if replicas == 1 else f"{replicas} replicas"
    if replicas >= needed:
        return finding(check, subject, "good", f"it has {has}: 99.9 % of {of} promised", source=source)
    is_bad = is_active and needed == READ_REPLICAS
    when = "" if is_active else " at failover, or before,"
    return finding(
        check,
        subject,
        "bad" if is_bad else "warning",
        f"it has {has}: nothing is promised of {of} below {needed}",
        f"Scale it to {needed} replicas{when} if that matters",
        source=source,
    )


def _zones(side: SideFacts, subject: str) -> ReadinessCheck:
    region = plain_region(side.resource.region if side.resource is not None and side.resource.region else side.region)
    since = ZONES.get(region)
    if since is None:
        return finding(
            "zones",
            subject,
            "warning",
            f"{side.region} has no zones for search services, as of {AS_OF}",
            "Choose a region with zones if the loss of one matters",
            source="settings",
        )
    if side.tier in _ZONELESS:
        return finding(
            "zones",
            subject,
            "warning",
            f"tier {side.tier} is in one zone",
            "Choose Standard or higher",
            source="settings",
        )
    replicas, source = replicas_of(side)
    created = side.resource.created if side.resource is not None else None
    if replicas is not None and replicas < READ_REPLICAS:
        return finding(
            "zones",
            subject,
            "warning",
            "its one replica is in one zone",
            "Scale it to 2 replicas or more",
            source=source,
        )
    if created is not None and created.date() < since:
        return finding(
            "zones",
            subject,
            "warning",
            f"it was made on {created:%Y-%m-%d}, before services of {side.region} used zones ({since})",
            "Move its indexes to a new service",
            source="management API",
        )
    if replicas is None or created is None:
        lacking = "how many replicas it has" if replicas is None else "when it was made"
        return finding(
            "zones",
            subject,
            "unknown",
            f"{lacking} is not known: {side.untold or 'Azure Resource Manager does not tell'}",
            f"{_TELL}; services of {side.region} use zones if they were made since {since}",
            source="settings",
        )
    return finding("zones", subject, "good", f"its {replicas} replicas are spread over zones", source="management API")


def _regions(facts: PairFacts) -> ReadinessCheck:
    subject, other = f"pair {facts.pair}", facts.other
    here = facts.active.region
    there = other.region if other is not None else facts.copies_region
    if same(here, there):
        return finding(
            "regions",
            subject,
            "bad",
            f"both are in {here}, and would be lost together",
            "Put the standby into another region",
            source="settings",
        )
    paired = PAIRED.get(plain_region(here))
    if paired is not None and same(paired, there):
        return finding("regions", subject, "good", f"{here} and {there}, which are paired", source="settings")
    if facts.geo_redundant:
        return finding(
            "regions",
            subject,
            "warning",
            f"{here} and {there} are not paired, so geo-redundant storage of {here} fails over to"
            f" {paired or 'a region that is not known here'}",
            "See that the data sources are reachable from the standby, and that the latency will do",
            source="settings",
        )
    return finding(
        "regions",
        subject,
        "good",
        f"{here} and {there}; not paired, which matters only to geo-redundant storage",
        source="settings",
    )


def _store_region(side: SideFacts) -> ReadinessCheck:
    subject = f"store {side.store}"
    if same(side.region, side.store_region):
        return finding(
            "store region", subject, "good", f"it is in {side.region}, as service {side.service}", source="settings"
        )
    return finding(
        "store region",
        subject,
        "warning",
        f"it is in {side.store_region}, and service {side.service} in {side.region}: the loss of either takes both",
        "Give each service a store in its region",
        source="settings",
    )
