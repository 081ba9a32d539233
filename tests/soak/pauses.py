"""Suspend each operation at each request, let other commands run whole and days pass, then let it go on.

A process that was suspended (a laptop's lid, a host that is moved) goes on with what it had looked at before. So what
it relies on must be looked at again, or hold by itself: no snapshot may lose a document, and no source may be deleted
whose target lacks a document.
"""

import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import override

from indexvault.snapshots.retention import Retention
from tests.soak.invariants import ViolationError, require, same, snapshots_in
from tests.soak.kill_every_write import CASES, INDEX, LOCKS_EXPIRE, Case, World, command_of, in_world
from tests.soak.process import Process
from tests.soak.stage import EAST, WEST
from tests.soak.truth import Dump

_DAYS = timedelta(days=2)
_LONGER_THAN_A_TOMBSTONE = timedelta(minutes=20)

type Beside = Callable[[World], Awaitable[None]]


@dataclass(kw_only=True)
class Suspended(Process):
    """A process that is suspended before its request `pause_at`, while `meanwhile` happens."""

    pause_at: int | None
    meanwhile: Callable[[], Awaitable[None]]
    labels: list[str] = field(default_factory=list)

    @override
    async def call[Result](
        self, label: str, effect: Callable[[], Awaitable[Result]], *, changes: bool, store: bool = False
    ) -> Result:
        self.labels.append(label)
        if len(self.labels) == self.pause_at:
            await self.meanwhile()
        return await super().call(label, effect, changes=changes, store=store)


async def prunes_over_days(world: World) -> None:
    """Prune twice, days apart."""
    for _ in range(2):
        world.stage.skew += _DAYS
        await world.stage.run("prune", EAST, "--yes")


async def backups_and_prunes(world: World) -> None:
    """Change the index and back it up, put it back as it was and back it up again, then prune over days."""
    stage = world.stage
    if stage.dump(EAST, INDEX) is not None:
        later = [{"id": f"{number:04}", "text": f"later {number} " + "z" * 400} for number in range(0, 70, 2)]
        for documents in (later, list(world.source.values())):
            stage.skew += _LONGER_THAN_A_TOMBSTONE
            stage.tell(EAST, "POST", f"/indexes/{INDEX}/docs/index", {"value": documents})
            await stage.run("backup", EAST, INDEX)
    await prunes_over_days(world)


async def same_command(world: World) -> None:
    """Give the same command twice, the second time when locks have expired."""
    argv = await command_of(world)
    await world.stage.run(*argv)
    world.stage.skew += LOCKS_EXPIRE
    await world.stage.run(*argv)


async def prune_soon(world: World) -> None:
    """Prune once what a removal has noted counts no more."""
    world.stage.skew += _LONGER_THAN_A_TOMBSTONE
    await world.stage.run("prune", EAST, "--yes")


MEANWHILE: Mapping[str, Beside] = {
    "prunes over days": prunes_over_days,
    "backups and prunes": backups_and_prunes,
    "the same command": same_command,
    "a prune soon after": prune_soon,
}


def requests_of(case: Case) -> int:
    """Return how many requests an operation sends that nothing interrupts."""
    return len(_suspended(case, None, prune_soon))


def suspend(case: Case, pause_at: int, meanwhile: str) -> None:
    """Suspend an operation at a request. Raises ViolationError if a guarantee does not hold afterwards."""
    try:
        _suspended(case, pause_at, MEANWHILE[meanwhile])
    except ViolationError as violation:
        what = f"{case.name} suspended at request {pause_at}, {meanwhile}: {violation}"
        raise ViolationError(violation.rule, what) from None


def _suspended(case: Case, pause_at: int | None, beside: Beside) -> list[str]:
    async def work(world: World) -> list[str]:
        deleted: list[tuple[Dump | None, Dump | None]] = []

        def deleting(service: str, index: str) -> None:
            if (service, index) == (EAST, INDEX):
                deleted.append((world.stage.dump(EAST, INDEX), world.stage.dump(WEST, "moved")))

        world.stage.truth.deleting.append(deleting)

        async def meanwhile() -> None:
            await beside(world)

        process = Suspended(rng=random.Random(1), latency=0.0, pause_at=pause_at, meanwhile=meanwhile)
        ended = await world.stage.run(*(await command_of(world)), process=process)
        require(not ended.crashes, "every failure is an IndexvaultError", "\n".join(ended.crashes))
        await _nothing_lost(world)
        for source, target in deleted:
            same(target, source or {}, what="the target of a move when its source is deleted")
        return process.labels

    return in_world(replace(case, stage={**(case.stage or {}), "keep": Retention(last=1)}), work)


async def _nothing_lost(world: World) -> None:
    world.remember()
    for name, memory in world.memories.items():
        for manifest in snapshots_in(world.stage.stores[name]):
            if manifest not in memory.damaged:
                flaws = [flaw for flaw in await memory.flaws_of(manifest) if flaw not in memory.damaged]
                require(not flaws, "a snapshot is whole", f"{name} {manifest}: {flaws[:3]}")


SUSPENDED = tuple(case for case in CASES if case.name != "repair")
"""The operations that are suspended. A repair begins with snapshots that are not whole."""
