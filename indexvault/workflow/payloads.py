"""Run activities and workflows on plain data: what an engine carries between them."""

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


async def _run(activity: Activity[Any, Any], resources: Resources, given: Any) -> Any:
    with activity_span(activity, given):
        return await _under_lock(activity, replace(resources, report=counted(resources.report, activity, given)), given)


async def _under_lock(activity: Activity[Any, Any], resources: Resources, given: Any) -> Any:
    if activity.work is None or not activity.locks:
        return await activity.run(resources, given)
    locks = locks_of(resources, activity.work(given))

    async def fence() -> None:
        for lock in locks:
            await lock.hold()

    async with contextlib.AsyncExitStack() as stack:
        for lock in locks:
            await stack.enter_async_context(lock.held())
        return await activity.run(replace(resources, fence=fence), given)


async def perform(activity: Activity[Any, Any], resources: Resources, payload: Any) -> Any:
    """Run an activity on plain data and return plain data. Raises ActivityFailedError for an IndexvaultError."""
    try:
        return msgspec.to_builtins(await _run(activity, resources, msgspec.convert(payload, activity.input_type)))
    except IndexvaultError as error:
        _LOG.debug("activity %s failed", activity.name, exc_info=True)
        raise ActivityFailedError(error) from None
    except Exception:
        _LOG.debug("activity %s failed unexpectedly", activity.name, exc_info=True)
        raise


def orchestrator(workflow: Workflow[Any, Any]) -> Callable[[OrchestrationContext, Any], Orchestration[Any]]:
    """Return a workflow as an orchestrator function on plain data, under the workflow's name."""

    def run(ctx: OrchestrationContext, payload: Any) -> Orchestration[Any]:
        try:
            output = yield from workflow.run(ctx, msgspec.convert(payload, workflow.input_type))
        except IndexvaultError as error:
            raise ActivityFailedError(error) from None
        return msgspec.to_builtins(output)

    run.__name__ = workflow.name
    return run
