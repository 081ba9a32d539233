"""Workflows run by the engine in this process."""

from types import TracebackType
from typing import Any, Self

from cli.progress import Progress
from cli.session import Session
from engine.embedded import EmbeddedEngine
from engine.step import Progress as StepProgress
from engine.step import Resources, Step, Workflow
from settings.connections import Connections


class Workflows:
    """Runs one workflow after another."""

    def __init__(
        self,
        session: Session,
        connections: Connections,
        steps: tuple[Step[Any, Any], ...],
        *workflows: Workflow[Any, Any],
    ) -> None:
        self._progress: Progress | None = None
        resources = Resources(connections=connections, clock=session.clock, chance=session.chance, report=self._report)
        self._engine = EmbeddedEngine(resources, steps, workflows)

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

    def _report(self, done: StepProgress) -> None:
        if self._progress is not None:
            self._progress.advance(done.stage, documents=done.documents, bytes=done.bytes, expected=done.expected)


def run_name(session: Session, kind: str) -> str:
    """Give a name for a run that tells what it does and when it began."""
    return f"{kind}-{session.clock():%Y%m%dT%H%M%SZ}-{session.chance.randbytes(3).hex()}"
