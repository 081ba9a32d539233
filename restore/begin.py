"""How a restore begins and ends: what it will do is decided and written down, taken up again, given up, concluded.

Durable, in this order: the order, under the run's own name; the undertaking, under the target's name and its lock; that
the target is touched. At the end the undertaking goes first, then the records: a restore is finished when no
undertaking names it.
"""

import logging

import msgspec

from engine.checkpoints import Checkpoints
from engine.locking import Done
from engine.step import Progress, Resources, Step
from errors import ConflictError, NotFoundError, SettingsError
from restore.job import Begun, Check, Concluded, RestoreJob, RestoreRun
from restore.plan import stretches
from restore.preflight import Facts, checks, estimate, failure
from restore.scene import beside, manifest_of, open_scene
from restore.selection import Selection
from restore.survey import survey
from restore.undertaking import (
    ORDER,
    Order,
    Undertaking,
    forget_undertaking,
    read_undertaking,
    require,
    unfinished,
    write_undertaking,
)
from settings.policies import reading_order
from settings.read import service_settings
from snapshots.chunks import document_lines, key_reader
from snapshots.manifest import Manifest
from snapshots.reader import read_chunk
from snapshots.store import Store

_LOG = logging.getLogger(__name__)


async def preflight(resources: Resources, job: RestoreJob) -> Begun:
    """Decide what a restore would do, and whether it can. Writes nothing; failed checks are in the answer."""
    service_settings(resources.connections.settings, job.target_service)
    runs = resources.connections.store_of(job.target_service).runs
    undertaking = await read_undertaking(runs, job.target)
    if undertaking is not None and undertaking.touched and _is_same(undertaking, job):
        order = await require(Checkpoints(runs, undertaking.records), ORDER, Order, f"run {undertaking.records}")
        resumed = Check("unfinished", "warning", f"would go on with run {undertaking.records}")
        return _begun(job, order, undertaking, [resumed, *order.checks])
    facts, order = await _decide(resources, job)
    found = checks(facts)
    if undertaking is not None and undertaking.touched and await _is_there(resources, job, undertaking):
        conflict = unfinished(undertaking, job.target)
        found.insert(0, Check("unfinished", "failed", conflict.what, conflict.do, "ConflictError"))
    return _begun(job, order, None, found)


async def begin(resources: Resources, job: RestoreJob) -> Begun:
    """Decide what the restore does, write it down under the run's name, and touch nothing.

    An earlier restore of the same kind into the same target that has not ended is taken up where it stopped. Raises the
    error of the first check that fails, ConflictError where another restore has left the target unfinished.
    """
    service_settings(resources.connections.settings, job.target_service)
    store = resources.connections.store_of(job.target_service)
    await store.prepare()
    undertaking = await read_undertaking(store.runs, job.target)
    if undertaking is not None and (_is_same(undertaking, job) or job.resume):
        records = Checkpoints(store.runs, undertaking.records)
        order = await require(records, ORDER, Order, f"run {undertaking.records}")
        if job.skip_refused and not order.job.skip_refused:
            order = msgspec.structs.replace(order, job=msgspec.structs.replace(order.job, skip_refused=True))
            await records.write(ORDER, order)
        _report_stage(resources, order)
        return _begun(job, order, undertaking, order.checks)
    if job.resume:
        raise NotFoundError("no restore into it is unfinished", on=str(job.target), do="Leave out --resume")
    if undertaking is not None and undertaking.touched and not job.discard_unfinished:
        if await _is_there(resources, job, undertaking):
            raise unfinished(undertaking, job.target)
        _LOG.info("%s, left unfinished by run %s, is gone", undertaking.into, undertaking.records)
    facts, order = await _decide(resources, job)
    found = checks(facts)
    error = failure(found, f"{job.target_service} index {job.target_index}")
    if error is not None:
        raise error
    order = await Checkpoints(store.runs, job.run).write_once(ORDER, msgspec.structs.replace(order, checks=found))
    _report_stage(resources, order)
    return _begun(job, order, None, found)


async def claim(resources: Resources, begun: Begun) -> Done:
    """Write the undertaking, under the target's lock. Raises ConflictError if another one has come in between."""
    runs = resources.connections.store_of(begun.run.target.service).runs
    order = await require(Checkpoints(runs, begun.run.records), ORDER, Order, f"run {begun.run.records}")
    there = await read_undertaking(runs, begun.run.target)
    is_ours = there is not None and there.records == begun.run.records
    if there is not None and not is_ours:
        if there.touched and not order.job.discard_unfinished and await _is_there(resources, order.job, there):
            raise unfinished(there, begun.run.target)
        await Checkpoints(runs, there.records).clear()
    await write_undertaking(
        runs,
        begun.run.target,
        Undertaking(
            fingerprint=order.job.fingerprint,
            snapshot=order.job.reference,
            mode=order.job.mode,
            into=order.into,
            records=begun.run.records,
            execution=begun.run.execution,
            started=order.started,
            touched=there.touched if there is not None and is_ours else False,
        ),
    )
    return Done()


async def abandon(resources: Resources, run: RestoreRun) -> Done:
    """After a failure: forget the restore if it has touched nothing, else leave all that is needed to go on."""
    runs = resources.connections.store_of(run.target.service).runs
    undertaking = await read_undertaking(runs, run.target)
    if undertaking is not None and undertaking.records == run.records and not undertaking.touched:
        await forget_undertaking(runs, run.target)
        await Checkpoints(runs, run.records).clear()
    return Done()


async def conclude(resources: Resources, run: RestoreRun) -> Concluded:
    """Say that the target is finished, then remove the run's records, since nothing depends on them any more."""
    runs = resources.connections.store_of(run.target.service).runs
    undertaking = await read_undertaking(runs, run.target)
    if undertaking is not None and undertaking.records == run.records:
        await forget_undertaking(runs, run.target)
    await Checkpoints(runs, run.records).clear()
    return Concluded(finished=resources.clock())


async def touch(resources: Resources, run: RestoreRun) -> Done:
    """Note that the target is about to be changed: from here on it is unfinished until it is proved."""
    scene = await open_scene(resources, run)
    undertaking = await read_undertaking(scene.runs, run.target)
    if undertaking is None or undertaking.records != run.records:
        raise ConflictError(
            "another restore has taken its place", on=scene.on, do="See what it does before you start again"
        )
    if not undertaking.touched:
        await write_undertaking(scene.runs, run.target, msgspec.structs.replace(undertaking, touched=True))
    return Done()


async def _decide(resources: Resources, job: RestoreJob) -> tuple[Facts, Order]:
    settings = resources.connections.settings
    near = service_settings(settings, job.target_service).region
    store_name = job.store or reading_order(settings, job.service, near=near)[0]
    store = resources.connections.source_store(job.service, store_name)
    manifest = await manifest_of(store, job.service, job.index, job.snapshot)
    selection = Selection(job.keys, job.filter)
    if job.mode == "replace" and not selection.everything:
        raise SettingsError(
            "a replacement holds the whole snapshot, not single documents",
            on="keys or filter",
            do="Use --mode fill or sync to bring single documents back, or create to look at them",
        )
    await _require_keys(store, manifest, selection, job.reference)
    facts, definition = await survey(resources, job, manifest, store_name)
    target = resources.connections.service(job.target_service)
    started = resources.clock()
    swaps = job.mode == "replace" and facts.place.kind == "alias"
    into = beside(job.target_index, started) if swaps else facts.place.index or job.target_index
    alias = job.target_index if swaps else job.alias
    present = await target.alias(alias) if alias is not None and facts.place.kind != "index" else None
    old = facts.place.index if job.mode == "replace" else None
    if old is None and present is not None and present.index != into:
        old = present.index
    order = Order(
        job=job,
        store=store_name,
        into=into,
        alias=alias,
        alias_etag=present.etag if present is not None else None,
        old_index=old,
        old_etag=(await target.index_definition(old)).etag if old is not None else None,
        old_count=await target.count(old) if old is not None else None,
        definition=definition,
        documents=facts.documents,
        bytes=manifest.bytes,
        losses=[f"{loss.field}: {loss.reason}" for loss in manifest.losses],
        stretches=_stretches(manifest, selection),
        checks=[],
        started=started,
    )
    return facts, order


async def _require_keys(store: Store, manifest: Manifest, selection: Selection, on: str) -> None:
    """Raise NotFoundError unless the snapshot has every key that is listed."""
    if not selection.keys:
        return
    key_of = key_reader(manifest.key_field)
    found: set[str] = set()
    for position in selection.chunks(manifest.chunks):
        data = await read_chunk(store.snapshots, manifest.folder, manifest.chunks[position])
        found.update(key_of(line) for line in document_lines(data))
    selection.require_all(found, on=on)


def _stretches(manifest: Manifest, selection: Selection) -> list[tuple[int, int]]:
    if not selection.keys:
        return stretches(manifest.chunks)
    return [(position, position + 1) for position in selection.chunks(manifest.chunks)]


def _begun(job: RestoreJob, order: Order, undertaking: Undertaking | None, found: list[Check]) -> Begun:
    guess = estimate(order.documents, order.bytes, job.parallel)
    records = undertaking.records if undertaking is not None else job.run
    execution = undertaking.execution if undertaking is not None else job.run
    return Begun(
        run=RestoreRun(execution=job.run, records=records, target=job.target, owner=job.owner, parallel=job.parallel),
        mode=order.job.mode,
        store=order.store,
        source=order.job,
        resumes=execution if execution != job.run else None,
        documents=order.documents,
        bytes=order.bytes,
        requests=guess.requests,
        seconds=guess.seconds,
        losses=order.losses,
        stretches=order.stretches,
        checks=found,
        started=order.started,
    )


def _is_same(undertaking: Undertaking, job: RestoreJob) -> bool:
    return undertaking.fingerprint == job.fingerprint and not job.discard_unfinished


async def _is_there(resources: Resources, job: RestoreJob, undertaking: Undertaking) -> bool:
    """Tell whether the index that was left unfinished still exists."""
    return undertaking.into in await resources.connections.service(job.target_service).index_names()


def _report_stage(resources: Resources, order: Order) -> None:
    resources.report(Progress(stage="verify", expected=order.documents))


PREFLIGHT = Step("preflight_restore", RestoreJob, Begun, preflight)
BEGIN = Step("begin_restore", RestoreJob, Begun, begin)
CLAIM = Step("claim_target", Begun, Done, claim, lambda begun: begun.run.work)
ABANDON = Step("abandon_restore", RestoreRun, Done, abandon, lambda run: run.work)
TOUCH = Step("touch_target", RestoreRun, Done, touch, lambda run: run.work)
CONCLUDE = Step("conclude_restore", RestoreRun, Concluded, conclude, lambda run: run.work)
