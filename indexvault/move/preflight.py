"""Check a move before anything is touched: the restore's checks, and the move's own."""

import msgspec

from indexvault.backup.job import BackupJob
from indexvault.backup.plan import make_plan
from indexvault.backup.state import Plan
from indexvault.errors import IndexvaultError
from indexvault.model import IndexName
from indexvault.move.checks import of_move
from indexvault.move.job import MoveFindings, MoveJob, MoveState
from indexvault.move.start import require_movable
from indexvault.move.state import other_move, read_move_state
from indexvault.restore.checks import Check
from indexvault.restore.job import StartedRestore
from indexvault.restore.preflight import estimate, target_checks
from indexvault.restore.start import preflight as preflight_restore
from indexvault.restore.state import read_restore_state
from indexvault.restore.stretch_source import manifest_of
from indexvault.restore.target_facts import gather_facts, resolve_name
from indexvault.settings.load import service_settings
from indexvault.snapshots.manifest import Added, Counts, Etags, Manifest
from indexvault.snapshots.tree import Tree
from indexvault.version import VERSION
from indexvault.workflow.activity import Activity, Resources


class MovePreflight(MoveFindings, frozen=True, kw_only=True):
    """What preflight found, and the restore of an existing snapshot, whose chunks are still to be proved.

    `restore` is None if a new snapshot would be made, or no restore is needed any more.
    """

    restore: StartedRestore | None


async def preflight(resources: Resources, job: MoveJob) -> MovePreflight:
    """Decide what a move would do, and whether it can; failed checks are in the answer.

    Writes nothing, apart from creating the containers of a new store. Raises the errors of a service or a store that
    does not answer.
    """
    for service in (job.service, job.target_service):
        await resources.clients.store_of(service).prepare()
    move_state = await read_move_state(resources.clients.store_of(job.service).runs, job.source)
    if move_state is not None and not job.resumes(move_state.fingerprint) and not job.forget:
        return _stopped(_failed("move", other_move(move_state)))
    if move_state is not None and not job.forget:
        return await _resumed(resources, job, move_state)
    try:
        await require_movable(resources, job)
    except IndexvaultError as error:
        if error.may_pass:
            raise
        return _stopped(_failed("source", error))
    source = Check("source", "ok", f"{job.source} can be moved" + (" and deleted" if job.delete_source else ""))
    if job.snapshot is not None:
        return await _of_snapshot(resources, job, job.snapshot, [source])
    return await _of_fresh_snapshot(resources, job, source)


async def _of_fresh_snapshot(resources: Resources, job: MoveJob, source: Check) -> MovePreflight:
    """Check with the manifest that a new snapshot would have: plan the reading, but read no documents."""
    store = resources.clients.store_of(job.service)
    try:
        plan = await make_plan(resources, BackupJob(service=job.service, index=job.index, run=job.run), store)
    except IndexvaultError as error:
        if error.may_pass:
            raise
        return _stopped(source, _failed("snapshot", error))
    manifest = _expected(job, plan)
    _here, target_store = _stores(resources, job)
    restore_job = msgspec.structs.replace(job.restore(plan.id, target_store, "create", job.run), alias=job.alias)
    facts, _definition = await gather_facts(resources, restore_job, manifest, target_store)
    fresh = Check("snapshot", "ok", f"a fresh one would be read by {plan.method}: {plan.reason}")
    guess = estimate(facts.documents, facts.bytes, job.parallel)
    return MovePreflight(
        resumes=None,
        documents=facts.documents,
        bytes=facts.bytes,
        requests=guess.requests,
        seconds=guess.seconds,
        checks=[source, fresh, *of_move(job, target_checks(facts))],
        would=[f"make a snapshot of {job.source}", *await _steps(resources, job, held=False)],
        restore=None,
    )


async def _of_snapshot(resources: Resources, job: MoveJob, snapshot: str, found: list[Check]) -> MovePreflight:
    """Check with an existing snapshot, or with the restore of it that this move has started."""
    here, there = _stores(resources, job)
    restore_job = job.restore(snapshot, there, "create", job.run)
    restore_state = await read_restore_state(resources.clients.store_of(job.target_service).runs, job.target)
    if restore_state is None or restore_state.fingerprint != restore_job.fingerprint:
        # Only the move copies the snapshot to the other store, and only the move swaps the alias.
        restore_job = msgspec.structs.replace(restore_job, store=here, alias=job.alias)
    started = await preflight_restore(resources, restore_job)
    return MovePreflight(
        resumes=None,
        documents=started.documents,
        bytes=started.bytes,
        requests=started.requests,
        seconds=started.seconds,
        checks=[*found, *of_move(job, started.checks)],
        would=[f"use the snapshot {snapshot}", *await _steps(resources, job, held=False)],
        restore=started,
    )


async def _resumed(resources: Resources, job: MoveJob, move_state: MoveState) -> MovePreflight:
    """Say how an interrupted move would resume. What it has already done is not checked again."""
    going_on = Check("move", "warning", f"would resume run {move_state.execution}")
    if move_state.held is None and move_state.snapshot is not None:
        return msgspec.structs.replace(
            await _of_snapshot(resources, job, move_state.snapshot, [going_on]), resumes=move_state.execution
        )
    if move_state.held is None:
        try:
            await require_movable(resources, job)
        except IndexvaultError as error:
            if error.may_pass:
                raise
            return msgspec.structs.replace(_stopped(going_on, _failed("source", error)), resumes=move_state.execution)
        found = await _of_fresh_snapshot(resources, job, going_on)
        return msgspec.structs.replace(found, resumes=move_state.execution)
    store = resources.clients.store_of(job.service)
    manifest = await manifest_of(store, job.service, job.index, move_state.held)
    guess = estimate(manifest.counts.documents, manifest.bytes, job.parallel)
    return MovePreflight(
        resumes=move_state.execution,
        documents=manifest.counts.documents,
        bytes=manifest.bytes,
        requests=guess.requests,
        seconds=guess.seconds,
        checks=[going_on, Check("target", "ok", f"{job.target} was made from the snapshot {move_state.held}")],
        would=await _steps(resources, job, held=True),
        restore=None,
    )


async def _steps(resources: Resources, job: MoveJob, *, held: bool) -> list[str]:
    here, there = _stores(resources, job)
    steps = [] if here == there or held else [f"copy it to the store {there}"]
    if not held:
        steps.append(f"make {job.target} from it, and prove it")
    steps.append(f"compare {job.target} with {job.source} as it is then, and catch up with what has changed")
    if job.alias is not None:
        resolved = await resolve_name(resources.clients.service(job.target_service), job.alias)
        alias = IndexName(job.target_service, job.alias)
        now = f"move the alias {alias} from {resolved.index}" if resolved.kind == "alias" else f"make the alias {alias}"
        steps.append(now)
    steps.append(f"delete {job.source}, if it is unchanged" if job.delete_source else f"keep {job.source}")
    return steps


def _stores(resources: Resources, job: MoveJob) -> tuple[str, str]:
    """Return the stores of the source's service and of the target's."""
    settings = resources.clients.settings
    return service_settings(settings, job.service).store, service_settings(settings, job.target_service).store


def _expected(job: MoveJob, plan: Plan) -> Manifest:
    """Return the manifest that a snapshot made by a plan would have, without its tree."""
    return Manifest(
        id=plan.id,
        service=job.service,
        index=job.index,
        state="lossy" if plan.losses else "complete",
        losses=tuple(plan.losses),
        created=plan.started,
        started=plan.started,
        finished=plan.started,
        tool=f"indexvault {VERSION}",
        run=job.run,
        key_field=plan.key_field,
        definition=plan.definition,
        synonym_maps=tuple(plan.synonym_maps),
        counts=Counts(before=plan.counted, after=None, documents=plan.found),
        etag=Etags(before=plan.etag, after=None),
        boundary_bits=plan.boundary_bits,
        generation=plan.generation,
        bytes=int(plan.found * plan.average_document_bytes),
        stored=0,
        added=Added(),
        content_digest="0" * 64,
        tree=Tree(),
    )


def _stopped(*found: Check) -> MovePreflight:
    """Return the findings if nothing further can be checked."""
    return MovePreflight(
        resumes=None, documents=0, bytes=0, requests=0, seconds=0.0, checks=list(found), would=[], restore=None
    )


def _failed(name: str, error: IndexvaultError) -> Check:
    return Check(name, "failed", f"{error.on}: {error.what}", error.do, type(error).__name__)


PREFLIGHT = Activity("preflight_move", MoveJob, MovePreflight, preflight)
