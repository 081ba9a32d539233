"""Gather the facts: read what is durable of every service and store, at the same time, and within a time limit.

A part that fails is told in the facts as what could not be read, and takes nothing else down. The number of requests
depends on how many indexes there are, not on how many snapshots: snapshots are listed by thousands. Nothing is written.
"""

import asyncio
import itertools
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from indexvault.backup.reveal_records import RevealRecords
from indexvault.errors import IndexvaultError, NotFoundError
from indexvault.maintenance.verified import Verified, read_verified
from indexvault.model import IndexName
from indexvault.recovery.drill_records import DrillResults, read_results
from indexvault.recovery.follow_plan import other_of
from indexvault.settings.model import PolicySettings, Settings
from indexvault.settings.patterns import select
from indexvault.settings.policies import drill_within, policies_covering, reading_order
from indexvault.snapshots.catalogue import list_snapshots
from indexvault.snapshots.known import known_snapshots, lost_snapshots
from indexvault.snapshots.names import SERVICE_OBJECTS, SnapshotReference, parse_segment, service_prefix
from indexvault.snapshots.run_names import DRILLS_PREFIX, REVEALS_PREFIX, drill_name, reveal_name
from indexvault.snapshots.store import Store
from indexvault.snapshots.summary import Summary
from indexvault.status.facts import Fleet, PairFacts, ServiceFacts, StoreFacts
from indexvault.status.health import Health, Level, Reason, health_of, worst
from indexvault.status.indexes import IndexReadings, index_facts
from indexvault.status.pairs import PairReadings, pair_facts, read_pair
from indexvault.status.runs import RunReadings, policy_facts, read_runs, run_facts
from indexvault.workflow.activity import Resources

SECONDS = 15.0
"""How long everything may take: what has not been read by then counts as unread."""
AT_ONCE = 16
"""Requests to one service or store at the same time."""
_MOST_LOST = 100
_LOG = logging.getLogger(__name__)


@dataclass(slots=True)
class _Part:
    """Asks one service or store: so many requests at once, until a deadline. `trouble` is why it could not be asked."""

    on: str
    until: float
    seconds: float
    room: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))
    trouble: str = ""

    async def ask[Found](self, what: str, request: Callable[[], Awaitable[Found]], nothing: Found) -> Found | str:
        """Return what a request finds, `nothing` where there is no container yet, or in words why it failed."""
        try:
            async with asyncio.timeout_at(self.until), self.room:
                return await request()
        except NotFoundError:
            return nothing
        except IndexvaultError as error:
            return f"{error.on}: {error.what}"
        except TimeoutError:
            return f"{self.on}: {what} did not answer within {self.seconds:g} s"
        except Exception:  # noqa: BLE001 - whatever it is, it must not hide the rest
            _LOG.exception("%s: %s failed unexpectedly", self.on, what)
            return f"{self.on}: {what} failed unexpectedly; the log says more"


@dataclass(frozen=True, slots=True, kw_only=True)
class _StoreReadings:
    """What one store told of one service. `unread` is why it could not be listed, or is empty."""

    unread: str = ""
    names: tuple[str, ...] = ()
    snapshots: dict[str, list[Summary] | str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class _OwnReadings:
    """What only a service's own store tells: what it should hold, what was verified, what is left revealed."""

    lost: list[SnapshotReference] | str
    verified: dict[str, Verified | str | None]
    drills: dict[str, DrillResults | None] | str
    revealed: set[str] | str


async def read_fleet(
    resources: Resources, *, service: str | None = None, index: str | None = None, seconds: float = SECONDS
) -> Fleet:
    """Return the facts about everything that is configured, about one service, or about one index of it.

    Raises NotFoundError for a service that the settings don't name. Everything else that fails is in the facts.
    """
    clients = resources.clients
    settings = clients.settings
    if service is not None and service not in settings.services:
        clients.service(service)
    now = resources.clock()
    names = [service] if service is not None else list(settings.services)
    until = asyncio.get_running_loop().time() + seconds
    parts = {name: _Part(f"store {name}", until, seconds) for name in settings.stores}
    async with asyncio.TaskGroup() as tasks:
        runs = {
            name: tasks.create_task(_runs(resources, name, parts[name], now))
            for name in dict.fromkeys(settings.services[each].store for each in names)
        }
        readings = {
            name: tasks.create_task(_service(resources, name, index, parts, _Part(f"service {name}", until, seconds)))
            for name in names
        }
        pairs = {
            name: tasks.create_task(read_pair(resources, name, pair))
            for name, pair in settings.pairs.items()
            if service is None or service in {pair.primary, pair.standby}
        }
    found_pairs = {name: task.result() for name, task in pairs.items()}
    standbys = _standbys(settings, found_pairs)
    found_runs = {name: task.result() for name, task in runs.items()}
    services = tuple(
        _service_facts(
            settings,
            name,
            readings[name].result(),
            found_runs[settings.services[name].store],
            now,
            is_standby=name in standbys,
        )
        for name in names
    )
    its_pairs = tuple(_pair_facts(settings, name, read, services, now) for name, read in found_pairs.items())
    stores = tuple(_store_facts(settings, name, parts[name]) for name in settings.stores) if service is None else ()
    healths = [each.health for each in services]
    healths += [*(each.health for each in stores), *(each.health for each in its_pairs)]
    levels = [each.level for each in healths]
    level = worst(levels)
    return Fleet(
        health=Health(level, _fleet_reasons(services, stores, its_pairs)),
        services=services,
        runs=tuple(
            run
            for name, found in found_runs.items()
            if not isinstance(found, str)
            for run in run_facts(found, name)
            if service is None or run.service == service
        ),
        replicas=stores,
        checked_at=now,
        pairs=its_pairs,
    )


def _standbys(settings: Settings, pairs: Mapping[str, PairReadings]) -> set[str]:
    """Return the services that are not backed up at present, since the other one of their pair is active."""
    found: set[str] = set()
    for name, read in pairs.items():
        pair, role = settings.pairs[name], read.role
        other = None if role is None else other_of(pair, role.active)
        if pair.mode != "hot-hot" and other is not None:
            found.add(other)
    return found


def _pair_facts(
    settings: Settings, name: str, read: PairReadings, services: tuple[ServiceFacts, ...], now: datetime
) -> PairFacts:
    """Return the facts about a pair, whose active service's indexes are known from that service's facts."""
    pair, role = settings.pairs[name], read.role
    active = next((each for each in services if role is not None and each.service == role.active), None)
    expected: list[str] | None = None
    drills: list[datetime | None] = []
    if active is not None and not active.unread:
        there = {each.index: each for each in active.indexes if each.is_on_service and each.index != SERVICE_OBJECTS}
        expected = select(sorted(there), pair.indexes).found
        drills = [there[index].last_drill for index in expected]
    drilled = [each for each in drills if each is not None]
    last_drill = min(drilled) if drilled and len(drilled) == len(drills) else None
    return pair_facts(name, pair, read, expected=expected, last_drill=last_drill, now=now)


def _fleet_reasons(
    services: tuple[ServiceFacts, ...], stores: tuple[StoreFacts, ...], pairs: tuple[PairFacts, ...]
) -> tuple[Reason, ...]:
    reasons = [
        Reason(reason.level, reason.kind, f"{each.service}: {reason.what}", reason.do)
        for each in services
        for reason in each.health.reasons
        if reason.level in {"amber", "red"}
    ]
    reasons += [reason for each in stores for reason in each.health.reasons if reason.level in {"amber", "red"}]
    reasons += [
        Reason(reason.level, reason.kind, f"pair {each.pair}: {reason.what}", reason.do)
        for each in pairs
        for reason in each.health.reasons
        if reason.level in {"amber", "red"}
    ]
    return health_of(reasons).reasons


@dataclass(frozen=True, slots=True, kw_only=True)
class _ServiceReadings:
    live: list[str] | str
    stores: dict[str, _StoreReadings]
    own: _OwnReadings
    indexes: list[str]


async def _service(
    resources: Resources, name: str, only: str | None, parts: dict[str, _Part], part: _Part
) -> _ServiceReadings:
    """Read what a service and all stores of its snapshots tell."""
    clients = resources.clients
    order = reading_order(clients.settings, name)
    async with asyncio.TaskGroup() as tasks:
        listing = tasks.create_task(part.ask("the list of indexes", clients.service(name).index_names, list[str]()))
        stores = {
            store: tasks.create_task(_store_readings(clients.store(store), name, only, parts[store])) for store in order
        }
    live = listing.result()
    found = {store: task.result() for store, task in stores.items()}
    indexes = {index for each in found.values() for index in each.names} | (set() if isinstance(live, str) else {*live})
    indexes |= {SERVICE_OBJECTS} if _policies(clients.settings, name, SERVICE_OBJECTS) else set()
    chosen = sorted(index for index in indexes if only is None or index == only)
    own = await _own_readings(clients.store(order[0]), name, chosen, found[order[0]], parts[order[0]])
    return _ServiceReadings(live=live, stores=found, own=own, indexes=chosen)


async def _store_readings(store: Store, service: str, only: str | None, part: _Part) -> _StoreReadings:
    async def folders() -> list[str]:
        found = [parse_segment(segment) async for segment in store.snapshots.folders(service_prefix(service))]
        return [name for name in found if name is not None]

    names = await part.ask("the list of snapshots", folders, list[str]())
    if isinstance(names, str):
        part.trouble = names
        return _StoreReadings(unread=names)
    chosen = [name for name in names if only is None or name == only]

    async def listed(name: str) -> list[Summary] | str:
        return await part.ask(
            f"the list of snapshots of {name}", lambda: list_snapshots(store.snapshots, service, name), list[Summary]()
        )

    listings = await asyncio.gather(*map(listed, chosen))
    snapshots = dict(zip(chosen, listings, strict=True))
    part.trouble = part.trouble or next((found for found in listings if isinstance(found, str)), "")
    return _StoreReadings(names=tuple(chosen), snapshots=snapshots)


async def _own_readings(
    store: Store, service: str, indexes: list[str], found: _StoreReadings, part: _Part
) -> _OwnReadings:
    present = {
        each.reference for each in itertools.chain(*(s for s in found.snapshots.values() if isinstance(s, list)))
    }
    unlisted = {index for index, listing in found.snapshots.items() if isinstance(listing, str)}

    async def lost() -> list[SnapshotReference]:
        known = await known_snapshots(store.runs, service)
        absent = [each for each in known - present if each.index in indexes and each.index not in unlisted]
        return await lost_snapshots(store.snapshots, store.runs, sorted(absent, key=str)[-_MOST_LOST:])

    async def revealed() -> set[str]:
        marked = {blob.name async for blob in store.runs.list(REVEALS_PREFIX)}
        # The record itself is read only where there is one: almost nowhere.
        records = RevealRecords(store.runs)
        return {
            index
            for index in indexes
            if reveal_name(service, index) in marked and await records.read(service, index) is not None
        }

    if found.unread:
        return _OwnReadings(lost=[], verified={}, drills={}, revealed=set())

    async def verified(name: str) -> Verified | str | None:
        return await part.ask("the record of verification", lambda: read_verified(store.runs, service, name), None)

    async def drilled() -> dict[str, DrillResults | None]:
        # Results are read only where there are some: most indexes have none.
        kept = {blob.name async for blob in store.runs.list(DRILLS_PREFIX)}
        some = [index for index in indexes if drill_name(service, index) in kept]
        return {index: await read_results(store.runs, IndexName(service, index)) for index in some}

    gone, left, drills, records = await asyncio.gather(
        part.ask("the records of snapshots", lost, list[SnapshotReference]()),
        part.ask("the records of revealed fields", revealed, set[str]()),
        part.ask("the results of drills", drilled, dict[str, DrillResults | None]()),
        asyncio.gather(*map(verified, indexes)),
    )
    verifications = dict(zip(indexes, records, strict=True))
    return _OwnReadings(lost=gone, verified=verifications, drills=drills, revealed=left)


async def _runs(resources: Resources, store: str, part: _Part, now: datetime) -> RunReadings | str:
    """Read the runs of a store: those unfinished, the newest, and the newest of each policy."""
    settings = resources.clients.settings
    policies = [name for name, policy in settings.policies.items() if settings.services[policy.service].store == store]

    async def read() -> RunReadings:
        return await read_runs(resources, store, policies, now, room=AT_ONCE)

    return await part.ask("the records of runs", read, RunReadings())


def _service_facts(
    settings: Settings,
    name: str,
    found: _ServiceReadings,
    runs: RunReadings | str,
    now: datetime,
    *,
    is_standby: bool = False,
) -> ServiceFacts:
    own = settings.services[name].store
    policies = {each: policy for each, policy in settings.policies.items() if policy.service == name and not is_standby}
    indexes = tuple(
        index_facts(_index_readings(settings, name, index, found, runs, is_standby=is_standby), now)
        for index in found.indexes
    )
    its_policies = tuple(
        policy_facts(each, policy, None if isinstance(runs, str) else runs, now) for each, policy in policies.items()
    )
    reasons = [
        Reason("red", "unread", what, "Check the service, the store and the roles: `indexvault check`")
        for what in (
            found.live if isinstance(found.live, str) else "",
            found.stores[own].unread,
            runs if isinstance(runs, str) else "",
        )
        if what
    ]
    reasons += [
        Reason("amber", "run-failed", f"the last run of policy {each.policy} failed: {each.failure}", "Look at the run")
        for each in its_policies
        if each.failure is not None
    ]
    reasons += [
        Reason(
            "amber",
            "gone",
            f"policy {each} covers no index that is on the service",
            "See whether the service's address is right, and whether the indexes were deleted",
        )
        for each in sorted(policies)
        if not isinstance(found.live, str)
        and not any(each in policies_covering(settings, name, index) for index in found.live)
        and any(each in index.policies for index in indexes if index.snapshots and index.index != SERVICE_OBJECTS)
    ]
    unreadable = () if isinstance(runs, str) else runs.unread
    reasons += [Reason("red", "unread", what, "Delete the blob if the run no longer matters") for what in unreadable]
    levels: tuple[Level, ...] = ("red", "amber")
    for level in levels:
        bad = [each.index for each in indexes if each.health.level == level]
        if bad:
            reasons.append(Reason(level, "indexes", f"{_some(bad)} {'is' if len(bad) == 1 else 'are'} {level}"))
    green = sum(each.health.level == "green" for each in indexes)
    if not reasons and green:
        reasons.append(Reason("green", "well", "every index that a policy covers has what it should"))
    elif not reasons and is_standby:
        reasons.append(Reason("grey", "no-policy", "it is a standby, and is backed up while it is active"))
    elif not reasons:
        reasons.append(Reason("grey", "no-policy", "no policy covers any of its indexes"))
    service = settings.services[name]
    return ServiceFacts(
        service=name,
        health=health_of(reasons),
        region=service.region,
        tier=service.tier,
        store=service.store,
        unread=found.live if isinstance(found.live, str) else "",
        policies=its_policies,
        indexes=indexes,
    )


def _some(names: list[str], most: int = 5) -> str:
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest} more" if rest > 0 else "")


def _index_readings(
    settings: Settings,
    service: str,
    index: str,
    found: _ServiceReadings,
    runs: RunReadings | str,
    *,
    is_standby: bool = False,
) -> IndexReadings:
    store = found.stores[settings.services[service].store]
    listing = store.unread or store.snapshots.get(index, [])
    lost = found.own.lost
    verified = found.own.verified.get(index)
    # Nothing is expected of a standby while the other service is active.
    policies = {} if is_standby else _policies(settings, service, index)
    drills = found.own.drills
    unread = [what for what in (listing, lost, verified, drills, found.own.revealed, runs) if isinstance(what, str)]
    copied_to = dict.fromkeys(store for policy in policies.values() for store in policy.replicate_to)
    is_live: bool | None = index == SERVICE_OBJECTS or (None if isinstance(found.live, str) else index in found.live)
    if is_live is None:
        unread.append(f"whether the index is still on the service is not known: {found.live}")
    return IndexReadings(
        service=service,
        index=index,
        policies=policies,
        is_on_service=is_live,
        snapshots=listing if isinstance(listing, list) else [],
        lost=[] if isinstance(lost, str) else [each.id or "" for each in lost if each.index == index],
        verified=None if isinstance(verified, str) else verified,
        drills=None if isinstance(drills, str) else drills.get(index),
        drill_within=drill_within(settings, service, index),
        is_revealed=index in found.own.revealed if isinstance(found.own.revealed, set) else False,
        copies={name: found.stores[name].unread or found.stores[name].snapshots.get(index, []) for name in copied_to},
        runs=None if isinstance(runs, str) else runs,
        unread=unread,
        is_standby=is_standby,
    )


def _policies(settings: Settings, service: str, index: str) -> dict[str, PolicySettings]:
    """Return the policies that back an index up. The service's other objects are with those that have a plain `*`."""
    found = policies_covering(settings, service, index)
    return found if index != SERVICE_OBJECTS else {name: each for name, each in found.items() if "*" in each.indexes}


def _store_facts(settings: Settings, name: str, part: _Part) -> StoreFacts:
    copies = {
        policy.service: policy for policy in settings.policies.values() if name in policy.replicate_to
    }  # fmt: skip
    reasons = []
    if part.trouble:
        reasons.append(Reason("red", "unread", part.trouble, "Check the store and the roles: `indexvault check`"))
    return StoreFacts(
        store=name,
        region=settings.stores[name].region,
        health=health_of(reasons),
        own=tuple(each for each, service in settings.services.items() if service.store == name),
        copies=tuple(copies),
        unread=part.trouble,
    )
