"""Compare a snapshot with another one, or with an index as it is now, as a run of the app. Nothing is locked."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import datetime
from typing import Literal

import msgspec

from indexvault.backup.live_index import LiveIndex
from indexvault.clients import Clients
from indexvault.model import IndexName
from indexvault.snapshots.catalogue import resolve_manifest
from indexvault.snapshots.diff import DiffTally, DocumentChange, diff_snapshots
from indexvault.snapshots.field_diff import DefinitionDifference, changed_fields, definition_differences
from indexvault.snapshots.manifest import Definition, Manifest
from indexvault.snapshots.names import SnapshotReference
from indexvault.workflow.activity import Activity, Resources, Work
from indexvault.workflow.fan_out import ACTIVITIES as FAN_OUT_ACTIVITIES
from indexvault.workflow.reported_run import item_workflow, reported_run
from indexvault.workflow.reports import Written, write_report
from indexvault.workflow.unless_cancelled import unless_cancelled

MOST_CHANGES = 100_000
"""Documents that a report names."""
MOST_CHANGE_BYTES = 32 * 1024 * 1024
"""Bytes of keys and names of fields in a report."""


class CompareJob(msgspec.Struct, frozen=True, kw_only=True):
    """The snapshot to compare, and what with: a snapshot, or an index as it is now. Snapshots have their ids.

    `fields` asks for the names of the fields that changed.
    """

    before: SnapshotReference
    after: SnapshotReference | None
    live: IndexName | None
    fields: bool
    run: str

    @property
    def work(self) -> Work:
        """What the activity of this job works for."""
        service = self.before.service
        return Work(run=self.run, service=service, index=IndexName(service, self.before.index))


class NamedChange(msgspec.Struct, frozen=True):
    """A document that is not the same on both sides; `fields` are those that changed, if they were asked for."""

    kind: Literal["added", "removed", "changed"]
    key: str
    fields: list[str] | None = None


class Comparison(msgspec.Struct, frozen=True):
    """What differs. `left_out` counts documents that differ too and are too many to be named."""

    definition: list[DefinitionDifference]
    changes: list[NamedChange]
    tally: DiffTally
    left_out: int


async def open_comparison(
    clients: Clients, before: Manifest, after: SnapshotReference | IndexName, tally: DiffTally, now: datetime
) -> tuple[Definition, AsyncGenerator[DocumentChange]]:
    """Return the other side's definition, and the documents that differ, in key order.

    Raises NotFoundError if there is no such snapshot or index, UnreadableIndexError for an index without key order.
    """
    blobs = clients.reading_store(before.service).snapshots
    if isinstance(after, IndexName):
        live = await LiveIndex.open(clients.service(after.service), after.index)
        return live.definition, live.changes_since(blobs, before, tally)
    other = clients.reading_store(after.service).snapshots
    manifest = await resolve_manifest(other, after, now=now)
    return manifest.definition, diff_snapshots(blobs, before, manifest, tally, after_blobs=other)


def named(change: DocumentChange, *, fields: bool) -> NamedChange:
    """Return a change without its documents."""
    if fields and change.before is not None and change.after is not None:
        return NamedChange(change.kind, change.key, changed_fields(change.before, change.after))
    return NamedChange(change.kind, change.key)


async def compare(resources: Resources, job: CompareJob) -> Written:
    """Compare, and write the report. Raises CancelledError if the run was cancelled."""
    report = await unless_cancelled(resources, job.work, _compare(resources, job))
    await write_report(resources, job.work, report)
    return Written()


async def _compare(resources: Resources, job: CompareJob) -> Comparison:
    clients, now, tally = resources.clients, resources.clock(), DiffTally()
    blobs = clients.reading_store(job.before.service).snapshots
    before = await resolve_manifest(blobs, job.before, now=now)
    after = job.live or job.after
    assert after is not None  # noqa: S101 - the request is checked
    definition, changes = await open_comparison(clients, before, after, tally, now)
    found: list[NamedChange] = []
    room, left_out = MOST_CHANGE_BYTES, 0
    async with aclosing(changes):
        async for change in changes:
            if left_out or len(found) == MOST_CHANGES:
                left_out += 1
                continue
            each = named(change, fields=job.fields)
            room -= len(msgspec.json.encode(each))
            if room < 0:
                left_out += 1
            else:
                found.append(each)
    return Comparison(definition_differences(before.definition, definition), found, tally, left_out)


COMPARE = Activity("compare_states", CompareJob, Written, compare, work=lambda job: job.work, locks=False)
COMPARE_STATES = item_workflow("compare_two_states", COMPARE)
RUN_DIFF = reported_run("run_diff", COMPARE_STATES)
ACTIVITIES = (*FAN_OUT_ACTIVITIES, COMPARE)
WORKFLOWS = (COMPARE_STATES, RUN_DIFF)
