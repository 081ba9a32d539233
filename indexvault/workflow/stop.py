"""End what is left of a run that is not to go on: its locks and its orchestrations."""

from collections.abc import Sequence

from indexvault.workflow.activity import Resources
from indexvault.workflow.durable import DurableEngine
from indexvault.workflow.lock_activities import revoke
from indexvault.workflow.runs import Item, RunRecord


async def end_items(resources: Resources, engine: DurableEngine, record: RunRecord, items: Sequence[Item]) -> None:
    """Take the locks of these items of a run, so that they can't commit any more, and stop its orchestrations."""
    for item in items:
        for index in item.indexes:
            await revoke(resources, index, item.run)
    for run in [record.run, *(item.run for item in items)]:
        await engine.stop(run)
