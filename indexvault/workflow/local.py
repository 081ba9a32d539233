"""The embedded engine: runs workflows in this process, with their history in memory.

When the process dies the history is lost. What is durable of a run is in the store, where the next run finds it.
"""

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, Self

import msgspec
from durabletask.client import AsyncTaskHubGrpcClient, OrchestrationStatus
from durabletask.task import ActivityContext
from opentelemetry.context import Context

from indexvault.errors import CancelledError, IndexvaultError
from indexvault.workflow.activity import Activity, Resources, Workflow
from indexvault.workflow.failures import error_of
from indexvault.workflow.local_backend import PrivateBackend
from indexvault.workflow.local_worker import PromptWorker
from indexvault.workflow.payloads import orchestrator, perform
from indexvault.workflow.telemetry import run_span, within

_POLL_SECONDS = 30
_LOG = logging.getLogger(__name__)


class LocalEngine:
    """Runs workflows in this process; activities run on the event loop that opens the engine."""

    def __init__(
        self, resources: Resources, activities: Iterable[Activity[Any, Any]], workflows: Iterable[Workflow[Any, Any]]
    ) -> None:
        self._resources = resources
        self._activities = list(dict.fromkeys(activities))
        self._workflows = list(dict.fromkeys(workflows))
        self._backend = PrivateBackend()
        self._running: dict[asyncio.Task[Any], str] = {}
        self._contexts: dict[str, Context] = {}
        self.address = ""

    async def __aenter__(self) -> Self:
        """Start the backend and its worker."""
        loop = asyncio.get_running_loop()
        self.address = await asyncio.to_thread(self._backend.start)
        self._worker = PromptWorker(self.address, _LOG)
        for activity in self._activities:
            self._worker.add_activity(self._runner(activity, loop))
        for workflow in self._workflows:
            self._worker.add_orchestrator(orchestrator(workflow))
        await asyncio.to_thread(self._worker.start)
        self._client = AsyncTaskHubGrpcClient(host_address=self.address, logger=_LOG, emit_trace_spans=False)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop what still runs, then the worker and the backend."""
        self._cancel_activities(set(self._running.values()))
        await self._client.close()
        self._backend.end_work()
        await asyncio.to_thread(self._worker.stop)
        await asyncio.to_thread(self._backend.stop)

    async def run[Input, Output](
        self, workflow: Workflow[Input, Output], given: Input, *, run: str | None = None
    ) -> Output:
        """Run a workflow to its end and return its output.

        `run` is its name; None makes one up. Raises the IndexvaultError that ended it. Cancelling the caller stops the
        workflow and its activities.
        """
        name = run or secrets.token_hex(8)
        with run_span(workflow.name, given) as context:
            self._contexts[name] = context
            try:
                return await self._run(workflow, given, name)
            finally:
                del self._contexts[name]

    async def _run[Input, Output](self, workflow: Workflow[Input, Output], given: Input, name: str) -> Output:
        await self._client.schedule_new_orchestration(workflow.name, input=msgspec.to_builtins(given), instance_id=name)
        try:
            while True:
                with contextlib.suppress(TimeoutError):
                    state = await self._client.wait_for_orchestration_completion(name, timeout=_POLL_SECONDS)
                    break
        except asyncio.CancelledError:
            await asyncio.shield(self._client.terminate_orchestration(name, recursive=False))
            self._cancel_activities({name})
            raise
        if state is None:
            raise IndexvaultError("the engine lost the run", on=f"run {name}", do="Run again")
        if state.runtime_status is OrchestrationStatus.COMPLETED:
            return msgspec.convert(state.get_output(), workflow.output_type)
        if state.failure_details is not None:
            raise error_of(state.failure_details)
        raise CancelledError("the run was interrupted", on=f"run {name}", do="Run again")

    def _cancel_activities(self, runs: set[str]) -> None:
        for task, run in self._running.items():
            if run in runs:
                task.cancel()

    def _context(self, run: str) -> Context | None:
        """Return the tracing context of a run. A sub-workflow has a name of its own and its caller's context."""
        only = next(iter(self._contexts.values())) if len(self._contexts) == 1 else None
        return self._contexts.get(run, only)

    def _runner(
        self, activity: Activity[Any, Any], loop: asyncio.AbstractEventLoop
    ) -> Callable[[ActivityContext, Any], Any]:
        """Return the function that the worker calls, in a thread of its own, to run an activity on the event loop."""

        async def work(run: str, payload: Any) -> Any:
            task = asyncio.current_task()
            assert task is not None  # noqa: S101 - a coroutine always runs in a task
            self._running[task] = run
            try:
                with within(self._context(run)):
                    return await perform(activity, self._resources, payload)
            finally:
                del self._running[task]

        def run(ctx: ActivityContext, payload: Any) -> Any:
            return asyncio.run_coroutine_threadsafe(work(ctx.orchestration_id, payload), loop).result()

        run.__name__ = activity.name
        return run
