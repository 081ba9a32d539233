"""The full report of an item of a run, in the runs container, where it is too long to pass between steps.

It outlives the run's checkpoints and is removed with the run's record.
"""

from typing import Any

import msgspec

from indexvault.errors import ErrorRecord
from indexvault.snapshots.records import RecordStore
from indexvault.snapshots.run_names import report_name
from indexvault.snapshots.store import RunBlobs
from indexvault.workflow.activity import Resources, Work
from indexvault.workflow.payload_size import shortened
from indexvault.workflow.runs import Outcome

LIMIT = 48 * 1024 * 1024
"""Bytes of the largest report: a command line takes an answer of 64 MiB."""
_PART = "report"


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """A report that was written: its figures, and why the item counts as failed all the same, if it does."""

    documents: int | None = None
    bytes: int | None = None
    failure: ErrorRecord | None = None


class _Report(msgspec.Struct, frozen=True):
    report: msgspec.Raw


async def write_report(resources: Resources, work: Work, report: Any) -> None:
    """Write the report of an item, replacing an earlier one of the same item."""
    blobs = resources.clients.store_of(work.service).runs
    await _records(blobs).write(report_name(work.run, _PART), _Report(msgspec.Raw(msgspec.json.encode(report))))


async def read_report(blobs: RunBlobs, run: str) -> msgspec.Raw | None:
    """Return the report of an item by the name of its run, or None. Raises IntegrityError if it can't be read."""
    found = await _records(blobs).read(report_name(run, _PART))
    return None if found is None else found.report


async def remove_report(blobs: RunBlobs, run: str) -> None:
    """Remove the report of an item, if there is one."""
    await blobs.delete(report_name(run, _PART))


def outcome_of(written: Written) -> Outcome:
    """Return the outcome of an item that has a report."""
    failure = written.failure
    if failure is not None:
        failure = msgspec.structs.replace(failure, what=shortened(failure.what), on=shortened(failure.on))
    return Outcome(
        state="done" if failure is None else "failed",
        documents=written.documents,
        bytes=written.bytes,
        failure=failure,
    )


def _records(blobs: RunBlobs) -> RecordStore[_Report]:
    return RecordStore(
        blobs, _Report, what="the report of this run can't be read", do="Start a new run", limit=LIMIT + 1024
    )
