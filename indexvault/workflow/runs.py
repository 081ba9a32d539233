"""Runs as an operator sees them: what was asked for, what has become of each index, and when.

A record stands in the runs container of the service whose snapshots are made or read. It is written before the engine
hears of the run and outlives the engine's own history, so that what is due, and what was interrupted, can be told from
storage alone. A record that is finished does not change any more.
"""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any, Literal

import msgspec
from msgspec.structs import replace

from indexvault.errors import ConflictError, ErrorRecord, IntegrityError, NotFoundError
from indexvault.model import IndexName
from indexvault.snapshots.names import OPEN_PREFIX, RECORDS_PREFIX, open_name, record_name, run_of
from indexvault.snapshots.store import RunBlobs

type RunState = Literal["waiting", "running", "done", "lossy", "failed", "cancelled"]
type ItemState = Literal["waiting", "done", "lossy", "gone", "failed", "cancelled"]
FINISHED: frozenset[str] = frozenset({"done", "lossy", "failed", "cancelled"})

_RECORD_LIMIT = 64 * 1024 * 1024
_READ_AT_ONCE = 8
_ATTEMPTS = 10
_LOG = logging.getLogger(__name__)


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one index. `gone` is an index that was deleted between being found and being read.

    `report` is all that a finished restore or move says of itself, as plain data.
    """

    state: ItemState
    documents: int | None = None
    bytes: int | None = None
    snapshot: str | None = None
    losses: list[str] = []
    notes: list[str] = []
    failure: ErrorRecord | None = None
    report: dict[str, Any] | None = None


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """One index that a run writes, or makes a snapshot of; `named` says that it was asked for by its full name.

    `run` names this part of the work: its lock, its checkpoints and its workflow go by it. `also` are further indexes
    that it locks at some time: the source of a move.
    """

    index: IndexName
    run: str
    job: Any
    named: bool = True
    also: list[IndexName] = []
    outcome: Outcome = Outcome(state="waiting")
    finished: datetime | None = None

    @property
    def indexes(self) -> list[IndexName]:
        """All indexes that it locks at some time."""
        return [self.index, *self.also]


class RunRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One run.

    `workflow` is what the engine runs for it. `service` is where its snapshots are from, and `asked` what was asked
    for, in words. A run of a policy names it, and the time it was scheduled for. `choose` are the names and patterns
    that the items are yet to be chosen by.
    """

    run: str
    kind: Literal["backup", "restore", "move"]
    workflow: str
    service: str
    asked: str
    owner: str
    created: datetime
    policy: str | None = None
    scheduled: datetime | None = None
    choose: list[str] = []
    state: RunState = "waiting"
    items: list[Item] = []
    failure: ErrorRecord | None = None
    notes: list[str] = []
    started: datetime | None = None
    finished: datetime | None = None

    @property
    def is_finished(self) -> bool:
        """Whether nothing more will happen."""
        return self.state in FINISHED


class Runs:
    """The records in one store."""

    def __init__(self, blobs: RunBlobs) -> None:
        self._blobs = blobs

    async def create(self, record: RunRecord) -> bool:
        """Write the record of a new run; give False if there is one of that name."""
        # The mark comes first: a run that nobody would find again is worse than a mark without a run.
        await self._blobs.put(open_name(record.run), b"{}")
        try:
            await self._blobs.put(record_name(record.run), msgspec.json.encode(record), if_absent=True)
        except ConflictError:
            return False
        return True

    async def read(self, run: str) -> RunRecord | None:
        """Return a run's record, or None if there is none."""
        return (await self._read(run))[0]

    async def change(self, run: str, change: Callable[[RunRecord], RunRecord]) -> RunRecord:
        """Change a run's record, unless it is finished, and give it as it is then.

        `change` is called again on a newer record when others changed it meanwhile. Raises NotFoundError if there is
        none.
        """
        for _ in range(_ATTEMPTS):
            record, etag = await self._read(run)
            if record is None:
                raise NotFoundError("there is no such run", on=f"run {run}", do="List the runs there are")
            if record.is_finished:
                await self._blobs.delete(open_name(run))
                return record
            changed = change(record)
            try:
                await self._blobs.put(record_name(run), msgspec.json.encode(changed), if_match=etag)
            except ConflictError:
                continue
            if changed.is_finished:
                await self._blobs.delete(open_name(run))
            return changed
        raise ConflictError("its record keeps changing", on=f"run {run}", do="Try again")

    async def names(self) -> list[str]:
        """Return the names of all runs, the newest first: a name begins with a time."""
        found = [run_of(blob.name) async for blob in self._blobs.list(RECORDS_PREFIX)]
        return sorted((name for name in found if name is not None), reverse=True)

    async def unfinished(self) -> list[RunRecord]:
        """Return the runs that are not finished, the oldest first; marks that mean nothing any more go.

        A record that can't be read is told in the log, and keeps nobody from seeing to the others.
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
        """Return the records of these names, in their order, a few read at once, without those that can't be read."""
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
        """Remove a record."""
        await self._blobs.delete(record_name(run))

    async def _read(self, run: str) -> tuple[RunRecord | None, str]:
        name = record_name(run)
        blob = await self._blobs.read(name, _RECORD_LIMIT)
        if blob is None:
            return None, ""
        try:
            return msgspec.json.decode(blob.data, type=RunRecord), blob.etag
        except msgspec.MsgspecError:
            raise IntegrityError(
                "the record of this run can't be read", on=name, do="Delete the blob if the run no longer matters"
            ) from None


def with_outcome(record: RunRecord, run: str, outcome: Outcome, finished: datetime) -> RunRecord:
    """Return the record with what became of one item."""
    items = [
        replace(item, outcome=outcome, finished=finished) if item.run == run else item for item in record.items
    ]  # fmt: skip
    return replace(record, items=items)


def closed(record: RunRecord, now: datetime, failure: ErrorRecord | None = None) -> RunRecord:
    """Return the record of a run that has ended: failed if anything failed, lossy if anything was lost."""
    states = {item.outcome.state for item in record.items}
    state: RunState = "done"
    if failure is not None or states & {"failed", "waiting"}:
        state = "failed"
    elif "cancelled" in states:
        state = "cancelled"
    elif "lossy" in states:
        state = "lossy"
    return replace(record, state=state, failure=failure, finished=now)


def cancelled(record: RunRecord, now: datetime) -> RunRecord:
    """Return the record of a run that was stopped: what was finished by then stays."""
    stopped = Outcome(state="cancelled")
    items = [
        replace(item, outcome=stopped, finished=now) if item.outcome.state == "waiting" else item
        for item in record.items
    ]
    return replace(record, items=items, state="cancelled", finished=now)
