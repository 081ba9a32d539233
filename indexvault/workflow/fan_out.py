"""The part that all workflows of several indexes share: one workflow an index, a few at once, none stopping another."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
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
"""Indexes of one run that are worked on at once. Each reads in several ranges, so more would only share one core."""


class RunOrder(msgspec.Struct, frozen=True):
    """The run to carry out; all else stands in its record."""

    service: str
    run: str


class Assignments(msgspec.Struct, frozen=True):
    """The items of a run that are yet to be done."""

    items: list[Item]


class Note(msgspec.Struct, frozen=True):
    """What became of one item."""

    order: RunOrder
    item: str
    outcome: Outcome


class Closing(msgspec.Struct, frozen=True):
    """The end of a run, with what kept it from being carried out at all."""

    order: RunOrder
    failure: ErrorRecord | None = None


@dataclass(frozen=True, slots=True)
class ItemWorkflow[Report]:
    """How one item of a run is carried out: what is done for it, and what its report is for the run."""

    workflow: Workflow[Any, Report]
    outcome: Callable[[Report], Outcome]


@dataclass(frozen=True, slots=True, kw_only=True)
class FanOut:
    """How one kind of run is carried out: what opens it, what is done for each item, and what becomes of a failed one.

    `special` are items that are carried out in a way of their own, by the name that stands in their index's place.
    """

    opening: Activity[RunOrder, Assignments]
    part: ItemWorkflow[Any]
    failed: Callable[[Item, IndexvaultError], Outcome]
    special: Mapping[str, ItemWorkflow[Any]] = field(default_factory=dict)

    def part_for(self, item: Item) -> ItemWorkflow[Any]:
        """Return how an item is carried out."""
        return self.special.get(item.index.index, self.part)


def runs_of(resources: Resources, service: str) -> Runs:
    """Return the records in the store of a service."""
    return Runs(resources.clients.store_of(service).runs)


async def open_run(resources: Resources, order: RunOrder) -> Assignments:
    """Begin, or go on with, a run whose items are known."""
    return await begin(resources, order, lambda record: record)


async def begin(resources: Resources, order: RunOrder, fill: Callable[[RunRecord], RunRecord]) -> Assignments:
    """Begin, or go on with, a run; `fill` gives it its items. A run that is finished has nothing left to do."""
    now = resources.clock()
    record = await runs_of(resources, order.service).change(
        order.run, lambda record: replace(fill(record), state="running", started=record.started or now)
    )
    if record.is_finished:
        return Assignments([])
    return Assignments([item for item in record.items if item.outcome.state == "waiting"])


async def note_outcome(resources: Resources, note: Note) -> Done:
    """Write down what became of an item."""
    now = resources.clock()
    await runs_of(resources, note.order.service).change(
        note.order.run, lambda record: with_outcome(record, note.item, note.outcome, now)
    )
    return Done()


async def close_run(resources: Resources, closing: Closing) -> Done:
    """Write down that a run has ended."""
    now = resources.clock()
    record = await runs_of(resources, closing.order.service).change(
        closing.order.run, lambda record: closed(record, now, closing.failure)
    )
    run_ended(record, now)
    return Done()


OPEN = Activity("open_run", RunOrder, Assignments, open_run)
NOTE = Activity("note_outcome", Note, Done, note_outcome)
CLOSE = Activity("close_run", Closing, Done, close_run)
ACTIVITIES = (OPEN, NOTE, CLOSE)


def fan_out(ctx: OrchestrationContext, order: RunOrder, fan: FanOut) -> Orchestration[Done]:
    """Carry out a run from its record: open it, run the workflow for each item, close it."""
    try:
        assignments = yield from call(ctx, fan.opening, order)
    except IndexvaultError as error:
        return (yield from call(ctx, CLOSE, Closing(order, error.record())))
    yield from _carry_out(ctx, order, fan, assignments.items)
    return (yield from call(ctx, CLOSE, Closing(order)))


def _carry_out(ctx: OrchestrationContext, order: RunOrder, fan: FanOut, items: Sequence[Item]) -> Orchestration[None]:
    waiting = deque(items)
    running: dict[Task[Any], Item] = {}
    while waiting or running:
        while waiting and len(running) < INDEXES_AT_ONCE:
            item = waiting.popleft()
            workflow = fan.part_for(item).workflow
            running[ctx.call_sub_orchestrator(workflow.name, input=item.job, instance_id=item.run)] = item
        finished: Task[Any] = yield when_any(list(running))
        item = running.pop(finished)
        part = fan.part_for(item)
        try:
            outcome = part.outcome(msgspec.convert(finished.get_result(), part.workflow.output_type))
        except TaskFailedError as error:
            outcome = fan.failed(item, failure_of(error))
        yield from call(ctx, NOTE, Note(order, item.run, outcome))
