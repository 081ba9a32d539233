"""Gather the facts about pairs: from both services, their stores, and Azure Resource Manager, all at the same time.

What does not answer in time is told in the facts as what could not be read, and takes nothing else down. Nothing is
written.
"""

import asyncio
import logging
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from indexvault.clients import Clients
from indexvault.errors import IndexvaultError
from indexvault.model import IndexName
from indexvault.readiness.facts import DrillFacts, PairFacts, PairIndexFacts, SideFacts
from indexvault.readiness.judge import judge
from indexvault.readiness.lacking import misfits_of, needs_of
from indexvault.readiness.report import Readiness
from indexvault.readiness.side import AskManagement, Held, ask_management, read_side
from indexvault.recovery.drift_records import DriftState, read_drifts
from indexvault.recovery.drill_job import DrillReport
from indexvault.recovery.drill_records import read_results
from indexvault.recovery.pair_role import SeenRole, in_time, pair_role
from indexvault.recovery.standby_records import StandbyState, read_standby
from indexvault.settings.model import PairSettings, Settings
from indexvault.settings.pairs import pair_settings, standby_store
from indexvault.settings.patterns import select
from indexvault.settings.policies import drill_within, policies_covering
from indexvault.snapshots.names import SERVICE_OBJECTS
from indexvault.snapshots.roles import first_role
from indexvault.status.facts import Fleet, IndexFacts
from indexvault.status.gather import read_fleet
from indexvault.workflow.activity import Resources

_LOG = logging.getLogger(__name__)
SECONDS = 15.0
"""How long everything about a pair may take."""


async def read_readiness(
    resources: Resources, pair: str | None = None, *, management: AskManagement = ask_management
) -> Readiness:
    """Return the readiness of every pair, or of one. Raises NotFoundError for a pair that the settings don't name.

    Everything else that fails is in the checks.
    """
    settings = resources.clients.settings
    if pair is not None:
        pair_settings(settings, pair)
    names = [pair] if pair is not None else list(settings.pairs)
    found = await asyncio.gather(*(read_pair(resources, name, management=management) for name in names))
    return Readiness(pairs=tuple(judge(facts) for facts in found), checked_at=resources.clock())


async def read_pair(resources: Resources, name: str, *, management: AskManagement = ask_management) -> PairFacts:
    """Return the facts about a pair."""
    clients = resources.clients
    pair = pair_settings(clients.settings, name)
    unread: list[str] = []
    no_role: list[str] = []
    seen = await _or_told(pair_role(clients, name), no_role)
    role = seen.role if seen is not None else first_role(name, pair.primary)
    other = _other_than(pair, role.active)
    async with asyncio.TaskGroup() as tasks:
        fleet = tasks.create_task(
            _or_told(read_fleet(resources, service=role.active, seconds=SECONDS), unread, seconds=2 * SECONDS)
        )
        reading_active = tasks.create_task(read_side(clients, pair, role.active, management))
        reading_other = None if other is None else tasks.create_task(read_side(clients, pair, other, management))
        records = tasks.create_task(_records(clients, name, pair, other, role.generation))
    active, there = reading_active.result(), None if reading_other is None else reading_other.result()
    kept = records.result()
    indexes = _indexes_of(pair, fleet.result())
    drills = await _drills(clients, role.active, [each.index for each in indexes], active.facts)
    read = _Read(pair, seen, "".join(no_role), active, there, indexes, drills, kept, tuple(unread))
    return _facts(resources, name, read)


@dataclass(frozen=True, slots=True)
class _Kept:
    """The records of the pair in the store that a failover would read. `unread` says why they could not be read."""

    standby: dict[str, StandbyState]
    drifts: dict[str, DriftState]
    unread: str = ""


@dataclass(frozen=True, slots=True)
class _Read:
    pair: PairSettings
    seen: SeenRole | None
    no_role: str
    active: Held
    other: Held | None
    indexes: list[IndexFacts]
    drills: dict[str, DrillFacts]
    kept: _Kept
    unread: tuple[str, ...]


def _facts(resources: Resources, name: str, read: _Read) -> PairFacts:
    clients, pair = resources.clients, read.pair
    settings = clients.settings
    active, other = read.active, read.other
    copies = other.facts.store if other is not None else standby_store(settings, pair)
    misfits = misfits_of(active, other)
    return PairFacts(
        pair=name,
        mode=pair.mode,
        now=resources.clock(),
        active=active.facts,
        other=None if other is None else other.facts,
        copies=copies,
        copies_region=settings.stores[copies].region,
        copies_unread=read.kept.unread,
        recovery_point=pair.recovery_point,
        recovery_time=pair.recovery_time,
        generation=0 if read.seen is None else read.seen.role.generation,
        is_following=read.seen is None or read.seen.role.following,
        role_unread="" if read.seen is None or not read.seen.unread else f"store {read.seen.unread[0]}",
        role_failure=read.no_role,
        overlay=pair.overlay,
        geo_redundant=pair.geo_redundant,
        has_record_key=settings.record_key is not None,
        indexes=tuple(
            PairIndexFacts(
                facts=each,
                drill=read.drills.get(each.index),
                drill_within=drill_within(settings, each.service, each.index),
                prove_within=_prove_within(settings, each),
                misfits=misfits.get(each.index, ()),
                standby=read.kept.standby.get(each.index),
                drift=read.kept.drifts.get(each.index),
                covered_after=other is not None and _is_covered(settings, other.facts, each.index),
            )
            for each in read.indexes
        ),
        data_sources=None if active.facts.objects is None else tuple(sorted(active.facts.objects["datasources"])),
        needs=needs_of(clients, pair, active, other),
        unread=read.unread,
    )


def _other_than(pair: PairSettings, active: str) -> str | None:
    """Return the service that is not active: the primary after a failover to whichever service it named."""
    return pair.standby if active == pair.primary else pair.primary


def _indexes_of(pair: PairSettings, fleet: Fleet | None) -> list[IndexFacts]:
    """Return the indexes of a pair that are there or should be, and the service's other objects if they are kept."""
    if fleet is None:
        return []
    found = [
        each for each in fleet.indexes if each.index != SERVICE_OBJECTS and select([each.index], pair.indexes).found
    ]
    present = [each for each in found if each.is_on_service is not False or each.policies]
    objects = [each for each in fleet.indexes if each.index == SERVICE_OBJECTS and "*" in pair.indexes]
    return [*(each for each in present if each.is_on_service is not False), *objects]


def _prove_within(settings: Settings, each: IndexFacts) -> timedelta | None:
    covering = policies_covering(settings, each.service, each.index).values()
    return min((2 * policy.changes.prove_every for policy in covering if policy.changes is not None), default=None)


def _is_covered(settings: Settings, other: SideFacts, index: str) -> bool:
    covering = policies_covering(settings, other.service, index)
    return any(index != SERVICE_OBJECTS or "*" in policy.indexes for policy in covering.values())


async def _records(clients: Clients, name: str, pair: PairSettings, other: str | None, generation: int) -> _Kept:
    """Read what is known of the standby and of drift. What is of another generation is from before a swap."""
    settings = clients.settings
    of_standby = settings.services[other].store if other is not None else standby_store(settings, pair)
    try:
        states = await in_time(
            read_standby(clients.store(of_standby).runs, name, service=other), on=f"store {of_standby}"
        )
        drifts = await in_time(
            read_drifts(clients.store(standby_store(settings, pair)).runs, name),
            on=f"store {standby_store(settings, pair)}",
        )
    except IndexvaultError as error:
        return _Kept({}, {}, f"{error.on}: {error.what}")
    return _Kept(
        {each.index: each for each in states if each.generation == generation}, {each.index: each for each in drifts}
    )


async def _drills(clients: Clients, service: str, indexes: Sequence[str], side: SideFacts) -> dict[str, DrillFacts]:
    """Return the last drill of each index that has had one."""
    if side.store_unread:
        return {}
    runs = clients.store(side.store).runs
    room = asyncio.Semaphore(8)

    async def last(index: str) -> DrillReport | None:
        async with room:
            found = await read_results(runs, IndexName(service, index))
        return found.last if found is not None else None

    named = [index for index in indexes if index != SERVICE_OBJECTS]
    told: list[str] = []
    found = await _or_told(asyncio.gather(*map(last, named)), told, seconds=SECONDS)
    return {
        index: DrillFacts(
            target=report.target_service,
            finished=report.finished,
            seconds=report.seconds,
            failure=report.faults[0] if report.faults else "",
        )
        for index, report in zip(named, found or (), strict=False)
        if report is not None
    }


async def _or_told[Answer](asking: Awaitable[Answer], unread: list[str], seconds: float = SECONDS) -> Answer | None:
    """Return an answer, or note in words why there is none and return None."""
    try:
        return await in_time(asking, on="readiness", seconds=seconds)
    except IndexvaultError as error:
        unread.append(f"{error.on}: {error.what}")
    except Exception:  # noqa: BLE001 - whatever it is, it must not hide the rest
        _LOG.exception("a part of readiness failed unexpectedly")
        unread.append("a part of it failed unexpectedly; the log says more")
    return None
