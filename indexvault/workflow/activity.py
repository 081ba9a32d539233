"""Steps and workflows, apart from where they run.

A step is a plain async function that does one thing and may be killed or run twice. A workflow is a deterministic
generator that orders steps and carries only small payloads. Both are named, since what a run has done is remembered
by name.
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
"""A workflow, or a part of one: it yields what it waits for and returns its result."""


class Work(msgspec.Struct, frozen=True):
    """What a step works for.

    The run, the service whose store keeps the run's records, and the index that only this run may write, in the
    service or as snapshots. `also` are further names that are only its own: an alias, the index behind it. `part_of` is
    the run that a person knows, where this one is a part of it: to cancel that one is to cancel this.
    """

    run: str
    service: str
    index: IndexName
    also: tuple[IndexName, ...] = ()
    part_of: str | None = None

    @property
    def known_run(self) -> str:
        """The run that a person knows."""
        return self.part_of or self.run

    @property
    def names(self) -> list[IndexName]:
        """All names that are locked, in the order in which every run locks them."""
        return sorted({self.index, *self.also}, key=str)


class ProgressUpdate(msgspec.Struct, frozen=True):
    """What a step has done since it last said so.

    `expected` is how many documents the whole stage will have, where that has become known.
    """

    stage: str
    documents: int = 0
    bytes: int = 0
    expected: int | None = None


async def _open_fence() -> None:
    """Let everything through: what a step has that works under no lock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What steps work with, passed in by the home they run in.

    `fence` raises ConflictError when the run has lost its lock: a step asks right before what can't be undone.
    """

    clients: Clients
    clock: Clock
    rng: random.Random
    report: Callable[[ProgressUpdate], None]
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    fence: Callable[[], Awaitable[None]] = _open_fence


@dataclass(frozen=True, slots=True)
class Activity[Input, Output]:
    """A named step with the types of its payloads, which are `msgspec.Struct`s.

    A step that tells its `work` runs under the lock of that work's index, which its run must have taken before.
    """

    name: str
    input_type: type[Input]
    output_type: type[Output]
    run: Callable[[Resources, Input], Awaitable[Output]]
    work: Callable[[Input], Work] | None = None


@dataclass(frozen=True, slots=True)
class Workflow[Input, Output]:
    """A named workflow with the types of its payloads."""

    name: str
    input_type: type[Input]
    output_type: type[Output]
    run: Callable[[OrchestrationContext, Input], Orchestration[Output]]
