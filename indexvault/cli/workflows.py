"""Workflows run by the engine in this process."""

from types import TracebackType
from typing import Any, Self

from indexvault.cli.progress import Progress
from indexvault.cli.session import Session
from indexvault.clients import Clients
from indexvault.workflow.activity import Activity, ProgressUpdate, Resources, Workflow
from indexvault.workflow.local import LocalEngine


class Workflows:
    """Runs one workflow after another."""

    def __init__(
        self,
        session: Session,
        clients: Clients,
        steps: tuple[Activity[Any, Any], ...],
        *workflows: Workflow[Any, Any],
    ) -> None:
        self._progress: Progress | None = None
        resources = Resources(clients=clients, clock=session.clock, rng=session.rng, report=self._report)
        self._engine = LocalEngine(resources, steps, workflows)

    async def __aenter__(self) -> Self:
        """Start the engine."""
        await self._engine.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the engine."""
        await self._engine.__aexit__(kind, error, trace)

    async def run[Input, Output](
        self, workflow: Workflow[Input, Output], given: Input, *, run: str, progress: Progress
    ) -> Output:
        """Run a workflow, telling how it proceeds."""
        self._progress = progress
        try:
            return await self._engine.run(workflow, given, run=run)
        finally:
            self._progress = None

    def _report(self, done: ProgressUpdate) -> None:
        if self._progress is not None:
            self._progress.advance(done.stage, documents=done.documents, bytes=done.bytes, expected=done.expected)


def run_name(session: Session, kind: str) -> str:
    """Return a name for a run that tells what it does and when it began."""
    return f"{kind}-{session.clock():%Y%m%dT%H%M%SZ}-{session.rng.randbytes(3).hex()}"
