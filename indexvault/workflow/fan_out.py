"""Fan a run out to its items: one workflow an index, a few at once, and no item's failure stops another.

Backup, restore and move runs are all carried out by `fan_out`; each says in a `FanOut` what is special about it.
"""

from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from durabletask.task import OrchestrationContext, Task, TaskFailedError, when_any
from msgspec.structs import replace

from indexvault.errors import ErrorRecord, IndexvaultError
from indexvault.workflow.activity import Activity, Orchestration, Resources, Workflow
from indexvault.workflow.calls import call
from indexvault.workflow.failures import failure_of
from indexvault.workflow.lock_activities import Done
from indexvault.workflow.runs import Item, Outcome, RunRecord, Runs, closed, with_outcome
from indexvault.workflow.telemetry import run_ended

INDEXES_AT_ONCE = 2
"""Items of one run that are worked on at once. Each reads several ranges concurrently, so more would share one core."""


class RunOrder(msgspec.Struct, frozen=True):
    """The run to carry out. Everything else is in its record."""

    service: str
    run: str


class OpenItems(msgspec.Struct, frozen=True):
    """The items of a run that are still to be done."""

    items: list[Item]


class ItemEnd(msgspec.Struct, frozen=True):
    """The end of one item of a run: the item's own run, and its outcome."""

    order: RunOrder
    item: str
    outcome: Outcome


class RunEnd(msgspec.Struct, frozen=True):
    """The end of a run. `failure` is the error that kept its items from being opened."""

    order: RunOrder
    failure: ErrorRecord | None = None


@dataclass(frozen=True, slots=True)
class ItemWorkflow[Report]:
    """How one item of a run is carried out: its workflow, and the outcome that the workflow's report makes."""

    workflow: Workflow[Any, Report]
    outcome: Callable[[Report], Outcome]


@dataclass(frozen=True, slots=True, kw_only=True)
class FanOut:
    """How one kind of run is carried out.

    `opening` returns the items to do, `each` carries one out, `failed` makes the outcome of an item whose workflow
    failed. `special` are items with a workflow of their own, by the name in their index's place. `alone` are those, by
    that name, beside which no other item is worked on: they keep their place between the others.
    """

    opening: Activity[RunOrder, OpenItems]
    each: ItemWorkflow[Any]
    failed: Callable[[Item, IndexvaultError], Outcome]
    special: Mapping[str, ItemWorkflow[Any]] = field(default_factory=dict)
    alone: frozenset[str] = frozenset()

    def may_start(self, item: Item, running: Collection[Item]) -> bool:
        """Return whether an item may be worked on beside others."""
        names = {each.index.index for each in (item, *running)}
        return not running or not names & self.alone

    def workflow_for(self, item: Item) -> ItemWorkflow[Any]:
        """Return how an item is carried out."""
        return self.special.get(item.index.index, self.each)


def runs_of(resources: Resources, service: str) -> Runs:
    """Return the records of runs in the store of a service."""
    return Runs(resources.clients.store_of(service).runs)


async def open_run(resources: Resources, order: RunOrder) -> OpenItems:
    """Start or resume a run whose items are known, and return those still to be done."""
    return await open_items(resources, order, lambda record: record)


async def open_items(resources: Resources, order: RunOrder, fill: Callable[[RunRecord], RunRecord]) -> OpenItems:
    """Start or resume a run and return the items still to be done: none if it is finished.

    `fill` returns the record with its items. Raises NotFoundError if the run has no record.
    """
    now = resources.clock()
    record = await runs_of(resources, order.service).change(
        order.run, lambda record: replace(fill(record), state="running", started=record.started or now)
    )
    if record.is_finished:
        return OpenItems([])
    return OpenItems([item for item in record.items if item.outcome.state == "waiting"])


async def note_outcome(resources: Resources, end: ItemEnd) -> Done:
    """Record the outcome of an item."""
    now = resources.clock()
    await runs_of(resources, end.order.service).change(
        end.order.run, lambda record: with_outcome(record, end.item, end.outcome, now)
    )
    return Done()


async def close_run(resources: Resources, end: RunEnd) -> Done:
    """Record that a run has ended."""
    now = resources.clock()
    record = await runs_of(resources, end.order.service).change(
        end.order.run, lambda record: closed(record, now, end.failure)
    )
    run_ended(record, now)
    return Done()


OPEN = Activity("open_run", RunOrder, OpenItems, open_run)
NOTE = Activity("note_outcome", ItemEnd, Done, note_outcome)
CLOSE = Activity("close_run", RunEnd, Done, close_run)
ACTIVITIES = (OPEN, NOTE, CLOSE)


def fan_out(ctx: OrchestrationContext, order: RunOrder, kind: FanOut) -> Orchestration[Done]:
    """Carry out a run from its record: open it, run a workflow for each item, close it.

    Errors go into the record: of the opening into the run's, of an item into the item's.
    """
    try:
        opened = yield from call(ctx, kind.opening, order)
    except IndexvaultError as error:
        return (yield from call(ctx, CLOSE, RunEnd(order, error.record())))
    yield from _carry_out(ctx, order, kind, opened.items)
    return (yield from call(ctx, CLOSE, RunEnd(order)))


def _carry_out(ctx: OrchestrationContext, order: RunOrder, kind: FanOut, items: Sequence[Item]) -> Orchestration[None]:
    waiting = deque(items)
    running: dict[Task[Any], Item] = {}
    while waiting or running:
        while waiting and len(running) < INDEXES_AT_ONCE and kind.may_start(waiting[0], running.values()):
            item = waiting.popleft()
            workflow = kind.workflow_for(item).workflow
            running[ctx.call_sub_orchestrator(workflow.name, input=item.job, instance_id=item.run)] = item
        finished: Task[Any] = yield when_any(list(running))
        item = running.pop(finished)
        each = kind.workflow_for(item)
        try:
            outcome = each.outcome(msgspec.convert(finished.get_result(), each.workflow.output_type))
        except TaskFailedError as error:
            outcome = kind.failed(item, failure_of(error))
        yield from call(ctx, NOTE, ItemEnd(order, item.run, outcome))
