"""The home of workflows on one machine: the engine in this process, its history in memory.

A run that is killed here is forgotten by the engine; what is durable of it lies in the store, where the next run
finds it.
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
    """Runs workflows in this process; steps run on the event loop that opens the engine."""

    def __init__(
        self, resources: Resources, steps: Iterable[Activity[Any, Any]], workflows: Iterable[Workflow[Any, Any]]
    ) -> None:
        self._resources = resources
        self._steps = list(dict.fromkeys(steps))
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
        for step in self._steps:
            self._worker.add_activity(self._activity(step, loop))
        for workflow in self._workflows:
            self._worker.add_orchestrator(orchestrator(workflow))
        await asyncio.to_thread(self._worker.start)
        self._client = AsyncTaskHubGrpcClient(host_address=self.address, logger=_LOG, emit_trace_spans=False)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop what still runs, then the worker and the backend."""
        self._cancel_steps(set(self._running.values()))
        await self._client.close()
        self._backend.end_work()
        await asyncio.to_thread(self._worker.stop)
        await asyncio.to_thread(self._backend.stop)

    async def run[Input, Output](
        self, workflow: Workflow[Input, Output], given: Input, *, run: str | None = None
    ) -> Output:
        """Run a workflow to its end and give its output.

        `run` names it, made up if not given. Raises the error of ours that ended it; cancelling the caller stops the
        workflow and what it has running.
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
            self._cancel_steps({name})
            raise
        if state is None:
            raise IndexvaultError("the engine lost the run", on=f"run {name}", do="Run again")
        if state.runtime_status is OrchestrationStatus.COMPLETED:
            return msgspec.convert(state.get_output(), workflow.output_type)
        if state.failure_details is not None:
            raise error_of(state.failure_details)
        raise CancelledError("the run was stopped", on=f"run {name}", do="Run again when it suits")

    def _cancel_steps(self, runs: set[str]) -> None:
        for task, run in self._running.items():
            if run in runs:
                task.cancel()

    def _context(self, run: str) -> Context | None:
        """Return the context of a run; a workflow that another one called has a name of its own, and the caller's."""
        only = next(iter(self._contexts.values())) if len(self._contexts) == 1 else None
        return self._contexts.get(run, only)

    def _activity(
        self, step: Activity[Any, Any], loop: asyncio.AbstractEventLoop
    ) -> Callable[[ActivityContext, Any], Any]:
        async def work(run: str, payload: Any) -> Any:
            task = asyncio.current_task()
            assert task is not None  # noqa: S101 - a coroutine always runs in a task
            self._running[task] = run
            try:
                with within(self._context(run)):
                    return await perform(step, self._resources, payload)
            finally:
                del self._running[task]

        def activity(ctx: ActivityContext, payload: Any) -> Any:
            return asyncio.run_coroutine_threadsafe(work(ctx.orchestration_id, payload), loop).result()

        activity.__name__ = step.name
        return activity
