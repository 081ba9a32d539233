"""Workflows run by the engine in this process."""

from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from indexvault.cli.progress import ProgressDisplay
from indexvault.cli.session import Session, show_update
from indexvault.clients import Clients
from indexvault.workflow.activity import Activity, ProgressUpdate, Resources, Workflow

if TYPE_CHECKING:
    from indexvault.workflow.local import LocalEngine


class Workflows:
    """Runs one workflow after another; a context manager."""

    def __init__(
        self,
        session: Session,
        clients: Clients,
        activities: tuple[Activity[Any, Any], ...],
        *workflows: Workflow[Any, Any],
    ) -> None:
        self._display: ProgressDisplay | None = None
        self._resources = Resources(clients=clients, clock=session.clock, rng=session.rng, report=self._report)
        self._activities = activities
        self._workflows = workflows
        self._engine: LocalEngine | None = None

    async def __aenter__(self) -> Self:
        """Start the engine."""
        from indexvault.workflow.local import LocalEngine  # noqa: PLC0415 - a verb's --help needs no engine

        self._engine = LocalEngine(self._resources, self._activities, self._workflows)
        await self._engine.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the engine."""
        if self._engine is not None:
            await self._engine.__aexit__(kind, error, trace)

    async def run[Input, Output](
        self, workflow: Workflow[Input, Output], job: Input, *, run: str, display: ProgressDisplay
    ) -> Output:
        """Run a workflow and show its progress."""
        assert self._engine is not None  # noqa: S101 - used as a context manager
        self._display = display
        try:
            return await self._engine.run(workflow, job, run=run)
        finally:
            self._display = None

    def _report(self, update: ProgressUpdate) -> None:
        if self._display is not None:
            show_update(self._display, update)
