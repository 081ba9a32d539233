"""Make one index of a standby equal to the newest snapshot of the active service, proved, under its lock.

The index is created if it is not there. One that was proved before follows: only what differs between two snapshots is
written. Where the pair's generation or the definition is another one, every document is compared: after a swap of roles
others have written to the index.
"""

import contextlib

from durabletask.task import OrchestrationContext
from msgspec.structs import replace

from indexvault.errors import ConflictError, ErrorRecord, IndexvaultError, from_record
from indexvault.model import IndexName
from indexvault.recovery.follow_job import (
    ClosedFollow,
    FailedFollow,
    FollowJob,
    FollowReport,
    FollowStart,
    OpenedFollow,
)
from indexvault.recovery.pair_fence import require_standby
from indexvault.recovery.standby_records import StandbyState, read_state, write_state
from indexvault.restore.definition import version_to_send
from indexvault.restore.follow import NOTE_PROVED, FollowInput, ProvedInput
from indexvault.restore.followed import forget_followed, read_followed
from indexvault.restore.job import RestoreJob
from indexvault.restore.not_compared import NotCompared
from indexvault.restore.report import RestoreReport
from indexvault.restore.state import RestoreState, read_restore_state
from indexvault.restore.target_facts import resolve_name
from indexvault.restore.workflow import ACTIVITIES as RESTORE_ACTIVITIES
from indexvault.restore.workflow import restore_index
from indexvault.search.definition_content import content, content_digest
from indexvault.settings.load import service_settings
from indexvault.snapshots.catalogue import read_manifest
from indexvault.snapshots.manifest import Manifest
from indexvault.snapshots.names import SERVICE_OBJECTS, SnapshotReference
from indexvault.workflow.activity import Activity, Orchestration, Resources, Workflow
from indexvault.workflow.calls import call
from indexvault.workflow.lock_activities import Claim
from indexvault.workflow.lock_holder import read_holder
from indexvault.workflow.payload_size import SHOW, listed
from indexvault.workflow.resume import Interrupted, Start, resumable

_FAILOVERS = ("indexvault failover", "indexvault failback", "POST /failovers")
"""What the owner of a failover begins with."""
_BY_HAND = (
    "If the standby's index may go, delete it there: the next run creates it again. To keep it answering meanwhile,"
    " restore beside it: indexvault restore --mode replace"
)


async def find_follow(resources: Resources, job: FollowJob) -> FollowStart:
    """Return the run that worked on the index before and did not end: its locks are taken over if it is dead.

    Raises ConflictError while a failover to the service is at work: it takes the locks one after the other, and would
    meet that of the next index.
    """
    store = resources.clients.store_of(job.target.service)
    await store.prepare()
    holder = await read_holder(store.runs, IndexName(job.target.service, SERVICE_OBJECTS))
    if holder is not None and holder.owner.startswith(_FAILOVERS) and holder.counts(resources.clock()):
        raise ConflictError(
            "a failover to the service is at work", on=str(job.target), do=f"Nothing: run {holder.run} brings it over"
        )
    found = await read_state(store.runs, job.pair, job.target)
    is_open = found is not None and found.record.towards is not None and found.record.run != job.run
    return FollowStart(found.record.run if found is not None and is_open else None)


async def open_follow(resources: Resources, job: FollowJob) -> OpenedFollow:
    """Decide how the index is made equal to the snapshot, and note that it is about to be written.

    Raises ConflictError if the service is not the pair's standby by what its own store says, or an alias has the
    index's name; RemoteError if its store can't be read.
    """
    await require_standby(resources, job.pair, job.target.service, job.generation)
    runs = resources.clients.store_of(job.target.service).runs
    version = await read_state(runs, job.pair, job.target)
    state = None if version is None or version.record.generation != job.generation else version.record
    if state is None:
        # In another generation, applications may have written to it: what it equalled then says nothing.
        await forget_followed(runs, job.target)
    manifest = await _manifest(resources, job)
    target = resources.clients.service(job.target.service)
    resolved = await resolve_name(target, job.target.index)
    if resolved.kind == "alias":
        raise ConflictError(
            f"an alias has this name on the standby, and on {job.source} an index has",
            on=str(job.target),
            do="Rename the alias on the standby",
        )
    restoring = await read_restore_state(runs, job.target)
    opened = (
        _creation(job, restoring) if resolved.index is None else await _sync(resources, job, state, manifest, restoring)
    )
    await resources.fence()
    await write_state(runs, replace(_tried(resources, job, state), towards=job.snapshot))
    return opened


def _tried(resources: Resources, job: FollowJob, state: StandbyState | None) -> StandbyState:
    """Return what is known of an index, as this run goes to work on it."""
    now = resources.clock()
    if state is not None:
        return replace(state, run=job.run, tried_at=now)
    return StandbyState(
        pair=job.pair,
        index=job.target.index,
        source=job.source,
        service=job.target.service,
        generation=job.generation,
        run=job.run,
        tried_at=now,
    )


def _creation(job: FollowJob, restoring: RestoreState | None) -> OpenedFollow:
    wanted = _restore(job, mode="create")
    is_other = restoring is not None and restoring.fingerprint != wanted.fingerprint
    return OpenedFollow(replace(wanted, discard_unfinished=is_other), notes_proof=True)


async def _sync(
    resources: Resources, job: FollowJob, state: StandbyState | None, manifest: Manifest, restoring: RestoreState | None
) -> OpenedFollow:
    """Return the sync of an index that is there; an interrupted creation of the same snapshot goes on as it began."""
    created = _restore(job, mode="create")
    if restoring is not None and restoring.touched and restoring.fingerprint == created.fingerprint:
        return OpenedFollow(created, notes_proof=True)
    runs = resources.clients.store_of(job.target.service).runs
    followed = await read_followed(runs, job.target)
    present = await resources.clients.service(job.target.service).index_definition(job.target.index)
    is_as_known = (
        state is not None
        and state.definition == definition_digest(manifest)
        and followed is not None
        and (followed.record.service, followed.record.index) == (job.source, job.target.index)
        and followed.record.definition == content_digest(present.body)
    )
    wanted = _restore(job, mode="sync")
    wanted = replace(wanted, follow=True) if is_as_known else replace(wanted, update_definition=True)
    is_other = restoring is not None and restoring.fingerprint != wanted.fingerprint
    return OpenedFollow(replace(wanted, discard_unfinished=is_other), notes_proof=not is_as_known)


def _restore(job: FollowJob, *, mode: str) -> RestoreJob:
    return RestoreJob(
        service=job.source,
        index=job.target.index,
        snapshot=job.snapshot,
        target_service=job.target.service,
        target_index=job.target.index,
        run=f"{job.run}-restore",
        mode="create" if mode == "create" else "sync",
        overlay=job.overlay,
        allow_cross_region=job.allow_cross_region,
        # A standby that has never been active has no values that a lossy snapshot could take from it.
        accept_loss=job.generation == 0,
        owner=job.owner,
        locked_by=job.run,
    )


def definition_digest(manifest: Manifest) -> str:
    """Return a digest of the definition in a snapshot, as the standby gets it."""
    return content_digest(version_to_send(manifest.definition).body)


async def close_follow(resources: Resources, ended: ClosedFollow) -> FollowReport:
    """Note that the index equals the snapshot, and return the report.

    Raises ConflictError if another run has written to it since.
    """
    job, report = ended.job, ended.report
    runs = resources.clients.store_of(job.target.service).runs
    version = await read_state(runs, job.pair, job.target)
    if version is None or version.record.run != job.run:
        raise ConflictError("another run has taken its place", on=str(job.target), do="Look at that run")
    manifest = await _manifest(resources, job)
    now = resources.clock()
    equal = replace(
        version.record,
        source=job.source,
        snapshot=job.snapshot,
        created=job.created,
        unchanged=job.unchanged,
        equal_at=now,
        tried_at=now,
        towards=None,
        failure=None,
        failed_since=None,
        definition=definition_digest(manifest),
        documents=report.documents,
        losses=listed(report.losses, SHOW),
        notes=listed(report.notes, SHOW),
        gone_since=None,
    )
    await resources.fence()
    await write_state(runs, equal)
    return FollowReport(
        pair=job.pair,
        source=job.source,
        target=job.target,
        snapshot=job.snapshot,
        snapshot_created=job.created,
        documents=report.documents,
        written=report.uploaded,
        deleted=report.deleted,
        created=report.mode == "create",
        compared=report.followed is None,
        losses=report.losses,
        notes=report.notes,
        finished=now,
    )


async def note_failed(resources: Resources, ended: FailedFollow) -> FailedFollow:
    """Note why the index was not made equal to the snapshot, and return that with what to do about it.

    Nothing is noted of a service that is not the pair's standby any more.
    """
    job = ended.job
    await require_standby(resources, job.pair, job.target.service, job.generation)
    runs = resources.clients.store_of(job.target.service).runs
    failure = await _advised(resources, job, ended.failure)
    version = await read_state(runs, job.pair, job.target)
    state = None if version is None or version.record.generation != job.generation else version.record
    tried = _tried(resources, job, state)
    await resources.fence()
    await write_state(runs, replace(tried, failure=failure, failed_since=tried.failed_since or tried.tried_at))
    return replace(ended, failure=failure)


async def _advised(resources: Resources, job: FollowJob, failure: ErrorRecord) -> ErrorRecord:
    """Return a failure with what to do, if it comes of fields that no live index can be given."""
    if failure.kind not in {"ConflictError", "RefusedError"}:
        return failure
    try:
        wanted = version_to_send((await _manifest(resources, job)).definition).body
        present = (await resources.clients.service(job.target.service).index_definition(job.target.index)).body
    except IndexvaultError:
        return failure
    if content(wanted).get("fields") == content(present).get("fields"):
        return failure
    return replace(failure, do=_BY_HAND)


async def _manifest(resources: Resources, job: FollowJob) -> Manifest:
    near = service_settings(resources.clients.settings, job.target.service).region
    blobs = resources.clients.reading_store(job.source, near=near).snapshots
    return await read_manifest(blobs, SnapshotReference(service=job.source, index=job.target.index, id=job.snapshot))


def follow_index(ctx: OrchestrationContext, job: FollowJob) -> Orchestration[FollowReport]:
    """Make one index of a standby equal to a snapshot, proved, and note what it equals.

    Goes on with what an interrupted run has begun. Raises what failed; that is noted too.
    """
    claim = Claim(job.work, job.owner)
    return (yield from resumable(ctx, claim, _start(ctx, job, claim)))


def _start(ctx: OrchestrationContext, job: FollowJob, claim: Claim) -> Orchestration[Start[FollowReport]]:
    found = yield from call(ctx, FIND_FOLLOW, job)
    return Start(claim, Interrupted(found.before), _follow(ctx, job))


def _follow(ctx: OrchestrationContext, job: FollowJob) -> Orchestration[FollowReport]:
    try:
        opened = yield from call(ctx, OPEN_FOLLOW, job)
        report = yield from restore_index(ctx, opened.restore)
        if opened.notes_proof:
            report = yield from _proved(ctx, opened.restore, report)
        return (yield from call(ctx, CLOSE_FOLLOW, ClosedFollow(job, report)))
    except IndexvaultError as error:
        failure = error.record()
        # Where the lock is lost, or the service is active by now, there is nothing to note.
        with contextlib.suppress(IndexvaultError):
            failure = (yield from call(ctx, NOTE_FAILED, FailedFollow(job, failure))).failure
        raise from_record(failure) from None


def _proved(ctx: OrchestrationContext, job: RestoreJob, report: RestoreReport) -> Orchestration[RestoreReport]:
    """Note that every document was compared, so that the next snapshot can be followed."""
    whole = not report.refused and report.not_compared == NotCompared()
    given = FollowInput(replace(job, mode="sync", update_definition=False), job.target_index)
    noted = yield from call(ctx, NOTE_PROVED, ProvedInput(given, whole))
    why = [f"the next snapshot can't be followed, and is compared in full: {noted.why}"] if noted.why else []
    return replace(report, notes=[*report.notes, *why])


FIND_FOLLOW = Activity("find_follow", FollowJob, FollowStart, find_follow)
OPEN_FOLLOW = Activity("open_follow", FollowJob, OpenedFollow, open_follow, lambda job: job.work)
CLOSE_FOLLOW = Activity("close_follow", ClosedFollow, FollowReport, close_follow, lambda ended: ended.job.work)
NOTE_FAILED = Activity("note_failed_follow", FailedFollow, FailedFollow, note_failed, lambda ended: ended.job.work)
FOLLOW_INDEX = Workflow("follow_index", FollowJob, FollowReport, follow_index)
OWN_ACTIVITIES = (FIND_FOLLOW, OPEN_FOLLOW, CLOSE_FOLLOW, NOTE_FAILED)
ACTIVITIES = (*RESTORE_ACTIVITIES, *OWN_ACTIVITIES)
