"""Back up the objects that belong to a service rather than to one of its indexes."""

import contextlib
from collections.abc import Sequence

import msgspec
from durabletask.task import OrchestrationContext

from indexvault.backup.definitions import definition_without_secrets, withheld_from
from indexvault.errors import UNDECODABLE, NotFoundError, RefusedError
from indexvault.maintenance.retention import MaintenanceJob, maintain
from indexvault.model import IndexName
from indexvault.search.client import SearchService
from indexvault.search.definitions import NamedDefinition
from indexvault.search.secret_scan import is_for_secrets
from indexvault.search.statistics import ServiceCounters
from indexvault.search.transport import PREVIEW, STABLE
from indexvault.snapshots.known import note_snapshot
from indexvault.snapshots.labels import Labels
from indexvault.snapshots.manifest import Definition, VersionedDefinition, Withheld
from indexvault.snapshots.names import SERVICE_OBJECTS, snapshot_id
from indexvault.snapshots.service_manifest import (
    NotKept,
    ServiceManifest,
    ServiceObject,
    SkippedKind,
    commit_service,
)
from indexvault.version import VERSION
from indexvault.workflow.activity import Activity, Orchestration, Resources, Work, Workflow
from indexvault.workflow.calls import call
from indexvault.workflow.checkpoints import Checkpoints
from indexvault.workflow.lock_activities import Claim, locked
from indexvault.workflow.patience import growing_pauses

KINDS = ("synonymmaps", "aliases", "datasources", "skillsets", "indexers", "knowledgesources", "knowledgebases")
"""The names of the collections in the service's paths. Source: REST reference, 2026-09."""
COUNTED_SECONDS = 120
"""How long to read lists again that the service's counters exceed: counters lag by seconds to minutes."""
_INDEXES = "indexes"
_RECORD = "service-objects"


class ServiceJob(msgspec.Struct, frozen=True, kw_only=True):
    """A service whose objects to back up. For `run`, `owner`, `policy` and `labels` see `BackupJob`."""

    service: str
    run: str
    owner: str = "the command line"
    policy: str | None = None
    labels: Labels = Labels()

    @property
    def work(self) -> Work:
        """What the activities of this job work for."""
        return Work(run=self.run, service=self.service, index=IndexName(self.service, SERVICE_OBJECTS))


class ServiceReport(msgspec.Struct, frozen=True, kw_only=True):
    """A finished snapshot of a service's objects.

    `withheld` are members that look like secrets, whose values are not in the snapshot; `skipped` are kinds that the
    service does not know in an api-version; `not_kept` says what else the service has and the snapshot has not. The
    state is `lossy` if a value was withheld from a member not meant for secrets, so may have been content, or if the
    service counts more objects than it lists.
    """

    service: str
    snapshot: str
    state: str
    objects: dict[str, int]
    withheld: list[str]
    skipped: list[str]
    not_kept: list[str] = []
    notes: list[str] = []


async def back_up_objects(resources: Resources, job: ServiceJob) -> ServiceReport:
    """Read every object in both api-versions and write the snapshot."""
    store = resources.clients.store_of(job.service)
    await store.prepare()
    checkpoints = Checkpoints(store.runs, job.run)
    manifest = await checkpoints.read(_RECORD, ServiceManifest)
    if manifest is None:
        manifest = await checkpoints.write_once(_RECORD, await _read(resources, job))
    await note_snapshot(store.runs, await commit_service(store.snapshots, manifest))
    await checkpoints.clear()
    return _report(manifest)


async def _read(resources: Resources, job: ServiceJob) -> ServiceManifest:
    service = resources.clients.service(job.service)
    withheld: list[Withheld] = []
    listed = await _lists(resources, service)
    objects = [
        ServiceObject(kind, each.name, definition_without_secrets(each.definition))
        for kind in KINDS
        for each in listed[kind].objects
    ]
    for each in objects:
        withheld.extend(withheld_from(each.kind, each.name, each.definition))
    not_kept = [each.missing for each in listed.values() if each.missing is not None]
    is_lossy = bool(not_kept) or any(not is_for_secrets(each.path) for each in withheld)
    now = resources.clock()
    return ServiceManifest(
        id=snapshot_id(now, resources.rng.randbytes(3)),
        service=job.service,
        state="lossy" if is_lossy else "complete",
        created=now,
        tool=f"indexvault {VERSION}",
        run=job.run,
        objects=tuple(objects),
        withheld=tuple(withheld),
        skipped=tuple(skipped for kind in KINDS for skipped in listed[kind].skipped),
        not_kept=(*not_kept, *_files(objects)),
        indexes=tuple(sorted(listed[_INDEXES].names)),
        description=job.labels.description,
        tags=job.labels.tags,
        expires=job.labels.expiry(now),
    )


class _Listed(msgspec.Struct, frozen=True):
    """The objects of a kind, the api-versions that don't know it, and what the service counts beyond the list."""

    number: int
    objects: list[ServiceObject] = []
    skipped: list[SkippedKind] = []
    missing: NotKept | None = None
    names: tuple[str, ...] = ()


async def _lists(resources: Resources, service: SearchService) -> dict[str, _Listed]:
    """Return the objects of every kind, held against the service's counters, and so the list of indexes.

    A counter lags, and objects are made and deleted meanwhile. So a kind of which more are counted than listed is read
    and counted again until both agree, or COUNTED_SECONDS have passed; then the difference is in `missing`. More listed
    than counted is no loss.
    """
    found: dict[str, _Listed] = {}
    pauses = growing_pauses(COUNTED_SECONDS)
    pending = [*KINDS, _INDEXES]
    while pending:
        for kind in pending:
            found[kind] = await (_index_list(service) if kind == _INDEXES else _objects(service, kind))
        counters = await _counters(service)
        short = {kind: _missing(kind, found[kind], counters) for kind in pending}
        pending = [kind for kind in pending if short[kind] is not None]
        pause = next(pauses, None) if pending else None
        if pause is None:
            return found | {kind: msgspec.structs.replace(found[kind], missing=short[kind]) for kind in pending}
        await resources.sleep(pause)
    return found


async def _counters(service: SearchService) -> ServiceCounters:
    """Return the counters of the preview api-version, which has more, or else the stable ones."""
    try:
        return (await service.service_statistics(preview=True)).counters
    except RefusedError:
        return (await service.service_statistics()).counters


def _missing(kind: str, listed: _Listed, counters: ServiceCounters) -> NotKept | None:
    counter = counters.of_kind(kind)
    if counter is None or counter.usage <= listed.number:
        return None
    return NotKept(kind, None, f"the service counts {counter.usage:,} and lists {listed.number:,}")


def _files(objects: Sequence[ServiceObject]) -> list[NotKept]:
    """Return the knowledge sources that hold files, which no definition has.

    Source: Create a file knowledge source, 2026-06.
    """
    return [
        NotKept(each.kind, each.name, "the files that were uploaded to it are in no definition; keep them yourself")
        for each in objects
        if each.kind == "knowledgesources" and _kind_of_source(each.definition) == "file"
    ]


def _kind_of_source(definition: Definition) -> str:
    class Source(msgspec.Struct):
        kind: str = ""

    try:
        return msgspec.json.decode(definition.fullest.body, type=Source).kind.lower()
    except UNDECODABLE:
        return ""


async def _objects(service: SearchService, kind: str) -> _Listed:
    """Return the objects of a kind by name, each in the stable and the preview api-version."""
    skipped: list[SkippedKind] = []
    stable = await _listed(service, kind, skipped, preview=False)
    preview = await _listed(service, kind, skipped, preview=True)
    if preview is not None:
        for name in (stable or {}).keys() - preview.keys():
            await _add(service, kind, name, preview)
    found = []
    for name in sorted((stable or {}).keys() | (preview or {}).keys()):
        named = [each for each in ((stable or {}).get(name), (preview or {}).get(name)) if each is not None]
        versions = {each.api_version: each for each in named}
        bodies = [VersionedDefinition(api_version=each.api_version, body=each.body) for each in versions.values()]
        definition = Definition(stable=bodies[0], preview=bodies[1] if len(bodies) > 1 else None)
        found.append(ServiceObject(kind, name, definition))
    return _Listed(len(found), found, skipped)


async def _index_list(service: SearchService) -> _Listed:
    """Return how many indexes are listed, and their names: they are backed up on their own, chosen from this list."""
    names = await service.index_names()
    return _Listed(len(names), names=tuple(names))


async def _add(service: SearchService, kind: str, name: str, preview: dict[str, NamedDefinition]) -> None:
    """Add the preview form of an object that the preview's list lacks: pages miss objects while a list changes."""
    with contextlib.suppress(RefusedError, NotFoundError):
        fetched = await service.definition(kind, name, preview=True)
        preview[name] = NamedDefinition(name=name, api_version=fetched.api_version, body=fetched.body)


async def _listed(
    service: SearchService, kind: str, skipped: list[SkippedKind], *, preview: bool
) -> dict[str, NamedDefinition] | None:
    """Return the list of a kind in an api-version by name, or None if that version does not know the kind."""
    try:
        return {each.name: each for each in await service.definitions(kind, preview=preview)}
    except (RefusedError, NotFoundError) as error:
        skipped.append(SkippedKind(kind, PREVIEW if preview else STABLE, error.what))
        return None


def _report(manifest: ServiceManifest) -> ServiceReport:
    return ServiceReport(
        service=manifest.service,
        snapshot=manifest.id,
        state=manifest.state,
        objects={kind: sum(each.kind == kind for each in manifest.objects) for kind in KINDS},
        withheld=[f"{each.kind} {each.name}: {each.path} looks like a secret" for each in manifest.withheld],
        skipped=[f"{each.kind} (api-version {each.api_version}): {each.reason}" for each in manifest.skipped],
        not_kept=[
            f"{each.kind} {each.name}: {each.reason}" if each.name else f"{each.kind}: {each.reason}"
            for each in manifest.not_kept
        ],
    )


OBJECTS = Activity("back_up_objects", ServiceJob, ServiceReport, back_up_objects, lambda job: job.work)


def back_up_service(ctx: OrchestrationContext, job: ServiceJob) -> Orchestration[ServiceReport]:
    """Make a snapshot of a service's objects. With a policy, replicate and prune their snapshots afterwards."""
    report = yield from locked(ctx, Claim(job.work, job.owner), call(ctx, OBJECTS, job))
    if job.policy is None:
        return report
    maintained = yield from maintain(ctx, MaintenanceJob(service=job.service, index=SERVICE_OBJECTS))
    return msgspec.structs.replace(report, notes=maintained.notes)


BACK_UP_SERVICE = Workflow("back_up_service", ServiceJob, ServiceReport, back_up_service)
