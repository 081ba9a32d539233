"""Views of a run: its record and the progress of its items, for the API."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

import msgspec

from indexvault.api.stores import UnreadStore
from indexvault.errors import ErrorRecord, from_record
from indexvault.model import IndexName
from indexvault.workflow.estimates import Estimate, estimate
from indexvault.workflow.progress import RunProgress
from indexvault.workflow.runs import Item, RunKind, RunRecord, RunState


class IndexView(msgspec.Struct, frozen=True, kw_only=True):
    """One index of a run.

    While it runs, `documents` and `bytes` count the current stage; when it has finished, the whole. `expected` is the
    number of documents in the stage, where that is known. `rate` is in documents per second over all stages so far.
    `failure` is `error` as one text. `report` is the full report of a finished restore or move, with its proof.
    `unchanged` says that a backup found the index as it was in `snapshot`, and made no other one.
    """

    service: str
    index: str
    state: Literal["waiting", "running", "done", "lossy", "unsettled", "gone", "failed", "cancelled"]
    stage: str | None = None
    documents: int | None = None
    expected: int | None = None
    bytes: int | None = None
    rate: float | None = None
    seconds_left: int | None = None
    snapshot: str | None = None
    losses: list[str] = []
    unchanged: bool = False
    notes: list[str] = []
    failure: str | None = None
    error: ErrorRecord | None = None
    report: dict[str, Any] | None = None
    finished: datetime | None = None


class RunView(msgspec.Struct, frozen=True, kw_only=True):
    """One run. `rate` is in documents per second over its running items; `failure` is of the run as a whole."""

    run: str
    kind: RunKind
    state: RunState
    service: str
    asked: str
    started_by: str
    policy: str | None
    scheduled: datetime | None
    created: datetime
    started: datetime | None
    finished: datetime | None
    documents: int
    bytes: int
    rate: float | None
    seconds_left: int | None
    failure: str | None
    error: ErrorRecord | None = None
    notes: list[str]
    indexes: list[IndexView]


class RunList(msgspec.Struct, frozen=True):
    """Runs, newest first, without the progress of running ones.

    `unread` are the stores that could not be listed: whether they have runs is not known.
    """

    runs: list[RunView]
    unread: list[UnreadStore] = []


def view_run(record: RunRecord, progress: Mapping[str, RunProgress], now: datetime) -> RunView:
    """Return the view of a run. `progress` is that of its running items, by the names of their runs."""
    indexes = [_view_item(record, item, progress.get(item.run), now) for item in record.items]
    left = [index.seconds_left for index in indexes if index.seconds_left is not None]
    rates = [index.rate for index in indexes if index.rate is not None]
    return RunView(
        run=record.run,
        kind=record.kind,
        state=record.state,
        service=record.service,
        asked=record.asked,
        started_by=record.owner,
        policy=record.policy,
        scheduled=record.scheduled,
        created=record.created,
        started=record.started,
        finished=record.finished,
        documents=sum(index.documents or 0 for index in indexes),
        bytes=sum(index.bytes or 0 for index in indexes),
        rate=round(sum(rates), 1) if rates else None,
        seconds_left=max(left) if left and not any(index.state == "waiting" for index in indexes) else None,
        failure=None if record.failure is None else str(from_record(record.failure)),
        error=record.failure,
        notes=record.notes,
        indexes=indexes,
    )


def _view_item(record: RunRecord, item: Item, progress: RunProgress | None, now: datetime) -> IndexView:
    outcome = item.outcome
    if outcome.state == "waiting" and not record.is_finished and progress is not None:
        return _view_progress(item.index, estimate(record.kind, progress, now))
    return IndexView(
        service=item.index.service,
        index=item.index.index,
        state=outcome.state,
        documents=outcome.documents,
        bytes=outcome.bytes,
        snapshot=outcome.snapshot,
        losses=outcome.losses,
        unchanged=outcome.unchanged,
        notes=outcome.notes,
        failure=None if outcome.failure is None else str(from_record(outcome.failure)),
        error=outcome.failure,
        report=outcome.report,
        finished=item.finished,
    )


def _view_progress(index: IndexName, found: Estimate) -> IndexView:
    return IndexView(
        service=index.service,
        index=index.index,
        state="running",
        stage=found.stage,
        documents=found.documents,
        expected=found.expected,
        bytes=found.bytes,
        rate=found.rate,
        seconds_left=found.seconds_left,
    )
