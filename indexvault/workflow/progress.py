"""How far the steps of a run have come, kept where every process can read it.

Each step at work has one small blob among its run's checkpoints, written at most every `WRITE_SECONDS`; a step that is
started again starts its blob again. They go when the run's checkpoints go.
"""

import asyncio
import contextlib
import hashlib
import logging
from collections.abc import AsyncIterator, Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any

import msgspec

from indexvault.errors import IndexvaultError
from indexvault.snapshots.names import checkpoint_name, run_prefix
from indexvault.snapshots.store import RunBlobs
from indexvault.workflow.activity import Activity, ProgressUpdate, Resources

WRITE_SECONDS = 2.0
_RECORD_LIMIT = 64 * 1024
_PART = "progress-"
_LOG = logging.getLogger(__name__)


class StageProgress(msgspec.Struct, frozen=True):
    """What has been done in one stage: documents, bytes, and the documents that the stage will have if known."""

    documents: int = 0
    bytes: int = 0
    expected: int | None = None

    def plus(self, other: "ProgressUpdate | StageProgress") -> "StageProgress":
        """Return the sum."""
        return StageProgress(
            documents=self.documents + other.documents,
            bytes=self.bytes + other.bytes,
            expected=self.expected if other.expected is None else other.expected,
        )


class ActivityProgress(msgspec.Struct, frozen=True):
    """What one step has done, by stage, since it started."""

    started: datetime
    stages: dict[str, StageProgress]


class RunProgress(msgspec.Struct, frozen=True):
    """What the steps of a run have done so far, in the order in which stages began."""

    started: datetime
    stages: dict[str, StageProgress]


@contextlib.asynccontextmanager
async def reported(resources: Resources, step: Activity[Any, Any], given: Any) -> AsyncIterator[Resources]:
    """Return resources whose reports are kept while the block, which runs the step, lasts."""
    if step.work is None:
        yield resources
        return
    work = step.work(given)
    digest = hashlib.sha256(msgspec.json.encode(given)).hexdigest()[:16]
    name = checkpoint_name(work.known_run, f"{_PART}{step.name}-{digest}")
    blobs = resources.clients.store_of(work.service).runs
    started = resources.clock()
    stages: dict[str, StageProgress] = {}
    changed = asyncio.Event()

    def report(progress: ProgressUpdate) -> None:
        resources.report(progress)
        stages[progress.stage] = stages.get(progress.stage, StageProgress()).plus(progress)
        changed.set()

    async def write() -> None:
        changed.clear()
        try:
            await blobs.put(name, msgspec.json.encode(ActivityProgress(started, stages)))
        except IndexvaultError as error:
            _LOG.warning("progress could not be written: %s", error)

    async def keep_writing() -> None:
        while True:
            await changed.wait()
            await write()
            await asyncio.sleep(WRITE_SECONDS)

    writer = asyncio.create_task(keep_writing())
    try:
        yield replace(resources, report=report)
    finally:
        writer.cancel()
        await asyncio.wait([writer])
        if stages:
            await write()


async def read_progress(stores: Iterable[RunBlobs], run: str) -> RunProgress | None:
    """Return how far a run has come by what lies in these stores, or None if no step of it has said anything."""
    records = []
    for blobs in stores:
        async for blob in blobs.list(f"{run_prefix(run)}{_PART}"):
            read = await blobs.read(blob.name, _RECORD_LIMIT)
            if read is not None:
                records.append(msgspec.json.decode(read.data, type=ActivityProgress))
    if not records:
        return None
    records.sort(key=lambda record: record.started)
    stages: dict[str, StageProgress] = {}
    for record in records:
        for stage, progress in record.stages.items():
            stages[stage] = stages.get(stage, StageProgress()).plus(progress)
    return RunProgress(records[0].started, stages)
