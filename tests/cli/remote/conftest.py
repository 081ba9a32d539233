"""The app behind the command line."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from indexvault.cli.remote import follow
from tests.azurite import Azurite
from tests.functions.app import App, app, ground, open_app, open_ground

__all__ = ["app", "ground"]


@pytest.fixture(autouse=True)
def quick_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten what a command rests between two looks at its run, whatever rest the app asks for."""
    monkeypatch.setattr(follow, "POLL_SECONDS", 0.05)
    monkeypatch.setattr(follow, "LONGEST_POLL_SECONDS", 0.05)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def refusing(azurite: Azurite) -> AsyncIterator[App]:
    """One app, with nothing in it, for all commands that it refuses."""
    async with open_ground() as opened, open_app(opened, azurite) as running:
        yield running
