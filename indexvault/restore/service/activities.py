"""The activities of a service's restore: an object is created only if all it needs exists and no secret is missing."""

from collections.abc import Set as AbstractSet
from typing import Any

import msgspec

from indexvault.errors import (
    ConflictError,
    IndexvaultError,
    IntegrityError,
    NotFoundError,
    SettingsError,
    UnauthenticError,
)
from indexvault.model import IndexName
from indexvault.restore.definition import TargetDefinition, version_to_send
from indexvault.restore.proof import read_proof
from indexvault.restore.secrets import REDIRECT, completed, missing_paths
from indexvault.restore.service.job import (
    CheckedObjects,
    ObjectInput,
    ObjectOutcome,
    ObjectState,
    PlannedIndex,
    PlannedObject,
    ServiceFinished,
    ServicePlan,
    ServiceRestoreJob,
    StartedServiceRestore,
)
from indexvault.restore.service.names import ORDER, Reference, Rules, renamed
from indexvault.restore.service.state import (
    ServiceRestoreState,
    forget_service_restore_state,
    read_service_restore_state,
    write_service_restore_state,
)
from indexvault.restore.state import read_restore_state
from indexvault.search.client import SearchService
from indexvault.search.definition_content import content
from indexvault.search.definitions import FetchedDefinition
from indexvault.search.secret_scan import SECRET_MEMBERS
from indexvault.settings.load import service_settings
from indexvault.settings.overlays import OverlayEntry
from indexvault.settings.patterns import select
from indexvault.settings.residency import require_resident, residencies
from indexvault.snapshots.catalogue import list_snapshots, read_manifest
from indexvault.snapshots.names import SERVICE_OBJECTS, SnapshotReference, id_time, manifest_name
from indexvault.snapshots.service_manifest import ServiceManifest, ServiceObject, read_service_manifest
from indexvault.snapshots.summary import Summary, is_in_future
from indexvault.workflow.activity import Activity, Resources
from indexvault.workflow.checkpoints import Checkpoints
from indexvault.workflow.resume import Interrupted, altered


async def find(resources: Resources, job: ServiceRestoreJob) -> Interrupted:
    """Return the execution that started the same restore and has not ended it."""
    store = resources.clients.store_of(job.target_service)
    await store.prepare()
    there = await read_service_restore_state(store.runs, job.target_service)
    if there is None or there.fingerprint != job.fingerprint or there.executions[-1] == job.run:
        return Interrupted(None)
    return Interrupted(there.executions[-1])


async def begin(resources: Resources, job: ServiceRestoreJob) -> StartedServiceRestore:
    """Write the plan down, or resume the plan that the same restore had written down.

    Raises SettingsError if a rule gives two objects one name, IntegrityError if the plan that was written down is not
    what the snapshots give.
    """
    runs = resources.clients.store_of(job.target_service).runs
    there = await read_service_restore_state(runs, job.target_service)
    if there is None or there.fingerprint != job.fingerprint:
        there = ServiceRestoreState(fingerprint=job.fingerprint, executions=[job.run], plan=await plan(resources, job))
    else:
        await _require_follows(resources, job, there.plan)
    if there.executions[-1] != job.run:
        there = msgspec.structs.replace(there, executions=[*there.executions, job.run])
    await write_service_restore_state(runs, job.target_service, there)
    return StartedServiceRestore(plan=there.plan, made=await _made(resources, job, there))


async def _require_follows(resources: Resources, job: ServiceRestoreJob, noted: ServicePlan) -> None:
    """Raise IntegrityError unless a plan is what the snapshots of its time give, those apart that were pruned since."""
    on = f"service {job.target_service}"
    at = noted.started if job.at is None else min(noted.started, job.at)
    if is_in_future(noted.started, resources.clock()) or noted.started < id_time(job.snapshot):
        raise altered("the plan of the unfinished restore has a time that does not follow from its snapshot", on)
    now = await plan(resources, msgspec.structs.replace(job, at=at))
    if (now.objects, now.withheld) != (noted.objects, noted.withheld):
        raise altered("the plan of the unfinished restore has objects that don't follow from its snapshot", on)
    indexes = {each.index: each for each in noted.indexes}
    for each in now.indexes:
        there = indexes.pop(each.index, None)
        is_same = there is not None and (there.snapshot, there.target) == (each.snapshot, each.target)
        if not is_same and (there is None or await _has_snapshot(resources, job, there)):
            raise altered(f"in the plan of the unfinished restore, {each.index} does not follow from its snapshot", on)
    for each in indexes.values():
        if await _has_snapshot(resources, job, each):
            raise altered(
                f"in the plan of the unfinished restore, {each.index} does not follow from what was asked", on
            )


async def _has_snapshot(resources: Resources, job: ServiceRestoreJob, planned: PlannedIndex) -> bool:
    store = resources.clients.store_of(job.service)
    return await store.snapshots.properties(manifest_name(job.service, planned.index, planned.snapshot)) is not None


async def plan(resources: Resources, job: ServiceRestoreJob) -> ServicePlan:
    """Decide what to restore under which names.

    The indexes are those that the service had when its objects were backed up, and those that are asked for by their
    whole names. Raises SettingsError if a rule gives two objects one name, NotFoundError if an index that is asked for
    has no snapshot.
    """
    settings = resources.clients.settings
    there = service_settings(settings, job.target_service)
    require_resident(
        residencies(settings, job.service, SERVICE_OBJECTS), [there.region], on=f"service {job.target_service}"
    )
    rules = Rules(job.rename)
    manifest = await _manifest(resources, job)
    found, imported = await _index_snapshots(resources, job)
    at_hand = found.keys() | imported
    had = at_hand if manifest.indexes is None else at_hand & {*manifest.indexes, *job.indexes}
    chosen = select(sorted(had), job.indexes)
    if chosen.missing:
        raise NotFoundError(
            f"there is no snapshot of {', '.join(chosen.missing)}", on=job.service, do="See indexvault snapshots"
        )
    indexes = [
        await _planned(resources, job, found[name], rules.name("indexes", name))
        for name in chosen.found
        if name in found
    ]
    objects = sorted(
        (PlannedObject(each.kind, each.name, rules.name(each.kind, each.name)) for each in manifest.objects),
        key=lambda each: (ORDER.index(each.kind), each.name),
    )
    kept = {(each.kind, each.name) for each in manifest.objects}
    _require_distinct([("indexes", each.target) for each in indexes] + [(each.kind, each.target) for each in objects])
    return ServicePlan(
        indexes=indexes,
        objects=objects,
        withheld=[
            f"{each.kind} {each.name}: {each.path} looked like a secret"
            for each in manifest.withheld
            if (each.kind, each.name) not in kept
        ],
        started=resources.clock(),
        only_imported=[name for name in chosen.found if name not in found],
    )


async def check_objects(resources: Resources, job: ServiceRestoreJob) -> CheckedObjects:
    """Return the plan of a restore, and what would become of every object that is no index. Writes nothing."""
    planned = await plan(resources, job)
    manifest = await _manifest(resources, job)
    sources = {(each.kind, each.name): each for each in manifest.objects}
    coming = {("indexes", each.target) for each in planned.indexes if not each.lacking and not each.fault}
    outcomes = []
    for each in planned.objects:
        try:
            outcome = await _check(resources, job, each, sources[each.kind, each.name], coming)
        except IndexvaultError as error:
            outcome = _outcome(each, "failed", f"{error.what}. {error.do}")
        if outcome.outcome in {"to be made", "there"}:
            coming.add((each.kind, each.target))
        outcomes.append(outcome)
    return CheckedObjects(plan=planned, outcomes=outcomes)


async def make_object(resources: Resources, given: ObjectInput) -> ObjectOutcome:
    """Create one object, unless it exists or lacks something that it needs. An indexer is created disabled."""
    job, planned = given.job, given.object
    manifest = await _manifest(resources, job)
    source = next(each for each in manifest.objects if (each.kind, each.name) == (planned.kind, planned.name))
    try:
        return await _make(resources, job, planned, source)
    except SettingsError:
        raise
    except IndexvaultError as error:
        if error.may_pass:
            raise
        return _outcome(planned, "failed", f"{error.what}. {error.do}")


async def finish(resources: Resources, job: ServiceRestoreJob) -> ServiceFinished:
    """Remove the restore's state: every object was handled, and nothing is left to resume."""
    runs = resources.clients.store_of(job.target_service).runs
    await forget_service_restore_state(runs, job.target_service)
    await Checkpoints(runs, job.run).clear()  # the progress of its parts
    return ServiceFinished(at=resources.clock())


async def _made(resources: Resources, job: ServiceRestoreJob, there: ServiceRestoreState) -> dict[str, int]:
    """Return the indexes that this restore has created and proved, with their document counts."""
    runs = resources.clients.store_of(job.target_service).runs
    names = await resources.clients.service(job.target_service).index_names()
    made = {}
    for position, index in enumerate(there.plan.indexes):
        target = IndexName(job.target_service, index.target)
        snapshot = f"{job.service}/{index.index}@{index.snapshot}"
        if index.target not in names or await read_restore_state(runs, target) is not None:
            continue
        for execution in there.executions:
            proof = await read_proof(runs, job.index_run(position, execution))
            if proof is not None and proof.proved and (proof.snapshot, proof.target) == (snapshot, str(target)):
                made[index.target] = proof.compared
    return made


async def _make(
    resources: Resources, job: ServiceRestoreJob, planned: PlannedObject, source: ServiceObject
) -> ObjectOutcome:
    target = resources.clients.service(job.target_service)
    definition = await complete_object(resources, job, planned, source, frozenset())
    if isinstance(definition, ObjectOutcome):
        return definition
    try:
        await target.create_definition(planned.kind, planned.target, bytes(definition.body), preview=definition.preview)
    except ConflictError:
        return _compared(
            planned, definition, await target.definition(planned.kind, planned.target, preview=definition.preview)
        )
    return _outcome(planned, "made")


async def _check(
    resources: Resources,
    job: ServiceRestoreJob,
    planned: PlannedObject,
    source: ServiceObject,
    coming: AbstractSet[tuple[str, str]],
) -> ObjectOutcome:
    """Return what would become of one object, where `coming` are those that the restore makes before it."""
    definition = await complete_object(resources, job, planned, source, coming)
    if isinstance(definition, ObjectOutcome):
        return definition
    target = resources.clients.service(job.target_service)
    try:
        present = await target.definition(planned.kind, planned.target, preview=definition.preview)
    except NotFoundError:
        return _outcome(planned, "to be made")
    return _compared(planned, definition, present)


def _compared(planned: PlannedObject, wanted: TargetDefinition, present: FetchedDefinition) -> ObjectOutcome:
    if not says_the_same(msgspec.json.decode(wanted.body), content(present.body)):
        return _outcome(planned, "left out", "another one of this name exists and differs")
    return _outcome(planned, "there")


async def complete_object(
    resources: Resources,
    job: ServiceRestoreJob,
    planned: PlannedObject,
    source: ServiceObject,
    coming: AbstractSet[tuple[str, str]],
) -> TargetDefinition | ObjectOutcome:
    """Return an object's definition for the target, its secrets included, or why it has to be left out."""
    target = resources.clients.service(job.target_service)
    version = version_to_send(source.definition)
    members, references = renamed(planned.kind, version.body, Rules(job.rename), planned.target)
    if planned.kind == "indexers":
        members["disabled"] = True
    missing = [
        each for each in references if (each.kind, each.name) not in coming and not await _is_there(target, each)
    ]
    if missing:
        names = ", ".join(f"{each.kind} {each.name}" for each in missing)
        return _outcome(planned, "left out", f"it refers to what is not there: {names}")
    definition = msgspec.Raw(msgspec.json.encode(members))
    complete = completed(definition, _overlay(resources, job, f"{planned.kind}/{planned.name}"))
    if complete.misdirected:
        return _outcome(planned, "left out", f"{'; '.join(complete.misdirected)}. {REDIRECT}")
    lacking = missing_paths(complete.body)
    if lacking:
        return _outcome(planned, "left out", f"secrets are missing: {', '.join(lacking)}; give them in an overlay")
    return TargetDefinition(body=complete.body, preview=version.preview)


async def _planned(resources: Resources, job: ServiceRestoreJob, snapshot: Summary, target: str) -> PlannedIndex:
    """Plan the restore of an index. A snapshot that can't be read is no obstacle to those of other indexes."""
    entry = _overlay(resources, job, f"indexes/{snapshot.index}")
    store = resources.clients.store_of(job.service)
    try:
        definition = version_to_send((await read_manifest(store.snapshots, snapshot)).definition).body
    except (IntegrityError, NotFoundError) as error:
        return PlannedIndex(snapshot.index, snapshot.id, target, fault=f"{error.what}. {error.do}")
    # A secret that would go elsewhere is not missing: the restore of the index refuses it by name.
    return PlannedIndex(snapshot.index, snapshot.id, target, missing_paths(completed(definition, entry).body))


def _overlay(resources: Resources, job: ServiceRestoreJob, entry: str) -> OverlayEntry | None:
    return None if job.overlay is None else resources.clients.overlay(job.overlay, entry)


async def _is_there(target: SearchService, reference: Reference) -> bool:
    try:
        await target.definition(reference.kind, reference.name)
    except NotFoundError:
        return False
    return True


def says_the_same(wanted: Any, present: dict[str, Any]) -> bool:
    """Return whether a definition equals the existing one, whose secrets can't be read. Both are decoded JSON."""
    asked = content(msgspec.Raw(msgspec.json.encode(_without_secrets(wanted))))
    return asked == content(msgspec.Raw(msgspec.json.encode(_without_secrets(present))))


def _without_secrets(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_secrets(item) for item in value]
    if not isinstance(value, dict):
        return value
    inner = {name: _without_secrets(item) for name, item in value.items() if name not in SECRET_MEMBERS}
    return {name: item for name, item in inner.items() if item not in (None, [], {})}


def _outcome(planned: PlannedObject, outcome: ObjectState, why: str = "") -> ObjectOutcome:
    return ObjectOutcome(planned.kind, planned.name, planned.target, outcome, why)


async def _manifest(resources: Resources, job: ServiceRestoreJob) -> ServiceManifest:
    store = resources.clients.store_of(job.service)
    reference = SnapshotReference(service=job.service, index=SERVICE_OBJECTS, id=job.snapshot)
    manifest = await read_service_manifest(store.snapshots, reference)
    if manifest.authenticity == "unauthentic" and not job.accept_unauthentic:
        raise UnauthenticError(
            "no record key has signed the snapshot, and nobody has accepted it: anybody may have written it",
            on=str(reference),
            do="If you know where it is from: `indexvault accept`, or restore with --accept-unauthentic",
        )
    return manifest


async def _index_snapshots(resources: Resources, job: ServiceRestoreJob) -> tuple[dict[str, Summary], frozenset[str]]:
    """Return the newest snapshot of each index, at or before the time asked for, and the indexes with imported ones.

    None is dated in the future, none is one that nobody has signed or accepted, and none was imported.
    """
    now = resources.clock()
    store = resources.clients.store_of(job.service)
    newest: dict[str, Summary] = {}
    imported = set()
    for snapshot in await list_snapshots(store.snapshots, job.service):
        fits = snapshot.state != "damaged" and snapshot.is_trusted and (job.at is None or snapshot.created <= job.at)
        fits = fits and (snapshot.is_proved or not job.proved)
        if fits and not is_in_future(snapshot.created, now) and snapshot.index != SERVICE_OBJECTS:
            if snapshot.is_imported:
                imported.add(snapshot.index)
            else:
                newest.setdefault(snapshot.index, snapshot)
    return newest, frozenset(imported)


def _require_distinct(names: list[tuple[str, str]]) -> None:
    twice = sorted({f"{kind} {name}" for kind, name in names if names.count((kind, name)) > 1})
    if twice:
        raise SettingsError(
            f"the rules give one name to several objects: {', '.join(twice)}", on="rename", do="Keep names apart"
        )


FIND = Activity("find_service_restore", ServiceRestoreJob, Interrupted, find)
BEGIN = Activity("begin_service_restore", ServiceRestoreJob, StartedServiceRestore, begin, lambda job: job.work)
MAKE_OBJECT = Activity("make_object", ObjectInput, ObjectOutcome, make_object, lambda given: given.job.work)
CHECK_OBJECTS = Activity("check_service_objects", ServiceRestoreJob, CheckedObjects, check_objects)
FINISH = Activity("finish_service", ServiceRestoreJob, ServiceFinished, finish, lambda job: job.work)
