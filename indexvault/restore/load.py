"""Load documents from the snapshot into the target: all into a new index, or what an existing one needs.

A stretch's checkpoint is written after the service has acknowledged its documents, each few megabytes, so that an
interrupted run resumes from there. Loading twice changes nothing: documents are uploaded whole and by key.
"""

import contextlib
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing

import msgspec

from indexvault.bounds import MEBIBYTE
from indexvault.errors import IndexvaultError, RefusedError
from indexvault.restore.batches import Actions
from indexvault.restore.compare import ComparisonTally, Deviation, deviations
from indexvault.restore.context import RestoreContext, open_context
from indexvault.restore.job import RestoreRun, Stretch, StretchLoaded
from indexvault.restore.selection import chunks_holding
from indexvault.restore.state import LoadCheckpoint
from indexvault.restore.stretch_context import StretchContext, open_stretch
from indexvault.restore.upload import MOST_REFUSED, Refused, Uploader, UploadTotals
from indexvault.search.batch import UPLOAD, delete_action, upload_action, uploads
from indexvault.snapshots.chunk_documents import KeyedLine
from indexvault.snapshots.chunks import Chunk
from indexvault.snapshots.run_names import report_name
from indexvault.workflow.activity import Activity, ProgressUpdate, Resources
from indexvault.workflow.checkpoints import Checkpoints

NOTED_AFTER = 8 * MEBIBYTE
"""Uploaded bytes after which a stretch's checkpoint is written: so much is sent again after a kill."""
_NAMED = 10


class RefusedInput(msgspec.Struct, frozen=True):
    """The stretches, by the names of their checkpoints, whose refused documents are reported."""

    run: RestoreRun
    parts: list[str]


class RefusedReport(msgspec.Struct, frozen=True):
    """How many documents were refused, and the blob that names them; None if there are none."""

    refused: int
    blob: str | None


async def load(resources: Resources, stretch: Stretch) -> StretchLoaded:
    """Load a stretch into the new index, from the last acknowledged document."""
    context = await open_stretch(resources, stretch)
    part = load_part(stretch.start, stretch.end)
    before = await context.records.read(part, LoadCheckpoint) or LoadCheckpoint()
    before = await _with_refusals_proved(context, before)
    if before.done:
        await context.records.write(part, before)
        return _loaded(before)
    projection = await context.projection()
    uploader = _uploader(context, len(before.refused), begin=UPLOAD)
    noted = _Noted(context.records, part, before)

    def action(line: bytes) -> memoryview:
        return memoryview(upload_action(projection.project(line)))[len(UPLOAD) :]

    def actions(lines: bytes, documents: int) -> list[memoryview] | None:
        return uploads(lines, documents) if projection.keeps(lines) else None

    async def acknowledged(key: str) -> None:
        await noted.note(_added(before, uploader.totals, key, done=False))

    async with noted, aclosing(context.selected(before.after or None, action, actions, stage="load")) as coming:
        totals = await uploader.upload(coming, acknowledged)
    if totals.given_up:
        # What follows the last acknowledged batch is sent again, so only its refusals are noted.
        refused = _united(noted.checkpoint.refused, totals.refused)
        checkpoint = msgspec.structs.replace(noted.checkpoint, refused=refused)
    else:
        checkpoint = _added(before, totals, noted.checkpoint.after, done=True)
    await context.records.write(part, checkpoint)
    return _loaded(checkpoint)


async def reconcile(resources: Resources, stretch: Stretch) -> StretchLoaded:
    """Write the documents that a stretch of the existing index lacks; mode sync also replaces and deletes."""
    context = await open_stretch(resources, stretch)
    part = load_part(stretch.start, stretch.end)
    earlier = await context.records.read(part, LoadCheckpoint) or LoadCheckpoint()
    # Every attempt compares anew, so what an earlier one was refused is tried again.
    before = msgspec.structs.replace(earlier, after="", done=False, refused=[], execution=context.run.execution)
    comparison = await context.comparison()
    projection = await context.projection()
    uploader = _uploader(context, 0)
    tally = ComparisonTally(differences=[])
    deletions = _Deletions()

    async def actions() -> Actions:
        present = await context.present()
        async with (
            aclosing(context.stretch.batches()) as chunks,
            aclosing(deviations(chunks, context.documents, present, comparison, tally)) as coming,
        ):
            async for found in coming:
                if found.line is not None and (found.kind == "missing" or context.plan.job.mode == "sync"):
                    yield [(found.key, upload_action(projection.project(found.line)))]
                elif found.kind == "extra" and context.plan.job.mode == "sync":
                    deletions.sent(found.key)
                    yield [(found.key, delete_action(context.source.key_field, found.key))]

    noted = _Noted(context.records, part, before)

    async def acknowledged(key: str) -> None:
        deletions.acknowledged(key, uploader.totals.refused)
        await noted.note(_added(before, uploader.totals, "", done=False, deleted=deletions.done))

    async with noted:
        totals = await uploader.upload(actions(), acknowledged)
    checkpoint = msgspec.structs.replace(noted.checkpoint, done=not totals.given_up, refused=_united(totals.refused))
    await context.records.write(part, checkpoint)
    documents = context.stretch.stretch.documents
    resources.report(ProgressUpdate(stage="load", documents=documents, bytes=totals.bytes))
    return msgspec.structs.replace(_loaded(checkpoint), untouched=tally.untouched)


async def _with_refusals_proved(context: StretchContext, before: LoadCheckpoint) -> LoadCheckpoint:
    """Try the documents again that an earlier execution noted as refused: a record alone does not excuse a document.

    Those whose chunks are gone stay noted.
    """
    execution = context.run.execution
    noted = {each.key: each for each in before.refused}
    if before.execution == execution or not noted:
        return msgspec.structs.replace(before, execution=execution)
    projection = await context.projection()
    gone: list[Refused] = []

    async def holding() -> AsyncGenerator[Sequence[Chunk]]:
        keys = sorted(noted)
        async with aclosing(context.stretch.batches()) as batches:
            async for batch in batches:
                yield chunks_holding(batch, keys)

    async def actions() -> AsyncGenerator[list[KeyedLine]]:
        async with aclosing(holding()) as chunks, aclosing(context.documents_unless_gone(chunks)) as reading:
            async for chunk, documents in reading:
                if documents is None:
                    gone.extend(noted[key] for key in noted if chunk.first <= key <= chunk.last)
                    continue
                again = await context.selection.selected([each for each in documents if each[0] in noted])
                yield [(key, upload_action(projection.project(line))) for key, line in again]

    async with aclosing(actions()) as coming:
        totals = await _uploader(context, 0).upload(coming)
    tried = msgspec.structs.replace(before, refused=gone, execution=execution)
    return _added(tried, totals, before.after, done=before.done and not totals.given_up)


async def repair(resources: Resources, stretch: Stretch) -> StretchLoaded:
    """Write the documents again that a stretch of the new index lacks, except those that it refuses.

    Documents that differ stay: what was loaded can't have changed by itself, so another writer changed them.
    """
    context = await open_stretch(resources, stretch)
    part = load_part(stretch.start, stretch.end)
    before = await context.records.read(part, LoadCheckpoint) or LoadCheckpoint()
    refused = {each.key for each in before.refused}
    comparison = await context.comparison()
    projection = await context.projection()
    uploader = _uploader(context, len(refused))

    async def missing() -> AsyncGenerator[Deviation]:
        present = await context.present()
        tally = ComparisonTally(differences=[])
        async with (
            aclosing(context.stretch.batches()) as chunks,
            aclosing(deviations(chunks, context.documents_unless_gone, present, comparison, tally)) as coming,
        ):
            async for found in coming:
                if found.kind == "missing" and found.key not in refused:
                    yield found

    async def actions() -> Actions:
        async for found in missing():
            assert found.line is not None  # noqa: S101 - a missing document is the snapshot's
            yield [(found.key, upload_action(projection.project(found.line)))]

    totals = await uploader.upload(actions())
    checkpoint = _added(before, totals, before.after, done=before.done)
    await context.records.write(part, checkpoint)
    return _loaded(checkpoint)


async def look_at_refused(resources: Resources, given: RefusedInput) -> RefusedReport:
    """Write the refused documents' keys and reasons to a blob. Raises RefusedError unless they may be skipped."""
    context = await open_context(resources, given.run)
    refused = _united(*[await refused_of(context, part) for part in given.parts])
    if not refused:
        return RefusedReport(refused=0, blob=None)
    blob = report_name(given.run.records, "refused")
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
    """Return the documents of a stretch that the service refused for good."""
    checkpoint = await context.records.read(part, LoadCheckpoint)
    return checkpoint.refused if checkpoint is not None else []


def load_part(start: int, end: int) -> str:
    """Return the name of the checkpoint that says how far a stretch, by its positions, is loaded."""
    return f"loaded-{start}-{end}"


def _uploader(context: RestoreContext, refused_before: int, *, begin: bytes = b"") -> Uploader:
    return Uploader(
        context.target,
        context.plan.written_index,
        rng=context.resources.rng,
        sleep=context.resources.sleep,
        most_refused=None if context.plan.job.skip_refused else max(0, MOST_REFUSED - refused_before),
        begin=begin,
    )


class _Noted:
    """Writes the checkpoint of a stretch down after each few megabytes, and when an error ends the work on it."""

    def __init__(self, records: Checkpoints, part: str, before: LoadCheckpoint) -> None:
        self._records = records
        self._part = part
        self._written = before
        self.checkpoint = before

    async def __aenter__(self) -> None:
        return

    async def __aexit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, IndexvaultError) and self.checkpoint is not self._written:
            with contextlib.suppress(IndexvaultError):
                await self._records.write(self._part, self.checkpoint)

    async def note(self, checkpoint: LoadCheckpoint) -> None:
        """Note what the service has acknowledged."""
        self.checkpoint = checkpoint
        if checkpoint.bytes - self._written.bytes >= NOTED_AFTER:
            await self._records.write(self._part, checkpoint)
            self._written = checkpoint


class _Deletions:
    """Counts the deletions that the service has carried out. Keys come in their order."""

    def __init__(self) -> None:
        self.done = 0
        self._under_way: list[str] = []

    def sent(self, key: str) -> None:
        self._under_way.append(key)

    def acknowledged(self, until: str, refused: Iterable[Refused]) -> None:
        """Count those up to a key: the service has answered for all of them."""
        refused_keys = {each.key for each in refused}
        self.done += sum(key <= until and key not in refused_keys for key in self._under_way)
        self._under_way = [key for key in self._under_way if key > until]


def _added(before: LoadCheckpoint, totals: UploadTotals, after: str, *, done: bool, deleted: int = 0) -> LoadCheckpoint:
    return LoadCheckpoint(
        after=after,
        done=done,
        uploaded=before.uploaded + totals.documents - deleted,
        deleted=before.deleted + deleted,
        bytes=before.bytes + totals.bytes,
        requests=before.requests + totals.requests,
        refused=_united(before.refused, totals.refused),
        execution=before.execution,
    )


def _united(*refused: list[Refused]) -> list[Refused]:
    """Return refused documents, each once: one that is sent again is refused again."""
    return list({each.key: each for some in refused for each in some}.values())


def _loaded(checkpoint: LoadCheckpoint) -> StretchLoaded:
    return StretchLoaded(
        uploaded=checkpoint.uploaded,
        deleted=checkpoint.deleted,
        bytes=checkpoint.bytes,
        requests=checkpoint.requests,
        refused=len(checkpoint.refused),
    )


LOAD = Activity("load_documents", Stretch, StretchLoaded, load, lambda stretch: stretch.run.work)
RECONCILE = Activity("reconcile_documents", Stretch, StretchLoaded, reconcile, lambda stretch: stretch.run.work)
REPAIR = Activity("repair_documents", Stretch, StretchLoaded, repair, lambda stretch: stretch.run.work)
REFUSED = Activity("report_refused", RefusedInput, RefusedReport, look_at_refused, lambda given: given.run.work)
