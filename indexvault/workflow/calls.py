"""Calling steps from a workflow: typed, retried where that can help, and not too many at once."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import msgspec
from durabletask.task import OrchestrationContext, Task, TaskFailedError, when_any

from indexvault.errors import IndexvaultError
from indexvault.workflow.activity import Activity, Orchestration
from indexvault.workflow.failures import failure_of

ATTEMPTS = 4
"""How often a step is started at most. Within an attempt, single requests have retries of their own."""
FIRST_REST = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class _Attempt:
    position: int
    number: int
    payload: Any


def call[Input, Output](
    ctx: OrchestrationContext, step: Activity[Input, Output], given: Input
) -> Orchestration[Output]:
    """Run one step and give its output. Raises the step's error once it can't pass or has come too often."""
    outputs = yield from call_all(ctx, step, [given], at_once=1)
    return outputs[0]


def call_all[Input, Output](
    ctx: OrchestrationContext, step: Activity[Input, Output], given: Iterable[Input], *, at_once: int
) -> Orchestration[list[Output]]:
    """Run a step for each input, at most `at_once` at a time, and give the outputs in the inputs' order.

    After a failure nothing new is started; what runs is waited for, and then the first error is raised: a workflow
    that has ended must have nothing still at work.
    """
    waiting = deque(_Attempt(position, 1, msgspec.to_builtins(each)) for position, each in enumerate(given))
    running: dict[Task[Any], _Attempt] = {}
    resting: dict[Task[Any], _Attempt] = {}
    outputs: dict[int, Output] = {}
    failure: IndexvaultError | None = None
    while running or (failure is None and (waiting or resting)):
        while waiting and failure is None and len(running) + len(resting) < at_once:
            attempt = waiting.popleft()
            running[ctx.call_activity(step.name, input=attempt.payload)] = attempt
        finished: Task[Any] = yield when_any([*running, *(resting if failure is None else ())])
        if finished in resting:
            waiting.appendleft(resting.pop(finished))
            continue
        attempt = running.pop(finished)
        try:
            outputs[attempt.position] = msgspec.convert(finished.get_result(), step.output_type)
        except TaskFailedError as error:
            known = failure_of(error)
            if known.may_pass and attempt.number < ATTEMPTS:
                timer = ctx.create_timer(_rest(attempt))
                resting[timer] = replace(attempt, number=attempt.number + 1)
            elif failure is None:
                failure = known
    if failure is not None:
        raise failure
    return [outputs[position] for position in sorted(outputs)]


def _rest(attempt: _Attempt) -> timedelta:
    """Return the wait before the next attempt: three times longer each time, and spread by position.

    A workflow is replayed, so its jitter comes from what it knows and not from rng.
    """
    spread = 1 + (attempt.position % 8) / 8
    return FIRST_REST * (3.0 ** (attempt.number - 1) * spread)
