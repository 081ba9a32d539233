"""Back up the objects that belong to a service rather than to one of its indexes."""

import msgspec
from durabletask.task import OrchestrationContext

from indexvault.backup.definitions import definition_without_secrets, withheld_from
from indexvault.errors import NotFoundError, RefusedError
from indexvault.maintenance.retention import MaintenanceJob, maintain
from indexvault.model import IndexName
from indexvault.search.client import SearchService
from indexvault.search.definitions import NamedDefinition
from indexvault.search.secret_scan import is_for_secrets
from indexvault.search.transport import PREVIEW, STABLE
from indexvault.snapshots.known import note_snapshot
from indexvault.snapshots.manifest import Definition, VersionedDefinition, Withheld
from indexvault.snapshots.names import SERVICE_OBJECTS, snapshot_id
from indexvault.snapshots.service_manifest import ServiceManifest, ServiceObject, SkippedKind, commit_service
from indexvault.version import VERSION
from indexvault.workflow.activity import Activity, Orchestration, Resources, Work, Workflow
from indexvault.workflow.calls import call
from indexvault.workflow.checkpoints import Checkpoints
from indexvault.workflow.lock_activities import Claim, locked

KINDS = ("synonymmaps", "aliases", "datasources", "skillsets", "indexers", "knowledgesources", "knowledgebases")
"""The names of the collections in the service's paths. Source: REST reference, 2026-09."""
_RECORD = "service-objects"


class ServiceJob(msgspec.Struct, frozen=True, kw_only=True):
    """A service whose objects to back up. For `run`, `owner` and `policy` see `BackupJob`."""

    service: str
    run: str
    owner: str = "the command line"
    policy: str | None = None

    @property
    def work(self) -> Work:
        """What the activities of this job work for."""
        return Work(run=self.run, service=self.service, index=IndexName(self.service, SERVICE_OBJECTS))


class ServiceReport(msgspec.Struct, frozen=True, kw_only=True):
    """A finished snapshot of a service's objects.

    `withheld` are members that look like secrets, whose values are not in the snapshot; `skipped` are kinds that the
    service does not know in an api-version. The state is `lossy` if a value was withheld from a member not meant for
    secrets, so may have been content.
    """

    service: str
    snapshot: str
    state: str
    objects: dict[str, int]
    withheld: list[str]
    skipped: list[str]
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
    objects: list[ServiceObject] = []
    withheld: list[Withheld] = []
    skipped: list[SkippedKind] = []
    for kind in KINDS:
        for each in await _objects(service, kind, skipped):
            definition = definition_without_secrets(each.definition)
            objects.append(ServiceObject(kind, each.name, definition))
            withheld.extend(withheld_from(kind, each.name, definition))
    now = resources.clock()
    return ServiceManifest(
        id=snapshot_id(now, resources.rng.randbytes(3)),
        service=job.service,
        state="lossy" if any(not is_for_secrets(each.path) for each in withheld) else "complete",
        created=now,
        tool=f"indexvault {VERSION}",
        run=job.run,
        objects=tuple(objects),
        withheld=tuple(withheld),
        skipped=tuple(skipped),
    )


async def _objects(service: SearchService, kind: str, skipped: list[SkippedKind]) -> list[ServiceObject]:
    """Return the objects of a kind by name, each in the stable and the preview api-version."""
    stable = await _listed(service, kind, skipped, preview=False)
    preview = await _listed(service, kind, skipped, preview=True)
    found = []
    for name in sorted(stable.keys() | preview.keys()):
        versions = [each for each in (stable.get(name), preview.get(name)) if each is not None]
        bodies = [VersionedDefinition(api_version=each.api_version, body=each.body) for each in versions]
        definition = Definition(stable=bodies[0], preview=bodies[1] if len(bodies) > 1 else None)
        found.append(ServiceObject(kind, name, definition))
    return found


async def _listed(
    service: SearchService, kind: str, skipped: list[SkippedKind], *, preview: bool
) -> dict[str, NamedDefinition]:
    try:
        return {each.name: each for each in await service.definitions(kind, preview=preview)}
    except (RefusedError, NotFoundError) as error:
        skipped.append(SkippedKind(kind, PREVIEW if preview else STABLE, error.what))
        return {}


def _report(manifest: ServiceManifest) -> ServiceReport:
    return ServiceReport(
        service=manifest.service,
        snapshot=manifest.id,
        state=manifest.state,
        objects={kind: sum(each.kind == kind for each in manifest.objects) for kind in KINDS},
        withheld=[f"{each.kind} {each.name}: {each.path} looks like a secret" for each in manifest.withheld],
        skipped=[f"{each.kind} (api-version {each.api_version}): {each.reason}" for each in manifest.skipped],
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
