"""A run of a deployment, followed to its end by asking how far it is."""

import asyncio
import logging
from typing import Any

from indexvault.api.run_views import IndexView, RunView
from indexvault.cli.progress import Progress
from indexvault.cli.remote.session import RemoteSession
from indexvault.errors import CancelledError, IndexvaultError, RemoteError, UnreachableError, from_record
from indexvault.workflow.runs import FINISHED

POLL_SECONDS = 5.0
"""Where the app does not say when to ask again."""
LONGEST_POLL_SECONDS = 60.0
PATIENCE = 20
"""Times in a row that the app may fail to tell how far a run is: a deployment of a new version takes minutes."""
_LOG = logging.getLogger(__name__)


class _Shown:
    """Orchestration views, each of which tells the whole, into the steps between them that a progress adds up."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._seen: dict[tuple[str, str], tuple[int, int]] = {}
        self._expected: dict[tuple[str, str], int] = {}

    def show(self, view: RunView) -> None:
        for index in view.indexes:
            if index.stage is None:
                continue
            place = (index.stage, index.index)
            documents, size = self._seen.get(place, (0, 0))
            self._seen[place] = (index.documents or 0, index.bytes or 0)
            if index.expected is not None:
                self._expected[place] = index.expected
            expected = [number for (stage, _index), number in self._expected.items() if stage == index.stage]
            self._progress.advance(
                index.stage,
                # A step that was started again counts from its beginning.
                documents=max(0, (index.documents or 0) - documents),
                bytes=max(0, (index.bytes or 0) - size),
                expected=sum(expected) if expected else None,
            )


async def start(session: RemoteSession, path: str, body: dict[str, Any]) -> RunView:
    """Ask for a run. Raises what it was refused for; CancelledError if the operator did not wait for the answer."""
    try:
        return await session.deployment.post(path, body, RunView)
    except asyncio.CancelledError:
        raise CancelledError(
            "it was stopped before the app had answered, and may have begun a run",
            on=session.deployment.url,
            do=f"See it: indexvault --url {session.deployment.url} runs",
        ) from None


async def follow(session: RemoteSession, begun: RunView, subject: str) -> RunView:
    """Follow a run to its end and give what it came to.

    Raises the run's own failure; CancelledError, and the run goes on, when the operator stops looking at it.
    """
    try:
        with session.output.progress(subject) as progress:
            shown = _Shown(progress)
            view, wait = begun, POLL_SECONDS
            shown.show(view)
            while view.state not in FINISHED:
                await asyncio.sleep(wait)
                view, wait = await _look(session, view.run)
                shown.show(view)
    except asyncio.CancelledError:
        raise CancelledError(
            f"no longer looked at; run {begun.run} goes on in the deployment",
            on=subject,
            do=_how_to_go_on(session, begun.run),
        ) from None
    if view.error is not None:
        raise from_record(view.error)
    return view


async def _look(session: RemoteSession, run: str) -> tuple[RunView, float]:
    failures = 0
    while True:
        try:
            reply = await session.deployment.read(f"runs/{run}", RunView)
        except RemoteError as error:
            failures += 1
            if not error.may_pass:
                raise
            if failures >= PATIENCE:
                raise UnreachableError(
                    f"{error.what}; run {run} may go on", on=error.on, do=_how_to_go_on(session, run)
                ) from None
            _LOG.warning("run %s can't be looked at: %s; trying again", run, error.what)
            await asyncio.sleep(POLL_SECONDS)
        else:
            return reply.content, min(reply.retry_after or POLL_SECONDS, LONGEST_POLL_SECONDS)


def failure_of(index: IndexView) -> IndexvaultError | None:
    """Return why an index came to nothing; None if it did not."""
    on = f"{index.service} index {index.index}"
    if index.error is not None and index.state == "failed":
        return from_record(index.error)
    if index.state == "cancelled":
        return CancelledError("the run was cancelled", on=on, do="Run it again when it suits")
    if index.state == "failed":
        return IndexvaultError(index.failure or "it failed", on=on, do="Look at the app's log")
    return None


def only_index(view: RunView) -> IndexView:
    """Return the one index of a run that has one. Raises why it came to nothing."""
    if not view.indexes:
        raise IndexvaultError("it ended without a result", on=f"run {view.run}", do="Look at the app's log")
    failure = failure_of(view.indexes[0])
    if failure is not None:
        raise failure
    return view.indexes[0]


def _how_to_go_on(session: RemoteSession, run: str) -> str:
    command = f"indexvault --url {session.deployment.url}"
    return f"See it: {command} runs {run}; stop it: {command} cancel {run}"
