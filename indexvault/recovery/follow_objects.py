"""Keep the other objects of a standby equal to those of the active service: synonym maps, data sources and so on.

Only kinds whose mode is hot-warm are written. Indexers are disabled on a standby, whatever they are on the active
service. Secrets come from the pair's overlay. Nothing is deleted.
"""

import contextlib

import msgspec
from durabletask.task import OrchestrationContext
from msgspec.structs import replace

from indexvault.errors import IndexvaultError, NotFoundError, RefusedError
from indexvault.recovery.follow_job import FailedObjects, FollowedObject, FollowObjectsJob, FollowObjectsReport, When
from indexvault.recovery.pair_fence import require_standby
from indexvault.recovery.standby_records import StandbyState, read_state, write_state
from indexvault.restore.definition import TargetDefinition
from indexvault.restore.service.activities import complete_object, says_the_same
from indexvault.restore.service.job import ObjectOutcome, PlannedObject, ServiceRestoreJob
from indexvault.restore.service.names import ORDER
from indexvault.search.client import SearchService
from indexvault.search.definition_content import content
from indexvault.search.definitions import FetchedDefinition
from indexvault.settings.load import service_settings
from indexvault.settings.model import PairSettings
from indexvault.settings.pairs import pair_settings
from indexvault.snapshots.names import SERVICE_OBJECTS, SnapshotReference
from indexvault.snapshots.service_manifest import ServiceManifest, ServiceObject, read_service_manifest
from indexvault.workflow.activity import Activity, Orchestration, Resources, Workflow
from indexvault.workflow.calls import call
from indexvault.workflow.lock_activities import ACTIVITIES as LOCK_ACTIVITIES
from indexvault.workflow.lock_activities import Claim, locked
from indexvault.workflow.payload_size import SHOW, listed, shortened

KINDS: dict[When, tuple[str, ...]] = {
    "before": ("synonymmaps",),
    "after": tuple(kind for kind in ORDER if kind not in {"synonymmaps", "indexes"}),
}
"""The kinds before and after the indexes, none before what it refers to."""
_MOST_TOLD = 10
"""Objects that an error names."""


def followed_kinds(pair: PairSettings, when: When) -> list[str]:
    """Return the kinds, before or after the indexes, that are kept equal on the standby."""
    return [kind for kind in KINDS[when] if pair.mode_of(kind) == "hot-warm"]


async def follow_objects(resources: Resources, job: FollowObjectsJob) -> FollowObjectsReport:
    """Make the standby's objects before or after its indexes as those in a snapshot, and note what became of them.

    Raises ConflictError if the service is not the pair's standby by what its own store says, RemoteError if that can't
    be read.
    """
    await require_standby(resources, job.pair, job.service, job.generation)
    pair = pair_settings(resources.clients.settings, job.pair)
    runs = resources.clients.store_of(job.service).runs
    version = await read_state(runs, job.pair, job.target)
    state = None if version is None or version.record.generation != job.generation else version.record
    begun = _begun(resources, job, state)
    await resources.fence()
    await write_state(runs, begun)
    manifest = await _manifest(resources, job)
    target = resources.clients.service(job.service)
    done: list[FollowedObject] = []
    only_there: list[str] = []
    for kind in followed_kinds(pair, job.when):
        wanted = sorted((each for each in manifest.objects if each.kind == kind), key=lambda each: each.name)
        done += [await _followed(resources, job, target, source) for source in wanted]
        only_there += [
            f"{kind} {name}" for name in await _names(target, kind) if name not in {each.name for each in wanted}
        ]
    report = FollowObjectsReport(
        pair=job.pair,
        source=job.source,
        service=job.service,
        snapshot=job.snapshot,
        objects=done,
        only_there=sorted(only_there),
    )
    await resources.fence()
    await write_state(runs, _ended(resources, job, begun, report))
    return report


def _begun(resources: Resources, job: FollowObjectsJob, state: StandbyState | None) -> StandbyState:
    now = resources.clock()
    if state is not None:
        return replace(state, run=job.run, tried_at=now, towards=job.snapshot)
    return StandbyState(
        pair=job.pair,
        index=SERVICE_OBJECTS,
        source=job.source,
        service=job.service,
        generation=job.generation,
        run=job.run,
        tried_at=now,
        towards=job.snapshot,
    )


def _ended(
    resources: Resources, job: FollowObjectsJob, begun: StandbyState, report: FollowObjectsReport
) -> StandbyState:
    """Return what is known of the objects now. They equal a snapshot only once those after the indexes do, too."""
    notes = [f"only on {job.service}: {each}" for each in report.only_there]
    faults = report.faults
    if job.when == "after":
        # What was noted before the indexes is of this run: that always comes first.
        notes = [*begun.notes, *notes]
        faults = [*([begun.failure.what] if begun.failure is not None else []), *faults]
    noted = replace(begun, failure=None, notes=listed(notes, SHOW))
    if faults:
        return _failed(resources, noted, faults)
    if job.when == "before":
        return noted
    return replace(
        noted,
        source=job.source,
        snapshot=job.snapshot,
        created=job.created,
        equal_at=resources.clock(),
        towards=None,
        failed_since=None,
        documents=len(report.objects),
    )


def _failed(resources: Resources, state: StandbyState, faults: list[str]) -> StandbyState:
    rest = len(faults) - _MOST_TOLD
    named = "; ".join(faults[:_MOST_TOLD]) + (f"; and {rest} more" if rest > 0 else "")
    failure = IndexvaultError(
        shortened(named),
        on=f"objects of {state.service}",
        do="Mend that, such as in the pair's overlay; a later run tries again",
    ).record()
    return replace(state, failure=failure, failed_since=state.failed_since or resources.clock())


async def _followed(
    resources: Resources, job: FollowObjectsJob, target: SearchService, source: ServiceObject
) -> FollowedObject:
    """Make one object as it is in the snapshot, and return what became of it."""
    try:
        return await _follow_one(resources, job, target, source)
    except IndexvaultError as error:
        if error.may_pass:
            raise
        return FollowedObject(source.kind, source.name, "failed", f"{error.what}. {error.do}")


async def _follow_one(
    resources: Resources, job: FollowObjectsJob, target: SearchService, source: ServiceObject
) -> FollowedObject:
    planned = PlannedObject(source.kind, source.name, source.name)
    wanted = await complete_object(resources, _as_restore(job), planned, source, frozenset())
    if isinstance(wanted, ObjectOutcome):
        return FollowedObject(source.kind, source.name, "left out", wanted.why)
    try:
        present = await target.definition(source.kind, source.name, preview=wanted.preview)
    except NotFoundError:
        await resources.fence()
        await target.create_definition(source.kind, source.name, bytes(wanted.body), preview=wanted.preview)
        return FollowedObject(source.kind, source.name, "made")
    if _is_as_wanted(source, wanted, present) and not _has_secrets(resources, job, source):
        return FollowedObject(source.kind, source.name, "there")
    await resources.fence()
    await target.update_definition(source.kind, source.name, bytes(wanted.body), before=present, preview=wanted.preview)
    return FollowedObject(source.kind, source.name, "changed")


def _is_as_wanted(source: ServiceObject, wanted: TargetDefinition, present: FetchedDefinition) -> bool:
    there = msgspec.json.decode(present.body, type=dict[str, object])
    if source.kind == "indexers" and there.get("disabled") is not True:
        return False
    return says_the_same(msgspec.json.decode(wanted.body), content(present.body))


def _has_secrets(resources: Resources, job: FollowObjectsJob, source: ServiceObject) -> bool:
    """Return whether the overlay completes an object: no service shows whether it has the secret that is there now."""
    entry = f"{source.kind}/{source.name}"
    return job.overlay is not None and resources.clients.overlay(job.overlay, entry) is not None


async def _names(target: SearchService, kind: str) -> list[str]:
    """Return the names of all objects of a kind; none where the service does not know the kind."""
    for preview in (False, True):
        try:
            return [each.name for each in await target.definitions(kind, preview=preview)]
        except (RefusedError, NotFoundError):
            continue
    return []


def _as_restore(job: FollowObjectsJob) -> ServiceRestoreJob:
    return ServiceRestoreJob(
        service=job.source,
        snapshot=job.snapshot,
        target_service=job.service,
        run=job.run,
        overlay=job.overlay,
        owner=job.owner,
    )


async def _manifest(resources: Resources, job: FollowObjectsJob) -> ServiceManifest:
    near = service_settings(resources.clients.settings, job.service).region
    blobs = resources.clients.reading_store(job.source, near=near).snapshots
    return await read_service_manifest(
        blobs, SnapshotReference(service=job.source, index=SERVICE_OBJECTS, id=job.snapshot)
    )


def follow_objects_of(ctx: OrchestrationContext, job: FollowObjectsJob) -> Orchestration[FollowObjectsReport]:
    """Make a standby's objects before or after its indexes equal to those in a snapshot, under their lock."""
    return (yield from locked(ctx, Claim(job.work, job.owner), _follow(ctx, job)))


def _follow(ctx: OrchestrationContext, job: FollowObjectsJob) -> Orchestration[FollowObjectsReport]:
    try:
        return (yield from call(ctx, FOLLOW_THEM, job))
    except IndexvaultError as error:
        # Where the lock is lost, or the service is active by now, there is nothing to note.
        with contextlib.suppress(IndexvaultError):
            yield from call(ctx, NOTE_FAILED, FailedObjects(job, error.record()))
        raise


async def note_failed(resources: Resources, ended: FailedObjects) -> FailedObjects:
    """Note why the objects were not made equal. Nothing is noted of a service that is not the pair's standby."""
    job = ended.job
    await require_standby(resources, job.pair, job.service, job.generation)
    runs = resources.clients.store_of(job.service).runs
    version = await read_state(runs, job.pair, job.target)
    state = None if version is None or version.record.generation != job.generation else version.record
    begun = _begun(resources, job, state)
    failed = replace(begun, failure=ended.failure, failed_since=begun.failed_since or begun.tried_at)
    await resources.fence()
    await write_state(runs, failed)
    return ended


FOLLOW_THEM = Activity(
    "follow_service_objects", FollowObjectsJob, FollowObjectsReport, follow_objects, lambda job: job.work
)
NOTE_FAILED = Activity("note_failed_objects", FailedObjects, FailedObjects, note_failed, lambda ended: ended.job.work)
FOLLOW_OBJECTS = Workflow("follow_objects", FollowObjectsJob, FollowObjectsReport, follow_objects_of)
OWN_ACTIVITIES = (FOLLOW_THEM, NOTE_FAILED)
ACTIVITIES = (*LOCK_ACTIVITIES, *OWN_ACTIVITIES)
