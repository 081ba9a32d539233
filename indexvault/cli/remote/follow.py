"""Follow a run of a deployment to its end by polling."""

import asyncio
import logging
from typing import Any

import msgspec

from indexvault.api.run_views import IndexView, RunView
from indexvault.cli.progress import ProgressDisplay
from indexvault.cli.remote.session import RemoteSession
from indexvault.errors import (
    CancelledError,
    IndexvaultError,
    RemoteError,
    UnexpectedAnswerError,
    UnreachableError,
    from_record,
)
from indexvault.workflow.runs import FINISHED

POLL_SECONDS = 5.0
"""Between two polls, where the app does not say when to ask again."""
LONGEST_POLL_SECONDS = 60.0
MOST_FAILED_POLLS = 20
"""Polls in a row that may fail: deploying a new version of the app takes minutes."""
_LOG = logging.getLogger(__name__)


class _Increments:
    """Turns views of a run, which have totals, into the increments that a display adds up."""

    def __init__(self, display: ProgressDisplay) -> None:
        self._display = display
        self._seen: dict[tuple[str, str], tuple[int, int]] = {}
        self._expected: dict[tuple[str, str], int] = {}

    def show(self, view: RunView) -> None:
        for index in view.indexes:
            if index.stage is None:
                continue
            stage_of_index = (index.stage, index.index)
            documents, size = self._seen.get(stage_of_index, (0, 0))
            self._seen[stage_of_index] = (index.documents or 0, index.bytes or 0)
            if index.expected is not None:
                self._expected[stage_of_index] = index.expected
            expected = [number for (stage, _index), number in self._expected.items() if stage == index.stage]
            self._display.advance(
                index.stage,
                # An activity that runs again counts from zero.
                documents=max(0, (index.documents or 0) - documents),
                bytes=max(0, (index.bytes or 0) - size),
                expected=sum(expected) if expected else None,
            )


async def start(session: RemoteSession, path: str, body: dict[str, Any]) -> RunView:
    """Start a run. Raises the app's error; CancelledError if the operator did not wait for the answer."""
    try:
        return await session.deployment.post(path, body, RunView)
    except asyncio.CancelledError:
        raise CancelledError(
            "interrupted before the app answered; it may have started a run",
            on=session.deployment.url,
            do=f"To see it: indexvault --url {session.deployment.url} runs",
        ) from None


async def follow(session: RemoteSession, begun: RunView, subject: str) -> RunView:
    """Follow a run to its end and return its last view.

    Raises the run's error; CancelledError if the operator stops following it, and the run continues.
    """
    try:
        with session.output.progress(subject) as display:
            increments = _Increments(display)
            view, wait = begun, POLL_SECONDS
            increments.show(view)
            while view.state not in FINISHED:
                await asyncio.sleep(wait)
                view, wait = await _poll(session, view.run)
                increments.show(view)
    except asyncio.CancelledError:
        raise CancelledError(
            f"no longer followed; run {begun.run} continues on the deployment",
            on=subject,
            do=_what_to_do(session, begun.run),
        ) from None
    if view.error is not None:
        raise from_record(view.error)
    return view


async def _poll(session: RemoteSession, run: str) -> tuple[RunView, float]:
    """Return the view of a run, and the seconds until the next poll. Raises UnreachableError after many failures."""
    failures = 0
    while True:
        try:
            reply = await session.deployment.read(f"runs/{run}", RunView)
        except RemoteError as error:
            failures += 1
            if not error.may_pass:
                raise
            if failures >= MOST_FAILED_POLLS:
                raise UnreachableError(
                    f"{error.what}; run {run} may continue", on=error.on, do=_what_to_do(session, run)
                ) from None
            _LOG.warning("the state of run %s can't be read: %s; trying again", run, error.what)
            await asyncio.sleep(POLL_SECONDS)
        else:
            return reply.content, min(reply.retry_after or POLL_SECONDS, LONGEST_POLL_SECONDS)


def failure_of(index: IndexView) -> IndexvaultError | None:
    """Return why an index failed or was cancelled, None otherwise."""
    on = f"{index.service} index {index.index}"
    if index.error is not None and index.state == "failed":
        return from_record(index.error)
    if index.state == "cancelled":
        return CancelledError("the run was cancelled", on=on, do="Run it again")
    if index.state == "failed":
        return IndexvaultError(index.failure or "it failed", on=on, do="Check the app's log")
    return None


def _only_index(view: RunView) -> IndexView:
    """Return the index of a run that has one. Raises its failure."""
    if not view.indexes:
        raise IndexvaultError("it ended without a result", on=f"run {view.run}", do="Check the app's log")
    failure = failure_of(view.indexes[0])
    if failure is not None:
        raise failure
    return view.indexes[0]


def report_of[Report](view: RunView, kind: type[Report], *, also_failed: bool = False) -> Report:
    """Return the report of a run of one index, with `also_failed` that of one that has a report and failed.

    Raises the run's failure; UnexpectedAnswerError if the report can't be read.
    """
    try:
        if also_failed and view.indexes and view.indexes[0].report is not None:
            return msgspec.convert(view.indexes[0].report, kind)
        return msgspec.convert(_only_index(view).report, kind)
    except msgspec.ValidationError:
        raise UnexpectedAnswerError(
            "the run is done, and the app's report of it can't be read",
            on=f"run {view.run}",
            do="Use the same version of indexvault here and in the app",
        ) from None


def _what_to_do(session: RemoteSession, run: str) -> str:
    command = f"indexvault --url {session.deployment.url}"
    return f"To see it: {command} runs {run}; to cancel it: {command} cancel {run}"
