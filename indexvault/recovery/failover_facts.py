"""Gather what a failover is decided on, from what answers: the other region's service and store may be gone."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime

from indexvault.errors import ConflictError, IndexvaultError, IntegrityError, NotFoundError, RemoteError, SettingsError
from indexvault.recovery.drift_records import read_drifts
from indexvault.recovery.failover_job import Candidate, FailoverFacts, FailoverJob, IndexFacts
from indexvault.recovery.pair_role import SeenRole, in_time, pair_role
from indexvault.recovery.standby_records import read_standby
from indexvault.settings.load import service_settings
from indexvault.settings.model import PairSettings, Settings
from indexvault.settings.pairs import pair_settings, standby_store
from indexvault.settings.patterns import select
from indexvault.settings.policies import reading_order
from indexvault.settings.residency import require_resident, residencies, residencies_of
from indexvault.snapshots.catalogue import list_snapshots
from indexvault.snapshots.names import SERVICE_OBJECTS, SnapshotReference
from indexvault.snapshots.replicas import ReplicaBlobs
from indexvault.snapshots.service_manifest import read_service_manifest
from indexvault.snapshots.store import SnapshotReader
from indexvault.snapshots.summary import Summary, is_in_future
from indexvault.snapshots.unchanged import Unchanged, as_of, read_unchanged
from indexvault.workflow.activity import Resources

_PROBE = "indexvault-asks-whether-it-answers"


def require_target(settings: Settings, pair: str, to: str) -> PairSettings:
    """Return the settings of a pair.

    Raises SettingsError if a service can't become its active one, ConflictError if a policy keeps documents of the pair
    out of its region.
    """
    found = pair_settings(settings, pair)
    service = service_settings(settings, to)
    regions = service.region, settings.stores[service.store].region
    for member in (found.primary, found.standby):
        if member is None or member == to:
            continue
        kept = [*residencies_of(settings, member, found.indexes), *residencies(settings, member, SERVICE_OBJECTS)]
        require_resident(kept, regions, on=f"service {to}")
    if to in {found.primary, found.standby}:
        return found
    if found.standby is None and service.store == standby_store(settings, found):
        return found
    may = found.standby or f"a service with store {standby_store(settings, found)}"
    raise SettingsError(f"{to} is not in the pair", on=f"pair {pair}", do=f"Name {found.primary} or {may}")


async def gather_failover_facts(resources: Resources, job: FailoverJob, seen: SeenRole | None = None) -> FailoverFacts:
    """Return the facts. Stores that don't answer in seconds are passed over.

    Raises RemoteError if the service that is to become active, or its store, does not answer; ConflictError if it is
    the active one already.
    """
    clients = resources.clients
    pair = require_target(clients.settings, job.pair, job.to)
    seen = seen or await pair_role(clients, job.pair)
    source = seen.role.active
    if source == job.to:
        since = f" since {seen.role.since:%Y-%m-%d %H:%M:%SZ}, by run {seen.role.run}" if seen.role.since else ""
        raise ConflictError(
            f"{job.to} is the active service{since}",
            on=f"pair {job.pair}",
            do=f"Nothing is to be done; `indexvault failback {job.pair}` makes {pair.primary} active again",
        )
    own = service_settings(clients.settings, job.to).store
    if own in seen.unread:
        raise ConflictError(
            "the store of the service that is to become active does not answer",
            on=f"store {own}",
            do="See whether its region is up",
        )
    near = service_settings(clients.settings, job.to).region
    stores = list(dict.fromkeys([own, *reading_order(clients.settings, source, near=near)]))
    unread = {*seen.unread, *await _unread(resources, [each for each in stores if each not in seen.unread])}
    answering = [each for each in stores if each not in unread]
    blobs = ReplicaBlobs([clients.store(each) for each in answering])
    now = resources.clock()
    there, aliases = await _names_on(resources, job.to)
    answers = await service_answers(resources, source)
    if answers and (job.planned or pair.mode == "hot-hot"):
        indexes = await _live_indexes(resources, source, pair, there, aliases)
        objects: tuple[Candidate, ...] = ()
    else:
        newest = await _summaries(blobs, source)
        unchanged = await _unchanged(resources, answering, source, now)
        had = await _had(blobs, newest, now)
        held = await _held(resources, job, seen.role.generation)
        names = [each for each in newest if each != SERVICE_OBJECTS and (had is None or each in had)]
        chosen = select(sorted({*names, *(had or ()), *held}), pair.indexes).found
        indexes = tuple(
            IndexFacts(
                index=name,
                snapshots=_candidates(job, newest.get(name, ()), unchanged, now),
                there=name in there,
                alias=name in aliases,
                held=held.get(name),
            )
            for name in chosen
        )
        objects = _candidates(job, newest.get(SERVICE_OBJECTS, ()), {}, now)
    return FailoverFacts(
        generation=seen.role.generation,
        source=source,
        now=now,
        answers=answers,
        unread=tuple(sorted(unread)),
        indexes=indexes,
        only_there=tuple(sorted(set(select(there, pair.indexes).found) - {each.index for each in indexes})),
        objects=objects,
        following=seen.role.following,
        drifts=await _drifts(resources, job, pair),
    )


async def service_answers(resources: Resources, service: str) -> bool:
    """Return whether a service answers within seconds."""
    try:
        await in_time(resources.clients.health_service(service).index_names(), on=f"service {service}")
    except IndexvaultError:
        return False
    return True


async def _unread(resources: Resources, stores: Sequence[str]) -> list[str]:
    """Return the stores that don't answer within seconds."""

    async def answers(store: str) -> bool:
        try:
            await in_time(resources.clients.store(store).runs.read(_PROBE, 1), on=f"store {store}")
        except NotFoundError:  # there is no such container: nothing was ever kept in it
            return True
        except RemoteError:
            return False
        return True

    found = await asyncio.gather(*map(answers, stores))
    return [store for store, is_there in zip(stores, found, strict=True) if not is_there]


async def _names_on(resources: Resources, service: str) -> tuple[list[str], set[str]]:
    """Return the names of a service's indexes, and of its aliases."""
    target = resources.clients.service(service)
    return await target.index_names(), {each.name for each in await target.aliases()}


async def _live_indexes(
    resources: Resources, source: str, pair: PairSettings, there: Sequence[str], aliases: set[str]
) -> tuple[IndexFacts, ...]:
    names = await resources.clients.service(source).index_names()
    return tuple(
        IndexFacts(index=name, there=name in there, alias=name in aliases) for name in select(names, pair.indexes).found
    )


async def _summaries(blobs: SnapshotReader, service: str) -> dict[str, list[Summary]]:
    """Return the snapshots of a service by index, the newest first."""
    found: dict[str, list[Summary]] = {}
    try:
        for summary in await list_snapshots(blobs, service):
            found.setdefault(summary.index, []).append(summary)
    except NotFoundError:
        return {}
    return found


async def _unchanged(
    resources: Resources, stores: Sequence[str], service: str, now: datetime
) -> dict[SnapshotReference, Unchanged]:
    """Return which indexes were found unchanged since their newest snapshot, as far as the stores tell."""
    found: dict[SnapshotReference, Unchanged] = {}
    for store in stores:
        for reference, record in (await read_unchanged(resources.clients.store(store).runs, service, now=now)).items():
            if reference not in found or found[reference].last < record.last:
                found[reference] = record
    return found


async def _had(blobs: SnapshotReader, newest: Mapping[str, Sequence[Summary]], now: datetime) -> set[str] | None:
    """Return the indexes that a service had: those when its objects were last backed up, and newer ones.

    None if nothing says so. An index that was deleted before is not brought back.
    """
    for summary in newest.get(SERVICE_OBJECTS, ()):
        if summary.state in {"damaged", "missing"} or not summary.is_trusted or is_in_future(summary.created, now):
            continue
        manifest = await read_service_manifest(blobs, summary.reference)
        if manifest.indexes is None:
            return None
        younger = {
            index for index, found in newest.items() if index != SERVICE_OBJECTS and found[0].created > summary.created
        }
        return {*manifest.indexes, *younger}
    return None


async def _drifts(resources: Resources, job: FailoverJob, pair: PairSettings) -> tuple[str, ...]:
    """Return what was measured last of a hot-hot pair, in words, as far as the own store has it."""
    if pair.mode != "hot-hot":
        return ()
    try:
        drifts = await read_drifts(resources.clients.store_of(job.to).runs, job.pair)
    except (IntegrityError, NotFoundError):
        return ()
    return tuple(
        f"{each.index} differed by {each.deviating} documents when it was measured last,"
        f" {each.measured:%Y-%m-%d %H:%M} UTC"
        for each in drifts
        if each.measured is not None and each.index != SERVICE_OBJECTS
    )


async def _held(resources: Resources, job: FailoverJob, generation: int) -> dict[str, Candidate]:
    """Return the snapshots that indexes of the service were proved equal to by following, and equal still.

    A standby reads snapshots where they are made, so it may be newer than any copy that is in reach.
    """
    try:
        states = await read_standby(resources.clients.store_of(job.to).runs, job.pair, job.to)
    except (IntegrityError, NotFoundError):
        return {}
    return {
        each.index: Candidate(id=each.snapshot, as_of=each.as_of, created=each.created)
        for each in states
        if each.snapshot is not None and each.as_of is not None and each.is_equal and each.gone_since is None
        if each.generation == generation and each.index != SERVICE_OBJECTS
    }


def _candidates(
    job: FailoverJob,
    newest_first: Sequence[Summary],
    unchanged: Mapping[SnapshotReference, Unchanged],
    now: datetime,
) -> tuple[Candidate, ...]:
    return tuple(
        Candidate(
            id=each.id,
            as_of=as_of(each.created, each.reference, unchanged),
            fault=_fault(job, each, now),
            created=each.created,
            presumed=each.state == "presumed",
        )
        for each in newest_first
    )


def _fault(job: FailoverJob, summary: Summary, now: datetime) -> str:
    """Return why a snapshot is not used, or nothing."""
    faults = {
        f"it is {summary.state}": summary.state in {"damaged", "missing"},
        "no record key has signed it: --accept-unauthentic takes it": not (
            summary.is_trusted or job.accept_unauthentic
        ),
        "it is dated in the future": is_in_future(summary.created, now),
        "it was imported, and is no reading of the index": summary.is_imported,
        "it is unsettled: --accept-unsettled takes it": summary.state == "unsettled" and not job.accept_unsettled,
        # What the service's other objects lack is given by the overlay, or told object by object.
        "it lacks what could not be read: --accept-loss takes it": bool(summary.losses)
        and not job.accept_loss
        and summary.index != SERVICE_OBJECTS,
    }
    return next((fault for fault, holds in faults.items() if holds), "")
