"""Steps and workflows with their payloads as plain data, which is what every engine carries."""

import contextlib
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec
from durabletask.task import OrchestrationContext

from indexvault.errors import IndexvaultError
from indexvault.workflow.activity import Activity, Orchestration, Resources, Workflow
from indexvault.workflow.failures import ActivityFailedError
from indexvault.workflow.lock_activities import locks_of
from indexvault.workflow.telemetry import activity_span, counted

_LOG = logging.getLogger(__name__)


async def _run(step: Activity[Any, Any], resources: Resources, given: Any) -> Any:
    with activity_span(step, given):
        return await _under_lock(step, replace(resources, report=counted(resources.report, step, given)), given)


async def _under_lock(step: Activity[Any, Any], resources: Resources, given: Any) -> Any:
    if step.work is None:
        return await step.run(resources, given)
    locks = locks_of(resources, step.work(given))

    async def fence() -> None:
        for lock in locks:
            await lock.hold()

    async with contextlib.AsyncExitStack() as stack:
        for lock in locks:
            await stack.enter_async_context(lock.held())
        return await step.run(replace(resources, fence=fence), given)


async def perform(step: Activity[Any, Any], resources: Resources, payload: Any) -> Any:
    """Run a step on plain data and give plain data. Raises ActivityFailedError in place of an error of ours."""
    try:
        return msgspec.to_builtins(await _run(step, resources, msgspec.convert(payload, step.input_type)))
    except IndexvaultError as error:
        _LOG.debug("step %s failed", step.name, exc_info=True)
        raise ActivityFailedError(error) from None
    except Exception:
        _LOG.debug("step %s failed unexpectedly", step.name, exc_info=True)
        raise


def orchestrator(workflow: Workflow[Any, Any]) -> Callable[[OrchestrationContext, Any], Orchestration[Any]]:
    """Return a workflow as an orchestrator function of its name, on plain data."""

    def run(ctx: OrchestrationContext, payload: Any) -> Orchestration[Any]:
        try:
            output = yield from workflow.run(ctx, msgspec.convert(payload, workflow.input_type))
        except IndexvaultError as error:
            raise ActivityFailedError(error) from None
        return msgspec.to_builtins(output)

    run.__name__ = workflow.name
    return run
