"""Call activities from a workflow: typed, retried where that can help, a limited number at once."""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import msgspec
from durabletask.task import OrchestrationContext, Task, TaskFailedError, when_any

from indexvault.errors import IndexvaultError
from indexvault.workflow.activity import Activity, Orchestration
from indexvault.workflow.failures import failure_of

ATTEMPTS = 4
"""How often an activity is started at most. Within an attempt, single requests have retries of their own."""
FIRST_REST = timedelta(seconds=5)
"""The wait before the second attempt."""


@dataclass(frozen=True, slots=True)
class _Attempt:
    position: int
    number: int
    payload: Any


def call[Input, Output](
    ctx: OrchestrationContext, activity: Activity[Input, Output], given: Input
) -> Orchestration[Output]:
    """Run an activity and return its output. Raises its error if retrying can't help, or no attempt is left."""
    outputs = yield from call_all(ctx, activity, [given], at_once=1)
    return outputs[0]


def call_all[Input, Output](
    ctx: OrchestrationContext,
    activity: Activity[Input, Output],
    given: Iterable[Input],
    *,
    at_once: int,
    after_each: Callable[[Output], Orchestration[None]] | None = None,
) -> Orchestration[list[Output]]:
    """Run an activity for each input, at most `at_once` at a time, and return the outputs in the order of the inputs.

    `after_each` is run with each output as it comes, while the other activities go on.

    After a failure nothing new is started; what runs is awaited, then the first error is raised: no activity may be at
    work after its workflow has ended.
    """
    waiting = deque(_Attempt(position, 1, msgspec.to_builtins(each)) for position, each in enumerate(given))
    running: dict[Task[Any], _Attempt] = {}
    resting: dict[Task[Any], _Attempt] = {}
    outputs: dict[int, Output] = {}
    failure: IndexvaultError | None = None
    while running or (failure is None and (waiting or resting)):
        while waiting and failure is None and len(running) + len(resting) < at_once:
            attempt = waiting.popleft()
            running[ctx.call_activity(activity.name, input=attempt.payload)] = attempt
        finished: Task[Any] = yield when_any([*running, *(resting if failure is None else ())])
        if finished in resting:
            waiting.appendleft(resting.pop(finished))
            continue
        attempt = running.pop(finished)
        try:
            output = msgspec.convert(finished.get_result(), activity.output_type)
        except TaskFailedError as error:
            known = failure_of(error)
            if known.may_pass and attempt.number < ATTEMPTS:
                timer = ctx.create_timer(_rest(attempt))
                resting[timer] = replace(attempt, number=attempt.number + 1)
            elif failure is None:
                failure = known
            continue
        outputs[attempt.position] = output
        if after_each is not None and failure is None:
            try:
                yield from after_each(output)
            except IndexvaultError as error:
                failure = error
    if failure is not None:
        raise failure
    return [outputs[position] for position in sorted(outputs)]


def _rest(attempt: _Attempt) -> timedelta:
    """Return the wait before the next attempt: three times longer each time, spread by position.

    A workflow is replayed and must decide the same again, so its jitter can't be random.
    """
    spread = 1 + (attempt.position % 8) / 8
    return FIRST_REST * (3.0 ** (attempt.number - 1) * spread)
