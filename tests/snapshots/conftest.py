"""The store in each of its implementations."""

from collections.abc import AsyncIterator

import pytest

from indexvault.snapshots.azure_store import AzureStore
from indexvault.snapshots.store import Store
from tests.memory_store import MemoryStore


@pytest.fixture(params=["memory", "azurite"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[Store]:
    """Yield an empty, prepared store. Each test that uses it runs once on each implementation."""
    if request.param == "azurite":
        connection_string = request.getfixturevalue("storage_account")
        async with AzureStore.from_connection_string("local", connection_string) as azure:
            await azure.prepare()
            yield azure
    else:
        async with MemoryStore() as memory:
            yield memory
