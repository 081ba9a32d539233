from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from indexvault.recovery.compare import compare
from indexvault.recovery.drift import Drift
from indexvault.recovery.sides import LiveSide
from indexvault.workflow.patience import Patience
from tests.memory_store import MemoryStore
from tests.world import EAST, WEST, World, open_world, quick_rests

__all__ = ["quick_rests"]

NOTES: dict[str, Any] = {
    "name": "notes",
    "fields": [
        {"name": "id", "type": "Edm.String", "key": True, "filterable": True, "sortable": True},
        {"name": "text", "type": "Edm.String"},
        {"name": "rank", "type": "Edm.Double"},
    ],
}


def note(number: int, text: str = "as it was") -> dict[str, Any]:
    return {"id": f"n{number:06}", "text": text, "rank": number + 0.5}


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with open_world(MemoryStore()) as opened:
        yield opened


type CompareBoth = Callable[..., Awaitable[Drift]]


@pytest.fixture
def compared(world: World) -> CompareBoth:
    """Compare the two services' indexes of a name, as they are now."""

    async def compare_both(index: str = "notes", other: str | None = None, **options: Any) -> Drift:
        one = await LiveSide.open(world.clients.service(EAST), index)
        two = await LiveSide.open(world.clients.service(WEST), other or index)
        return await compare(one, two, wait=lambda: Patience(10, world.resources.sleep), **options)

    return compare_both
