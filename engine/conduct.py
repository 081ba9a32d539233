"""The part that all workflows of several indexes share: one workflow an index, a few at once, none stopping another."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from durabletask.task import OrchestrationContext, Task, TaskFailedError, when_any
from msgspec.structs import replace

from engine.calls import call
from engine.failure import failure_of
from engine.locking import Done
from engine.runs import Item, Outcome, RunRecord, Runs, closed, with_outcome
from engine.step import Resources, Step, Turns, Workflow
from engine.telemetry import run_ended
from errors import ErrorRecord, IndexvaultError

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
class Part[Report]:
    """How one item of a run is carried out: what is done for it, and what its report is for the run."""

    workflow: Workflow[Any, Report]
    outcome: Callable[[Report], Outcome]


@dataclass(frozen=True, slots=True, kw_only=True)
class Conducted:
    """How one kind of run is carried out: what opens it, what is done for each item, and what becomes of a failed one.

    `special` are items that are carried out in a way of their own, by the name that stands in their index's place.
    """

    opening: Step[RunOrder, Assignments]
    part: Part[Any]
    failed: Callable[[Item, IndexvaultError], Outcome]
    special: Mapping[str, Part[Any]] = field(default_factory=dict)

    def part_for(self, item: Item) -> Part[Any]:
        """Give how an item is carried out."""
        return self.special.get(item.index.index, self.part)


def runs_of(resources: Resources, service: str) -> Runs:
    """Give the records in the store of a service."""
    return Runs(resources.connections.store_of(service).runs)


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


OPEN = Step("open_run", RunOrder, Assignments, open_run)
NOTE = Step("note_outcome", Note, Done, note_outcome)
CLOSE = Step("close_run", Closing, Done, close_run)
STEPS = (OPEN, NOTE, CLOSE)


def conduct(ctx: OrchestrationContext, order: RunOrder, conducted: Conducted) -> Turns[Done]:
    """Carry out a run from its record: open it, run the workflow for each item, close it."""
    try:
        assignments = yield from call(ctx, conducted.opening, order)
    except IndexvaultError as error:
        return (yield from call(ctx, CLOSE, Closing(order, error.record())))
    yield from _carry_out(ctx, order, conducted, assignments.items)
    return (yield from call(ctx, CLOSE, Closing(order)))


def _carry_out(ctx: OrchestrationContext, order: RunOrder, conducted: Conducted, items: Sequence[Item]) -> Turns[None]:
    waiting = deque(items)
    running: dict[Task[Any], Item] = {}
    while waiting or running:
        while waiting and len(running) < INDEXES_AT_ONCE:
            item = waiting.popleft()
            workflow = conducted.part_for(item).workflow
            running[ctx.call_sub_orchestrator(workflow.name, input=item.job, instance_id=item.run)] = item
        finished: Task[Any] = yield when_any(list(running))
        item = running.pop(finished)
        part = conducted.part_for(item)
        try:
            outcome = part.outcome(msgspec.convert(finished.get_result(), part.workflow.output_type))
        except TaskFailedError as error:
            outcome = conducted.failed(item, failure_of(error))
        yield from call(ctx, NOTE, Note(order, item.run, outcome))
