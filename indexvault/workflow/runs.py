"""Records of runs as an operator sees them: what was asked for, the outcome of each index, and when.

A record is in the runs container of the service whose snapshots are made or read. It is written before the engine is
told of the run and outlives the engine's history, so storage alone tells what is due and what was interrupted. A
finished record does not change any more.
"""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Literal

import msgspec
from msgspec.structs import replace

from indexvault.errors import ConflictError, ErrorRecord, IntegrityError, NotFoundError
from indexvault.model import IndexName
from indexvault.settings.model import ChangesSettings
from indexvault.snapshots.labels import Labels
from indexvault.snapshots.manifest import AwareTime
from indexvault.snapshots.records import RecordStore
from indexvault.snapshots.run_names import OPEN_PREFIX, RECORDS_PREFIX, open_name, record_name, run_of
from indexvault.snapshots.store import RunBlobs
from indexvault.workflow.stalled import Resumptions

type RunKind = Literal[
    "backup", "restore", "move", "verify", "prune", "delete", "diff", "compare", "drill", "follow", "drift", "failover"
]
type RunState = Literal["waiting", "running", "done", "lossy", "unsettled", "failed", "cancelled"]
type ItemState = Literal["waiting", "done", "lossy", "unsettled", "gone", "failed", "cancelled"]
FINISHED: frozenset[str] = frozenset({"done", "lossy", "unsettled", "failed", "cancelled"})

_RECORD_LIMIT = 64 * 1024 * 1024
_READ_AT_ONCE = 8
_ATTEMPTS = 10
_LOG = logging.getLogger(__name__)


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of one item. `gone` is an index that was deleted between being listed and being read.

    `report` is the report of a finished restore or move, as plain data. `unchanged` says that nothing had changed since
    `snapshot`, so that a backup made no other one.
    """

    state: ItemState
    documents: int | None = None
    bytes: int | None = None
    snapshot: str | None = None
    losses: list[str] = []
    unchanged: bool = False
    notes: list[str] = []
    failure: ErrorRecord | None = None
    report: dict[str, Any] | None = None


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """One index that a run writes or backs up. `named` says that it was asked for by its full name.

    `run` is the name of this part of the run: of its lock, its checkpoints and its workflow. `also` are further indexes
    that it locks at some time, such as the source of a move.
    """

    index: IndexName
    run: str
    job: Any
    named: bool = True
    also: list[IndexName] = []
    outcome: Outcome = Outcome(state="waiting")
    finished: AwareTime | None = None

    @property
    def indexes(self) -> list[IndexName]:
        """All indexes that the item locks at some time."""
        return [self.index, *self.also]


class RunRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The record of one run.

    `workflow` is the name of its workflow, `service` the service that its snapshots are from, or that a pair's run
    writes to, `asked` what was asked for, in words. `policy`, `drill` or `pair` is that of the settings that the run is
    for, and `scheduled` the time it was scheduled for, if any. `choose` are the names and patterns by which the items
    are still to be chosen, `changes` is by which field their changes are told, if a request asked for that.
    `resumptions` counts how often it was handed to
    the engine again. `caller` is who asked for it over HTTP, by a name of the API's. `app` is the Functions app whose
    engine works on it.
    """

    run: str
    kind: RunKind
    workflow: str
    service: str
    asked: str
    owner: str
    created: AwareTime
    policy: str | None = None
    drill: str | None = None
    pair: str | None = None
    scheduled: AwareTime | None = None
    choose: list[str] = []
    changes: ChangesSettings | None = None
    state: RunState = "waiting"
    items: list[Item] = []
    failure: ErrorRecord | None = None
    notes: list[str] = []
    started: AwareTime | None = None
    finished: AwareTime | None = None
    resumptions: Resumptions = Resumptions()
    caller: str = ""
    labels: Labels = Labels()
    time_limit: timedelta | None = None
    app: str = ""

    @property
    def is_finished(self) -> bool:
        """Whether the run has ended, and its record won't change any more."""
        return self.state in FINISHED


class Runs:
    """The records of runs in one store."""

    def __init__(self, blobs: RunBlobs) -> None:
        self._blobs = blobs
        self._records = RecordStore(
            blobs,
            RunRecord,
            what="the record of this run can't be read",
            do="Delete the blob if the run no longer matters",
            limit=_RECORD_LIMIT,
        )

    async def create(self, record: RunRecord) -> bool:
        """Write the record of a new run; return False if there is one of that name."""
        # The mark of an unfinished run comes first: a mark without a run is harmless, an unmarked run is never resumed.
        await self._blobs.put(open_name(record.run), b"{}")
        try:
            await self._records.write(record_name(record.run), record, if_absent=True)
        except ConflictError:
            return False
        return True

    async def read(self, run: str) -> RunRecord | None:
        """Return a run's record, or None if there is none. Raises IntegrityError if it can't be read."""
        return await self._records.read(record_name(run))

    async def change(self, run: str, change: Callable[[RunRecord], RunRecord]) -> RunRecord:
        """Change a run's record, unless it is finished, and return the record that is stored afterwards.

        `change` is called again on the newer record if another process changed it meanwhile. Raises NotFoundError if
        there is none, ConflictError if it keeps changing, IntegrityError if it can't be read.
        """
        for _ in range(_ATTEMPTS):
            version = await self._records.read_version(record_name(run))
            if version is None:
                raise NotFoundError("no such run", on=f"run {run}", do="List the runs there are")
            if version.record.is_finished:
                await self._blobs.delete(open_name(run))
                return version.record
            changed = change(version.record)
            try:
                await self._records.write(record_name(run), changed, if_match=version.etag)
            except ConflictError:
                continue
            if changed.is_finished:
                await self._blobs.delete(open_name(run))
            return changed
        raise ConflictError("its record was changed by others each time", on=f"run {run}", do="Try again")

    async def names(self) -> list[str]:
        """Return the names of all runs, the newest first: a name begins with a time in UTC."""
        found = [run_of(blob.name) async for blob in self._blobs.list(RECORDS_PREFIX)]
        return sorted((name for name in found if name is not None), reverse=True)

    async def unfinished(self) -> list[RunRecord]:
        """Return the runs that are not finished, the oldest first, and remove the marks of those that are.

        A record that can't be read is logged and left out.
        """
        marked = [run_of(blob.name) async for blob in self._blobs.list(OPEN_PREFIX)]
        records = []
        for run in filter(None, marked):
            try:
                record = await self.read(run)
            except IntegrityError as error:
                _LOG.error("%s", error)
                continue
            if record is None or record.is_finished:
                await self._blobs.delete(open_name(run))
            else:
                records.append(record)
        return records

    async def read_all(self, names: list[str]) -> list[RunRecord]:
        """Return the records of these names, in their order. Those that can't be read are logged and left out."""
        room = asyncio.Semaphore(_READ_AT_ONCE)

        async def read(name: str) -> RunRecord | None:
            async with room:
                try:
                    return await self.read(name)
                except IntegrityError as error:
                    _LOG.warning("%s", error)
                    return None

        return [record for record in await asyncio.gather(*map(read, names)) if record is not None]

    async def forget(self, run: str) -> None:
        """Remove a run's record."""
        await self._records.remove(record_name(run))


def with_outcome(record: RunRecord, run: str, outcome: Outcome, finished: datetime) -> RunRecord:
    """Return a run's record with the outcome of one item."""
    items = [
        replace(item, outcome=outcome, finished=finished) if item.run == run else item for item in record.items
    ]  # fmt: skip
    return replace(record, items=items)


def closed(record: RunRecord, now: datetime, failure: ErrorRecord | None = None) -> RunRecord:
    """Return the record of a run that has ended: failed if an item failed, else unsettled or lossy if an item is."""
    states = {item.outcome.state for item in record.items}
    state: RunState = "done"
    if failure is not None or states & {"failed", "waiting"}:
        state = "failed"
    elif "cancelled" in states:
        state = "cancelled"
    elif "unsettled" in states:
        state = "unsettled"
    elif "lossy" in states:
        state = "lossy"
    return replace(record, state=state, failure=failure, finished=now)


def given_up(record: RunRecord, now: datetime, failure: ErrorRecord) -> RunRecord:
    """Return the record of a run that nothing works on any more: items that had finished keep their outcome."""
    failed = Outcome(state="failed", failure=failure)
    items = [
        replace(item, outcome=failed, finished=now) if item.outcome.state == "waiting" else item
        for item in record.items
    ]
    return closed(replace(record, items=items), now, failure)


def cancelled(record: RunRecord, now: datetime) -> RunRecord:
    """Return the record of a run that was cancelled: items that had finished keep their outcome."""
    stopped = Outcome(state="cancelled")
    items = [
        replace(item, outcome=stopped, finished=now) if item.outcome.state == "waiting" else item
        for item in record.items
    ]
    return replace(record, items=items, state="cancelled", finished=now)
