"""The progress of a run, stored where every process can read it.

Each activity at work has one small blob among its run's checkpoints, written at most every `WRITE_SECONDS`; an activity
that is started again starts its blob again. The blobs are removed with the run's checkpoints. They also count how often
an activity was started without ending, since one that ends its process is started again by the platform.

An activity reports `ProgressUpdate`s. They add up to a `StageProgress` for each stage; an `ActivityProgress` is what is
stored of one activity, a `RunProgress` the sum over a run's activities.
"""

import asyncio
import contextlib
import hashlib
import logging
from collections.abc import AsyncIterator, Iterable
from dataclasses import replace
from typing import Any

import msgspec

from indexvault.errors import IndexvaultError
from indexvault.snapshots.manifest import AwareTime
from indexvault.snapshots.records import RecordStore
from indexvault.snapshots.run_names import checkpoint_name, run_prefix
from indexvault.snapshots.store import RunBlobs
from indexvault.workflow.activity import Activity, ProgressUpdate, Resources, Work
from indexvault.workflow.stalled import PROGRESS_PART, Resumptions, durable_state, stalled_error

WRITE_SECONDS = 2.0
_RECORD_LIMIT = 64 * 1024
_LOG = logging.getLogger(__name__)


class StageProgress(msgspec.Struct, frozen=True):
    """What has been done in one stage: documents, bytes, and how many documents the stage will have, if known."""

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
    """What one activity has done, by stage, since it started; how often it was started again; whether it has ended."""

    started: AwareTime
    stages: dict[str, StageProgress]
    resumptions: Resumptions = Resumptions()
    ended: bool = True


class RunProgress(msgspec.Struct, frozen=True):
    """What the activities of a run have done so far, by stage, in the order in which the stages began."""

    started: AwareTime
    stages: dict[str, StageProgress]


@contextlib.asynccontextmanager
async def reported(resources: Resources, activity: Activity[Any, Any], given: Any) -> AsyncIterator[Resources]:
    """Yield resources that store the progress reported to them while the block runs the activity.

    Raises IndexvaultError if the activity was started too often without ending, and the run got no further.
    """
    if activity.work is None:
        yield resources
        return
    work = activity.work(given)
    digest = hashlib.sha256(msgspec.json.encode(given)).hexdigest()[:16]
    name = checkpoint_name(work.known_run, f"{PROGRESS_PART}{activity.name}-{digest}")
    blobs = resources.clients.store_of(work.service).runs
    records = _records(blobs)
    resumptions = await _resumptions(blobs, name, work)
    started = resources.clock()
    stages: dict[str, StageProgress] = {}
    changed = asyncio.Event()

    def report(progress: ProgressUpdate) -> None:
        resources.report(progress)
        stages[progress.stage] = stages.get(progress.stage, StageProgress()).plus(progress)
        changed.set()

    async def write(*, ended: bool = False) -> None:
        changed.clear()
        try:
            await records.write(name, ActivityProgress(started, stages, resumptions, ended))
        except IndexvaultError as error:
            _LOG.warning("progress could not be written: %s", error)

    async def keep_writing() -> None:
        while True:
            await changed.wait()
            await write()
            await asyncio.sleep(WRITE_SECONDS)

    await write()
    if resumptions.too_many:
        raise stalled_error(f"run {work.known_run}, activity {activity.name}")
    writer = asyncio.create_task(keep_writing())
    try:
        yield replace(resources, report=report)
    finally:
        writer.cancel()
        await asyncio.wait([writer])
        # The activity that ends a run removes the run's checkpoints: nothing may be written anew after it.
        await (write(ended=True) if stages else _forget(blobs, name))


async def _forget(blobs: RunBlobs, name: str) -> None:
    try:
        await blobs.delete(name)
    except IndexvaultError as error:
        _LOG.warning("progress could not be removed: %s", error)


async def _resumptions(blobs: RunBlobs, name: str, work: Work) -> Resumptions:
    """Return how often an activity that now starts was resumed in a row without progress."""
    try:
        earlier = await _records(blobs).read(name)
        if earlier is None or earlier.ended:
            return Resumptions()
        return earlier.resumptions.again(await durable_state(blobs, {work.run, work.known_run}))
    except IndexvaultError as error:
        _LOG.warning("how often activity %s was resumed is unknown: %s", name, error)
        return Resumptions()


async def read_progress(stores: Iterable[RunBlobs], run: str) -> RunProgress | None:
    """Return the progress of a run from its records in these stores, or None if no activity has reported any.

    Raises IntegrityError if a record can't be read.
    """
    records = []
    for blobs in stores:
        records += [record async for _, record in _records(blobs).list(f"{run_prefix(run)}{PROGRESS_PART}")]
    records = [record for record in records if record.stages]
    if not records:
        return None
    records.sort(key=lambda record: record.started)
    stages: dict[str, StageProgress] = {}
    for record in records:
        for stage, progress in record.stages.items():
            stages[stage] = stages.get(stage, StageProgress()).plus(progress)
    return RunProgress(records[0].started, stages)


def _records(blobs: RunBlobs) -> RecordStore[ActivityProgress]:
    return RecordStore(blobs, ActivityProgress, limit=_RECORD_LIMIT)
