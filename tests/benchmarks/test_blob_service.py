"""The benchmarks' blob service behaves as a store does: it passes the same contract tests."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from benchmarks.blob_service import BlobService
from benchmarks.http_server import CONTROL, serving
from indexvault.snapshots.azure_store import AzureStore
from indexvault.snapshots.store import Store
from tests.snapshots.test_store_contract import TestRunBlobs, TestSnapshotBlobs

__all__ = ["TestRunBlobs", "TestSnapshotBlobs"]  # the contract's own tests run here too, on the store below


@pytest.fixture
async def port() -> AsyncIterator[int]:
    async with serving(BlobService().handle) as port:
        yield port


@pytest.fixture
async def store(port: int) -> AsyncIterator[Store]:
    endpoint = f"http://127.0.0.1:{port}/benchmark"
    account = f"DefaultEndpointsProtocol=http;AccountName=benchmark;AccountKey=a2V5;BlobEndpoint={endpoint}"
    async with AzureStore.from_connection_string("local", account) as store:
        await store.prepare()
        yield store


async def test_counts_operations_and_what_is_stored(port: int, store: Store) -> None:
    await store.snapshots.create("a/b", b"12345")
    await store.snapshots.create("a/b", b"67890")
    await store.snapshots.read("a/b", 10)
    assert [blob.name async for blob in store.snapshots.list("a/")] == ["a/b"]
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}{CONTROL}") as answer:
        counted = await answer.json()
    operations = counted["operations"]
    assert {name: operations[name] for name in ("PutBlob", "GetBlob", "ListBlobs")} == {
        "PutBlob": 2,
        "GetBlob": 1,
        "ListBlobs": 1,
    }
    assert counted["stored"]["benchmark/search-snapshots"] == {"blobs": 1, "bytes": 5}
