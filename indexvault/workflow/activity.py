"""Activities and workflows, independent of the host that runs them.

An activity is a plain async function that does one thing. It may be killed and run again, so it is idempotent. A
workflow is an orchestration: a deterministic generator that orders activities and carries only small payloads. Both
have names, because the engine's history of a run refers to them by name.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Generator
from dataclasses import dataclass
from typing import Any

import msgspec
from durabletask.task import OrchestrationContext, Task

from indexvault.clients import Clients
from indexvault.model import Clock, IndexName

type Orchestration[Result] = Generator[Task[Any], Any, Result]
"""A workflow, or a part of one: it yields the tasks that it waits for and returns its result."""


class Work(msgspec.Struct, frozen=True):
    """What an activity works for, and so which locks it needs.

    `run` is the run, `service` the service whose store keeps the run's records, `index` the index that only this run
    may write, in the service or as snapshots. `also` are further names that it locks: an alias, the index behind it.
    `part_of` is the run that the operator started if this one is a part of it: cancelling that one cancels this one.
    """

    run: str
    service: str
    index: IndexName
    also: tuple[IndexName, ...] = ()
    part_of: str | None = None

    @property
    def known_run(self) -> str:
        """The run that the operator knows: the one this is a part of, or this one."""
        return self.part_of or self.run

    @property
    def names(self) -> list[IndexName]:
        """All names to lock, in the order in which every run locks them."""
        return sorted({self.index, *self.also}, key=str)


class ProgressUpdate(msgspec.Struct, frozen=True):
    """What an activity has done since its last update: documents and bytes in one stage.

    `expected` is how many documents the whole stage will have, if that has become known.
    """

    stage: str
    documents: int = 0
    bytes: int = 0
    expected: int | None = None


async def _open_fence() -> None:
    """Let everything through: the fence of an activity that works under no lock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What activities work with, passed in by the host that runs them.

    `fence` raises ConflictError if the run has lost a lock: an activity calls it right before what can't be undone.
    `sleep` takes seconds. `app` is the name of the Functions app, empty on one's own machine.
    """

    clients: Clients
    clock: Clock
    rng: random.Random
    report: Callable[[ProgressUpdate], None]
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    fence: Callable[[], Awaitable[None]] = _open_fence
    app: str = ""


@dataclass(frozen=True, slots=True)
class Activity[Input, Output]:
    """A named activity with the types of its payloads, which are `msgspec.Struct`s.

    An activity with `work` runs under the locks of that work, which its run must have taken before; one that only
    reads, or has a way of its own to keep others off, needs no `locks`.
    """

    name: str
    input_type: type[Input]
    output_type: type[Output]
    run: Callable[[Resources, Input], Awaitable[Output]]
    work: Callable[[Input], Work] | None = None
    locks: bool = True


@dataclass(frozen=True, slots=True)
class Workflow[Input, Output]:
    """A named workflow, an orchestration with the types of its payloads."""

    name: str
    input_type: type[Input]
    output_type: type[Output]
    run: Callable[[OrchestrationContext, Input], Orchestration[Output]]
