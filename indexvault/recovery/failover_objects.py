"""Make a service's other objects as in a snapshot of the service that was active: indexers disabled, then enabled.

An object that is there and differs is changed, as far as its secrets are known. Nothing is deleted.
"""

from typing import Any

import msgspec
from msgspec.structs import replace

from indexvault.errors import IndexvaultError, NotFoundError, RefusedError
from indexvault.recovery.failover_job import Enabled, FailoverPlan, ObjectResult, ObjectsDone, ObjectsTurn
from indexvault.recovery.failover_state import require_failover
from indexvault.restore.definition import version_to_send
from indexvault.restore.service.activities import complete_object, says_the_same
from indexvault.restore.service.job import ObjectOutcome, PlannedObject, ServiceRestoreJob
from indexvault.search.client import SearchService
from indexvault.search.definition_content import content
from indexvault.search.definitions import FetchedDefinition
from indexvault.settings.policies import reading_order
from indexvault.snapshots.names import SERVICE_OBJECTS, SnapshotReference
from indexvault.snapshots.service_manifest import ServiceManifest, ServiceObject, read_service_manifest
from indexvault.workflow.activity import Activity, Resources

INDEXERS = "indexers"


async def read_objects(resources: Resources, plan: FailoverPlan) -> ServiceManifest | None:
    """Return the objects of the service that was active, as they were backed up; None if nothing of them is known."""
    if plan.objects is None:
        return None
    settings = resources.clients.settings
    near = settings.services[plan.to].region
    order = reading_order(settings, plan.source, near=near)
    first = next((each for each in order if each not in plan.unread), settings.services[plan.to].store)
    blobs = resources.clients.source_store(plan.source, first, without=plan.unread).snapshots
    reference = SnapshotReference(service=plan.source, index=SERVICE_OBJECTS, id=plan.objects)
    return await read_service_manifest(blobs, reference)


async def make_objects(resources: Resources, turn: ObjectsTurn) -> ObjectsDone:
    """Make all objects of some kinds as they are in the snapshot, and return what became of each."""
    plan = turn.started.plan
    manifest = await read_objects(resources, plan)
    if manifest is None:
        return ObjectsDone([])
    job = _as_restore(plan, turn.started.job.run)
    wanted = [each for kind in turn.kinds for each in manifest.objects if each.kind == kind]
    return ObjectsDone([await bring_object(resources, job, each, write=True) for each in wanted])


async def check_objects(resources: Resources, plan: FailoverPlan, run: str) -> list[ObjectResult]:
    """Return what would become of each object. Writes nothing."""
    manifest = await read_objects(resources, plan)
    if manifest is None:
        return []
    job = _as_restore(plan, run)
    coming = {("indexes", each.index) for each in plan.indexes}
    done: list[ObjectResult] = []
    for source in (each for kind in plan.kinds for each in manifest.objects if each.kind == kind):
        result = await bring_object(resources, job, source, write=False, coming=coming)
        if result.is_there:
            coming.add((result.kind, result.name))
        done.append(result)
    return done


async def bring_object(
    resources: Resources,
    job: ServiceRestoreJob,
    source: ServiceObject,
    *,
    write: bool,
    coming: set[tuple[str, str]] | frozenset[tuple[str, str]] = frozenset(),
) -> ObjectResult:
    """Make one object as it is in the snapshot, or say what would become of it. `coming` are those made before it."""
    result = ObjectResult(source.kind, source.name, "there")
    try:
        return await _bring(resources, job, source, result, write=write, coming=coming)
    except IndexvaultError as error:
        if error.may_pass:
            raise
        return replace(result, outcome="failed", why=f"{error.what}. {error.do}")


async def _bring(
    resources: Resources,
    job: ServiceRestoreJob,
    source: ServiceObject,
    result: ObjectResult,
    *,
    write: bool,
    coming: set[tuple[str, str]] | frozenset[tuple[str, str]],
) -> ObjectResult:
    target = resources.clients.service(job.target_service)
    planned = PlannedObject(source.kind, source.name, source.name)
    version = version_to_send(source.definition)
    present = await _present(target, source, preview=version.preview)
    wanted = await complete_object(resources, job, planned, source, coming)
    if isinstance(wanted, ObjectOutcome):
        if present is not None and _is_alike(msgspec.json.decode(version.body), present):
            return result
        kept = "" if present is None else f"; {job.target_service} keeps its own"
        return replace(result, outcome="left out", why=f"{wanted.why}{kept}")
    if present is None:
        if write:
            await resources.fence()
            await target.create_definition(source.kind, source.name, bytes(wanted.body), preview=wanted.preview)
        return replace(result, outcome="made" if write else "to be made")
    overlay = job.overlay and resources.clients.overlay(job.overlay, f"{source.kind}/{source.name}")
    # No service shows a secret, so one that an overlay has is sent again.
    if _is_alike(msgspec.json.decode(wanted.body), present) and not overlay:
        return result
    if write:
        body = _as_enabled(source, wanted.body, present)
        await resources.fence()
        await target.update_definition(source.kind, source.name, body, before=present, preview=wanted.preview)
    return replace(result, outcome="changed" if write else "to be changed")


def _as_enabled(source: ServiceObject, body: msgspec.Raw, present: FetchedDefinition) -> bytes:
    """Return a definition to send. An indexer that runs goes on: this may be a failover that resumes."""
    if source.kind != INDEXERS:
        return bytes(body)
    is_disabled = msgspec.json.decode(present.body, type=dict[str, Any]).get("disabled") is True
    return msgspec.json.encode(msgspec.json.decode(body, type=dict[str, Any]) | {"disabled": is_disabled})


def _is_alike(wanted: dict[str, Any], present: FetchedDefinition) -> bool:
    """Return whether an object is as wanted, apart from its secrets, which no service shows, and from being enabled."""
    there = content(present.body)
    return says_the_same(
        {name: value for name, value in wanted.items() if name != "disabled"},
        {name: value for name, value in there.items() if name != "disabled"},
    )


async def _present(target: SearchService, source: ServiceObject, *, preview: bool) -> FetchedDefinition | None:
    try:
        return await target.definition(source.kind, source.name, preview=preview)
    except NotFoundError:
        return None


def _as_restore(plan: FailoverPlan, run: str) -> ServiceRestoreJob:
    return ServiceRestoreJob(
        service=plan.source, snapshot=plan.objects or "", target_service=plan.to, run=run, overlay=plan.overlay
    )


def enabled_in(manifest: ServiceManifest) -> list[str]:
    """Return the indexers that were enabled when the objects were backed up."""
    return sorted(
        each.name
        for each in manifest.objects
        if each.kind == INDEXERS
        and msgspec.json.decode(version_to_send(each.definition).body, type=dict[str, Any]).get("disabled") is not True
    )


async def enabled_on(service: SearchService) -> list[str]:
    """Return the indexers of a service that are enabled."""
    for preview in (True, False):
        try:
            found = await service.definitions(INDEXERS, preview=preview)
        except (RefusedError, NotFoundError):
            continue
        return sorted(
            each.name
            for each in found
            if msgspec.json.decode(each.body, type=dict[str, Any]).get("disabled") is not True
        )
    return []


async def set_disabled(resources: Resources, service: SearchService, name: str, *, disabled: bool) -> bool:
    """Disable or enable an indexer, and return whether it was the other before. Raises NotFoundError."""
    preview = await service.knows_preview()
    present = await service.definition(INDEXERS, name, preview=preview)
    members = msgspec.json.decode(present.body, type=dict[str, Any])
    if (members.get("disabled") is True) == disabled:
        return False
    sent = {key: value for key, value in members.items() if not key.startswith("@odata.")} | {"disabled": disabled}
    await resources.fence()
    await service.update_definition(INDEXERS, name, msgspec.json.encode(sent), before=present, preview=preview)
    return True


async def enable_indexers(resources: Resources, turn: ObjectsTurn) -> Enabled:
    """Enable the indexers that ran on the service which was active: those that a planned failover has stopped there.

    Without a plan for indexers, none. One that can't be enabled is named with the reason.
    """
    started = turn.started
    plan = started.plan
    if INDEXERS not in plan.kinds:
        return Enabled([], [])
    # An unplanned one has those of a planned one that its region took along.
    names = (await require_failover(resources.clients.store_of(plan.to).runs, started.job)).stopped
    if not started.job.planned:
        manifest = await read_objects(resources, plan)
        names = sorted({*names, *([] if manifest is None else enabled_in(manifest))})
    target = resources.clients.service(plan.to)
    enabled: list[str] = []
    failed: list[ObjectResult] = []
    for name in names:
        try:
            await set_disabled(resources, target, name, disabled=False)
        except IndexvaultError as error:
            if error.may_pass:
                raise
            failed.append(ObjectResult(INDEXERS, name, "failed", f"it was not enabled: {error.what}. {error.do}"))
        else:
            enabled.append(name)
    return Enabled(enabled, failed)


MAKE_OBJECTS = Activity("make_failover_objects", ObjectsTurn, ObjectsDone, make_objects, lambda turn: turn.started.work)
ENABLE = Activity("enable_indexers", ObjectsTurn, Enabled, enable_indexers, lambda turn: turn.started.work)
