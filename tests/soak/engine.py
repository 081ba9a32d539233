"""An engine for workflows on one event loop, in place of the embedded one: no threads, no sockets, no real waiting.

It carries plain data between activities as JSON, as engines do, and runs whatever a workflow has started at the same
time. What it leaves out is the replay of a workflow's history.
"""

import asyncio
import traceback
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Self, cast

import msgspec
from durabletask.task import CompletableTask, FailureDetails, OrchestrationContext, Task

from indexvault.workflow.activity import Activity, Resources, Workflow
from indexvault.workflow.failures import ActivityFailedError, error_of
from indexvault.workflow.payloads import orchestrator, perform
from tests.soak.process import Process

type Replace = Callable[[Activity[Any, Any]], Activity[Any, Any]]


class InlineEngine:
    """Runs workflows of one process. `crashes` collects what activities raise that is no IndexvaultError."""

    def __init__(
        self,
        resources: Resources,
        activities: Iterable[Activity[Any, Any]],
        workflows: Iterable[Workflow[Any, Any]],
        *,
        process: Process,
        instead: Replace,
        crashes: list[str],
    ) -> None:
        self._resources = replace(resources, sleep=asyncio.sleep)
        self._activities = {each.name: instead(each) for each in activities}
        self._workflows = {each.name: each for each in workflows}
        self._process = process
        self._crashes = crashes
        self._running: set[asyncio.Task[Any]] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        running = list(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    @property
    def now(self) -> datetime:
        """The time that workflows see."""
        return self._resources.clock()

    async def run(self, workflow: Workflow[Any, Any], given: Any, *, run: str | None = None) -> Any:
        """Run a workflow to its end and return its output. Raises the IndexvaultError that ended it."""
        try:
            output = await self._orchestrate(workflow, msgspec.to_builtins(given), run or "unnamed")
        except ActivityFailedError as error:
            raise error_of(_details(error)) from None
        except Exception as error:  # noqa: BLE001 - recorded, and told as the engines tell it
            self._crashes.append(traceback.format_exc())
            raise error_of(_details(error)) from None
        return msgspec.convert(output, workflow.output_type)

    async def _orchestrate(self, workflow: Workflow[Any, Any], payload: Any, name: str) -> Any:
        context = _Context(self, name)
        steps = orchestrator(workflow)(cast("OrchestrationContext", context), _carried(payload))
        try:
            awaited: Task[Any] = next(steps)
            while True:
                await context.until(awaited)
                if awaited.is_failed:
                    awaited = steps.throw(awaited.get_exception())
                else:
                    awaited = steps.send(awaited.get_result())
        except StopIteration as stop:
            return stop.value

    async def perform(self, activity: str, payload: Any) -> Any:
        """Run one activity."""
        try:
            return _carried(await perform(self._activities[activity], self._resources, _carried(payload)))
        except ActivityFailedError:
            raise
        except Exception:
            self._crashes.append(traceback.format_exc())
            raise

    async def sub(self, workflow: str, payload: Any, name: str) -> Any:
        """Run a workflow that another one has started."""
        return await self._orchestrate(self._workflows[workflow], payload, name)

    def start(self, work: Coroutine[Any, Any, Any], ended: Callable[[asyncio.Task[Any]], None]) -> None:
        """Run something beside the workflow."""
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        task.add_done_callback(ended)


class _Context:
    """What a workflow is given: the few members of an OrchestrationContext that ours use."""

    def __init__(self, engine: InlineEngine, instance_id: str) -> None:
        self.instance_id = instance_id
        self._engine = engine
        self._changed = asyncio.Event()
        self._fatal: BaseException | None = None

    @property
    def current_utc_datetime(self) -> datetime:
        return self._engine.now.replace(tzinfo=None)

    def call_activity(self, activity: str, *, input: Any = None) -> Task[Any]:  # noqa: A002 - durabletask's name
        return self._started(self._engine.perform(activity, input))

    def call_sub_orchestrator(self, workflow: str, *, input: Any = None, instance_id: str = "") -> Task[Any]:  # noqa: A002 - the same
        return self._started(self._engine.sub(workflow, input, instance_id))

    def create_timer(self, wait: timedelta) -> Task[Any]:
        return self._started(asyncio.sleep(wait.total_seconds()))

    async def until(self, task: Task[Any]) -> None:
        """Wait until a task is complete. Raises what ended the process meanwhile."""
        while True:
            if self._fatal is not None:
                raise self._fatal
            if task.is_complete:
                return
            self._changed.clear()
            await self._changed.wait()

    def _started(self, work: Coroutine[Any, Any, Any]) -> Task[Any]:
        known: CompletableTask[Any] = CompletableTask()

        def ended(task: asyncio.Task[Any]) -> None:
            if task.cancelled():
                self._fatal = self._fatal or asyncio.CancelledError()
            else:
                error = task.exception()
                if error is None:
                    known.complete(task.result())
                elif isinstance(error, Exception):
                    known.fail(str(error), error)
                else:
                    self._fatal = error
            self._changed.set()

        self._engine.start(work, ended)
        return known


def _details(error: Exception) -> FailureDetails:
    return FailureDetails(str(error), type(error).__name__, None)


def _carried(payload: Any) -> Any:
    return msgspec.json.decode(msgspec.json.encode(payload))
