"""The cost of restores in writes and time: every mode on every state of the target.

    python -m benchmarks.restoring

Runs in one process against two emulated services and a store in memory; waits (ten seconds for an alias, and between
retries) are excluded from the times.
"""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

from rich.console import Console
from rich.table import Table

from indexvault.errors import IndexvaultError
from indexvault.restore.report import RestoreReport
from tests import hotels
from tests.memory_store import MemoryStore
from tests.world import WEST, World, open_world

_DOCUMENTS = 2000
_INDEX, _ALIAS = "hotels", "guests"

type State = Callable[[World], Awaitable[None]]


def main() -> int:
    """Measure and print."""
    asyncio.run(_matrix())
    return 0


async def _absent(_world: World) -> None: ...


async def _equal(world: World) -> None:
    await world.fill(hotels.DEFINITION, hotels.hotels(_DOCUMENTS), service=WEST)


async def _older(world: World) -> None:
    """Create the target as it was before a hundred documents were added and fifty changed."""
    documents = hotels.hotels(_DOCUMENTS)
    before = [document | {"stars": 0} for document in documents[:50]] + documents[50:-100]
    await world.fill(hotels.DEFINITION, before, service=WEST)


async def _newer(world: World) -> None:
    """Create the target as it is after a hundred more documents were added and fifty changed."""
    documents = hotels.hotels(_DOCUMENTS)
    later = [document | {"stars": 9} for document in documents[:50]] + documents[50:]
    later += [documents[0] | {"id": f"z{number:03}"} for number in range(100)]
    await world.fill(hotels.DEFINITION, later, service=WEST)


async def _partly_deleted(world: World) -> None:
    await world.fill(hotels.DEFINITION, hotels.hotels(_DOCUMENTS)[: _DOCUMENTS // 2], service=WEST)


async def _another_schema(world: World) -> None:
    fields = [hotels.DEFINITION["fields"][0], {"name": "other", "type": "Edm.String"}]
    await world.fill({"name": _INDEX, "fields": fields}, [{"id": "a", "other": "b"}], service=WEST)


_STATES: dict[str, State] = {
    "absent": _absent,
    "equal": _equal,
    "older": _older,
    "newer": _newer,
    "partly deleted": _partly_deleted,
    "another schema": _another_schema,
}
_MODES: dict[str, dict[str, Any]] = {
    "create": {"index": _INDEX},
    "replace (alias)": {"index": _ALIAS, "mode": "replace"},
    "replace in place": {"index": _INDEX, "mode": "replace", "in_place": True},
    "sync": {"index": _INDEX, "mode": "sync"},
    "fill": {"index": _INDEX, "mode": "fill"},
}


async def _matrix() -> None:
    table = Table(title=f"{_DOCUMENTS:,} documents in the snapshot")
    for heading in ("mode", "target", "outcome", "uploaded", "deleted", "write requests", "s"):
        table.add_column(
            heading, justify="right" if heading in {"uploaded", "deleted", "write requests", "s"} else "left"
        )
    for mode, changes in _MODES.items():
        for state, prepare in _STATES.items():
            table.add_row(mode, state, *(await _cell(changes, prepare)))
        table.add_section()
    Console(width=170).print(table)


async def _cell(changes: dict[str, Any], prepare: State) -> list[str]:
    async with open_world(MemoryStore("local")) as world:
        await world.fill(hotels.DEFINITION, hotels.hotels(_DOCUMENTS))
        snapshot = await world.back_up(_INDEX)
        await prepare(world)
        if changes["index"] == _ALIAS and await world.west.index_names():
            await world.west.point_alias(_ALIAS, _INDEX, before=None)
        before = await _state_of(world)
        started = time.monotonic()
        try:
            report = await world.restore(snapshot, **changes)
        except IndexvaultError as error:
            seconds = time.monotonic() - started
            untouched = "untouched" if await _state_of(world) == before else "CHANGED"
            kind = type(error).__name__.removesuffix("Error")
            return [f"refused ({kind}, exit {error.exit_code}), {untouched}", "0", "0", "0", f"{seconds:.1f}"]
        seconds = time.monotonic() - started
        return [_outcome(report), f"{report.uploaded:,}", f"{report.deleted:,}", str(report.requests), f"{seconds:.1f}"]


def _outcome(report: RestoreReport) -> str:
    same = report.identical + report.equal
    told = f"{same:,} the same"
    if report.different or report.extra:
        told += f", {report.different} differ and {report.extra} extra left alone"
    if report.old_index is not None:
        told += f"; alias moved, {report.old_index} kept"
    return told


async def _state_of(world: World) -> list[tuple[str, int, str]]:
    return [
        (name, await world.west.count(name), (await world.west.index_definition(name)).etag)
        for name in await world.west.index_names()
    ]


if __name__ == "__main__":
    sys.exit(main())
