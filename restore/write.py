"""Documents from the snapshot into the target: all of them into a new index, or only what an existing one needs.

How far a stretch is loaded is written down after the service has acknowledged it, so that a run that is killed goes on
from there. Doing it twice changes nothing either way: documents are uploaded whole and by key.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing

import msgspec

from engine.step import Progress, Resources, Step
from errors import RefusedError
from restore.batches import Actions
from restore.compare import Tally, deviations
from restore.job import RestoreRun, Stretch, StretchLoaded
from restore.load import MOST_REFUSED, Loaded, Loader, Refused
from restore.scene import Scene, open_scene
from restore.shape import Shape
from restore.undertaking import MADE, LoadProgress, Made, require
from search.batch import delete_action, upload_action
from search.schema import read_schema
from snapshots.names import report_name

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
    scene = await open_scene(resources, stretch.run)
    part = progress_part(stretch)
    before = await scene.records.read(part, LoadProgress) or LoadProgress()
    if before.done:
        return _loaded(before)
    made = await require(scene.records, MADE, Made, scene.on)
    shape = Shape(scene.source_schema, read_schema(made.body, on=scene.on))
    loader = _loader(scene, len(before.refused))
    progress = before

    async def actions() -> AsyncGenerator[tuple[str, bytes]]:
        async with aclosing(scene.stored(stretch, before.after or None, stage="load")) as stored:
            async for key, line in stored:
                yield key, upload_action(shape.fit(line))

    async def acknowledged(key: str) -> None:
        nonlocal progress
        progress = _added(before, loader.loaded, key, done=False)
        await scene.records.write(part, progress)

    async with aclosing(actions()) as coming:
        loaded = await loader.load(coming, acknowledged)
    progress = _added(before, loaded, progress.after, done=not loaded.given_up)
    await scene.records.write(part, progress)
    return _loaded(progress)


async def reconcile(resources: Resources, stretch: Stretch) -> StretchLoaded:
    """Write what a stretch of the existing index lacks, in mode sync also what differs or is too much."""
    scene = await open_scene(resources, stretch.run)
    part = progress_part(stretch)
    earlier = await scene.records.read(part, LoadProgress)
    by = await scene.comparison()
    made = await require(scene.records, MADE, Made, scene.on)
    into = Shape(scene.source_schema, read_schema(made.body, on=scene.on))
    loader = _loader(scene, 0)
    tally = Tally(differences=[])
    deleted = 0

    async def actions() -> Actions:
        nonlocal deleted
        present = await scene.present(stretch)
        async for found in deviations(scene.chunks(stretch), scene.read, present, by, tally):
            if found.line is not None and (found.kind == "missing" or scene.order.job.mode == "sync"):
                yield found.key, upload_action(into.fit(found.line))
            elif found.kind == "extra" and scene.order.job.mode == "sync":
                deleted += 1
                yield found.key, delete_action(scene.manifest.key_field, found.key)

    loaded = await loader.load(actions())
    await scene.records.write(part, _added(LoadProgress(), loaded, "", done=True))
    held = sum(chunk.documents for chunk in scene.chunks(stretch))
    resources.report(Progress(stage="load", documents=held, bytes=loaded.bytes))
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
    scene = await open_scene(resources, order.run)
    refused = [each for part in order.parts for each in await refused_of(scene, part)]
    if not refused:
        return RefusedReport(refused=0, blob=None)
    blob = report_name(order.run.records, "refused")
    await scene.runs.put(blob, msgspec.json.encode(refused))
    if scene.order.job.skip_refused:
        return RefusedReport(refused=len(refused), blob=blob)
    named = ", ".join(repr(each.key) for each in refused[:_NAMED])
    raise RefusedError(
        f"the service refuses {len(refused)} documents ({named}{', …' if len(refused) > _NAMED else ''}), the first"
        f" because: {refused[0].reason}; all are named with their reasons in {blob} of the runs container",
        on=scene.on,
        do="Change the target's definition with a patch, or use --skip-refused to go on without them",
    )


async def refused_of(scene: Scene, part: str) -> list[Refused]:
    """Give the documents of a stretch that were refused for good."""
    progress = await scene.records.read(part, LoadProgress)
    return progress.refused if progress is not None else []


def progress_part(stretch: Stretch) -> str:
    """Give the name of the record of how far a stretch is loaded."""
    return f"loaded-{stretch.part}"


def _loader(scene: Scene, refused_before: int) -> Loader:
    return Loader(
        scene.target,
        scene.order.into,
        chance=scene.resources.chance,
        sleep=scene.resources.sleep,
        most_refused=None if scene.order.job.skip_refused else max(0, MOST_REFUSED - refused_before),
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


LOAD = Step("load_documents", Stretch, StretchLoaded, load, lambda stretch: stretch.run.work)
RECONCILE = Step("reconcile_documents", Stretch, StretchLoaded, reconcile, lambda stretch: stretch.run.work)
REFUSED = Step("look_at_refused", RefusedOrder, RefusedReport, look_at_refused, lambda order: order.run.work)
