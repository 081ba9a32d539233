"""The app behind the command line."""

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.azurite import Azurite
from tests.functions.app import App, app, ground, open_app, open_ground

__all__ = ["app", "ground"]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def refusing(azurite: Azurite) -> AsyncIterator[App]:
    """One app, with nothing in it, for all commands that it refuses."""
    async with open_ground() as opened, open_app(opened, azurite) as running:
        yield running
