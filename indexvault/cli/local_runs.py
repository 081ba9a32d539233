"""The runs that the status page starts on this machine: the embedded engine behind the interface of the durable one."""

import dataclasses
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from durabletask.client import AsyncTaskHubGrpcClient

from indexvault.restore.run import ACTIVITIES as RUN_ACTIVITIES
from indexvault.restore.run import RUN_RESTORE
from indexvault.restore.workflow import ACTIVITIES, RESTORE_INDEX
from indexvault.workflow.activity import Activity, Resources
from indexvault.workflow.durable import DurableEngine
from indexvault.workflow.fan_out import RunOrder
from indexvault.workflow.local import LocalEngine
from indexvault.workflow.progress import reported


class LocalRuns(DurableEngine):
    """Starts restores on the embedded engine, and knows which it has started."""

    def __init__(self, client: AsyncTaskHubGrpcClient) -> None:
        super().__init__(client)
        self.started: list[str] = []

    async def start(self, workflow: str, order: RunOrder) -> bool:
        """See `DurableEngine.start`."""
        self.started.append(order.run)
        return await super().start(workflow, order)


@asynccontextmanager
async def open_local_runs(resources: Resources) -> AsyncIterator[LocalRuns]:
    """Open the engine; at the end, what still runs is stopped."""
    every: list[Activity[Any, Any]] = [*ACTIVITIES, *RUN_ACTIVITIES]
    activities = [_reporting(activity) for activity in dict.fromkeys(every)]
    async with LocalEngine(resources, activities, [RESTORE_INDEX, RUN_RESTORE]) as engine:
        client = AsyncTaskHubGrpcClient(host_address=engine.address, emit_trace_spans=False)
        try:
            yield LocalRuns(client)
        finally:
            await client.close()


def _reporting(activity: Activity[Any, Any]) -> Activity[Any, Any]:
    """Return an activity that stores its progress, as in Azure, where the page of its run finds it."""

    async def perform(resources: Resources, given: Any) -> Any:
        async with reported(resources, activity, given) as known:
            return await activity.run(known, given)

    return dataclasses.replace(activity, run=perform)
