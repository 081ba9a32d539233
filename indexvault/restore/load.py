"""Documents from the snapshot into the target: all of them into a new index, or only what an existing one needs.

How far a stretch is loaded is written down after the service has acknowledged it, so that a run that is killed goes on
from there. Doing it twice changes nothing either way: documents are uploaded whole and by key.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing

import msgspec

from indexvault.errors import RefusedError
from indexvault.restore.batches import Actions
from indexvault.restore.compare import Tally, deviations
from indexvault.restore.context import RestoreContext, open_context
from indexvault.restore.job import RestoreRun, Stretch, StretchLoaded
from indexvault.restore.projection import Shape
from indexvault.restore.state import MADE, LoadProgress, Made, require
from indexvault.restore.upload import MOST_REFUSED, Loaded, Loader, Refused
from indexvault.search.batch import delete_action, upload_action
from indexvault.search.schema import read_schema
from indexvault.snapshots.names import report_name
from indexvault.workflow.activity import Activity, ProgressUpdate, Resources

_NAMED = 10


class RefusedOrder(msgspec.Struct, frozen=True):
    """The stretches whose refused documents are to be looked at."""

    run: RestoreRun
    parts: list[str]


class RefusedReport(msgspec.Struct, frozen=True):
    """How many documents were refused, and the blob that names them; none, and no blob."""

    refused: int
    blob: str | None


async def load(resources: Resources, stretch: Stretch) -> StretchLoaded:
    """Load a stretch into the new index, from where it was acknowledged last."""
    context = await open_context(resources, stretch.run)
    part = progress_part(stretch)
    before = await context.records.read(part, LoadProgress) or LoadProgress()
    if before.done:
        return _loaded(before)
    made = await require(context.records, MADE, Made, context.on)
    shape = Shape(context.source_schema, read_schema(made.body, on=context.on))
    loader = _loader(context, len(before.refused))
    progress = before

    async def actions() -> AsyncGenerator[tuple[str, bytes]]:
        async with aclosing(context.stored(stretch, before.after or None, stage="load")) as stored:
            async for key, line in stored:
                yield key, upload_action(shape.fit(line))

    async def acknowledged(key: str) -> None:
        nonlocal progress
        progress = _added(before, loader.loaded, key, done=False)
        await context.records.write(part, progress)

    async with aclosing(actions()) as coming:
        loaded = await loader.load(coming, acknowledged)
    progress = _added(before, loaded, progress.after, done=not loaded.given_up)
    await context.records.write(part, progress)
    return _loaded(progress)


async def reconcile(resources: Resources, stretch: Stretch) -> StretchLoaded:
    """Write what a stretch of the existing index lacks, in mode sync also what differs or is too much."""
    context = await open_context(resources, stretch.run)
    part = progress_part(stretch)
    earlier = await context.records.read(part, LoadProgress)
    by = await context.comparison()
    made = await require(context.records, MADE, Made, context.on)
    into = Shape(context.source_schema, read_schema(made.body, on=context.on))
    loader = _loader(context, 0)
    tally = Tally(differences=[])
    deleted = 0

    async def actions() -> Actions:
        nonlocal deleted
        present = await context.present(stretch)
        async for found in deviations(context.chunks(stretch), context.read, present, by, tally):
            if found.line is not None and (found.kind == "missing" or context.plan.job.mode == "sync"):
                yield found.key, upload_action(into.fit(found.line))
            elif found.kind == "extra" and context.plan.job.mode == "sync":
                deleted += 1
                yield found.key, delete_action(context.manifest.key_field, found.key)

    loaded = await loader.load(actions())
    await context.records.write(part, _added(LoadProgress(), loaded, "", done=True))
    held = sum(chunk.documents for chunk in context.chunks(stretch))
    resources.report(ProgressUpdate(stage="load", documents=held, bytes=loaded.bytes))
    return StretchLoaded(
        uploaded=loaded.documents - deleted + (earlier.uploaded if earlier is not None else 0),
        deleted=deleted,
        bytes=loaded.bytes,
        requests=loaded.requests,
        refused=len(loaded.refused),
        untouched=tally.untouched,
    )


async def look_at_refused(resources: Resources, order: RefusedOrder) -> RefusedReport:
    """Write the refused documents' keys and reasons to a blob. Raises RefusedError unless they may be skipped."""
    context = await open_context(resources, order.run)
    refused = [each for part in order.parts for each in await refused_of(context, part)]
    if not refused:
        return RefusedReport(refused=0, blob=None)
    blob = report_name(order.run.records, "refused")
    await context.runs.put(blob, msgspec.json.encode(refused))
    if context.plan.job.skip_refused:
        return RefusedReport(refused=len(refused), blob=blob)
    named = ", ".join(repr(each.key) for each in refused[:_NAMED])
    raise RefusedError(
        f"the service refuses {len(refused)} documents ({named}{', …' if len(refused) > _NAMED else ''}), the first"
        f" because: {refused[0].reason}; all are named with their reasons in {blob} of the runs container",
        on=context.on,
        do="Change the target's definition with a patch, or use --skip-refused to go on without them",
    )


async def refused_of(context: RestoreContext, part: str) -> list[Refused]:
    """Return the documents of a stretch that were refused for good."""
    progress = await context.records.read(part, LoadProgress)
    return progress.refused if progress is not None else []


def progress_part(stretch: Stretch) -> str:
    """Return the name of the record of how far a stretch is loaded."""
    return f"loaded-{stretch.part}"


def _loader(context: RestoreContext, refused_before: int) -> Loader:
    return Loader(
        context.target,
        context.plan.into,
        rng=context.resources.rng,
        sleep=context.resources.sleep,
        most_refused=None if context.plan.job.skip_refused else max(0, MOST_REFUSED - refused_before),
    )


def _added(before: LoadProgress, loaded: Loaded, after: str, *, done: bool) -> LoadProgress:
    return LoadProgress(
        after=after,
        done=done,
        uploaded=before.uploaded + loaded.documents,
        bytes=before.bytes + loaded.bytes,
        requests=before.requests + loaded.requests,
        refused=[*before.refused, *loaded.refused],
    )


def _loaded(progress: LoadProgress) -> StretchLoaded:
    return StretchLoaded(
        uploaded=progress.uploaded,
        bytes=progress.bytes,
        requests=progress.requests,
        refused=len(progress.refused),
    )


LOAD = Activity("load_documents", Stretch, StretchLoaded, load, lambda stretch: stretch.run.work)
RECONCILE = Activity("reconcile_documents", Stretch, StretchLoaded, reconcile, lambda stretch: stretch.run.work)
REFUSED = Activity("look_at_refused", RefusedOrder, RefusedReport, look_at_refused, lambda order: order.run.work)
