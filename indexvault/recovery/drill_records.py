"""The durable records of drills: the last result of each index, and the temporary indexes that are to be removed.

The record of a temporary index is written before the index is made and removed after it is gone. So whatever a crash
leaves on a service, the next tick finds it.
"""

from collections.abc import AsyncIterator

import msgspec

from indexvault.model import IndexName
from indexvault.recovery.drill_job import DrillReport
from indexvault.snapshots.manifest import AwareTime
from indexvault.snapshots.records import RecordStore
from indexvault.snapshots.run_names import OPEN_DRILLS_PREFIX, drill_name, open_drill_name
from indexvault.snapshots.store import RunBlobs


class OpenDrill(msgspec.Struct, frozen=True):
    """A temporary index that the drill of `run` makes, and what is restored into it."""

    run: str
    target: IndexName
    source: IndexName
    snapshot: str
    since: AwareTime


class DrillResults(msgspec.Struct, frozen=True):
    """The last drill of an index, and the last good one."""

    last: DrillReport
    last_good: DrillReport | None = None


async def read_results(runs: RunBlobs, index: IndexName) -> DrillResults | None:
    """Return the results of an index's drills, or None if there was none. Raises IntegrityError."""
    return await _results(runs).read(drill_name(index.service, index.index))


async def note_result(runs: RunBlobs, report: DrillReport) -> None:
    """Keep a result. An earlier good one stays beside one that failed."""
    name = drill_name(report.service, report.index)
    before = await _results(runs).read(name)
    good = report if report.is_good else before.last_good if before is not None else None
    await _results(runs).write(name, DrillResults(report, good))


async def note_open(runs: RunBlobs, drill: OpenDrill) -> None:
    """Say that a temporary index is about to be made."""
    await _open(runs).write(open_drill_name(drill.target.service, drill.target.index), drill)


async def read_open(runs: RunBlobs, target: IndexName) -> OpenDrill | None:
    """Return the record of a temporary index, or None."""
    return await _open(runs).read(open_drill_name(target.service, target.index))


async def forget_open(runs: RunBlobs, target: IndexName) -> None:
    """Say that a temporary index is gone."""
    await runs.delete(open_drill_name(target.service, target.index))


async def all_open(runs: RunBlobs) -> AsyncIterator[OpenDrill]:
    """Yield the records of all temporary indexes."""
    async for blob in runs.list(OPEN_DRILLS_PREFIX):
        found = await _open(runs).read(blob.name)
        if found is not None:
            yield found


def _results(runs: RunBlobs) -> RecordStore[DrillResults]:
    return RecordStore(
        runs, DrillResults, what="the results of its drills can't be read", do="Delete the blob, and drill again"
    )


def _open(runs: RunBlobs) -> RecordStore[OpenDrill]:
    return RecordStore(
        runs,
        OpenDrill,
        what="the record of a drill's temporary index can't be read",
        do="Delete the index if it is there, then the blob",
    )
