"""`indexvault backup` killed with SIGKILL wherever it happens to be, then started again."""

import asyncio
import random
import subprocess

import pytest

from indexvault.snapshots.azure_store import AzureStore
from indexvault.snapshots.catalogue import list_snapshots, read_manifest
from indexvault.snapshots.manifest import Manifest
from indexvault.snapshots.names import SnapshotReference
from tests.cli.terminal import EAST, VERSION, Terminal, await_request
from tests.snapshots.samples import chunks_of

KILLS = 10
DOCUMENTS = 40_000


def fill(terminal: Terminal, index: str, key: dict[str, bool]) -> None:
    fields = [
        {"name": "id", "type": "Edm.String", "key": True, "searchable": False, **key},
        {"name": "rating", "type": "Edm.Double", "filterable": True, "sortable": True},
        {"name": "text", "type": "Edm.String"},
    ]
    terminal.east.put(f"indexes/{index}", {"name": index, "fields": fields})
    rng = random.Random(7)
    for start in range(0, DOCUMENTS, 1000):
        actions = [
            {"id": f"{number:06}", "rating": rng.random(), "text": f"{rng.getrandbits(1200):x}"}
            for number in range(start, start + 1000)
        ]
        terminal.east.call("POST", f"/indexes/{index}/docs/index?api-version={VERSION}", {"value": actions})


def manifests(terminal: Terminal, index: str) -> list[Manifest]:
    async def read() -> list[Manifest]:
        async with AzureStore.from_connection_string("local", terminal.connection_string) as store:
            await store.prepare()
            found = await list_snapshots(store.snapshots, EAST, index)
            return [await read_manifest(store.snapshots, summary) for summary in reversed(found)]

    return asyncio.run(read())


def cuts(terminal: Terminal, manifest: Manifest) -> list[tuple[str, str, str]]:
    """Return the hash and the ends of each chunk of a snapshot."""

    async def read() -> list[tuple[str, str, str]]:
        async with AzureStore.from_connection_string("local", terminal.connection_string) as store:
            chunks = await chunks_of(store.snapshots, manifest)
            return [(chunk.sha256, chunk.first, chunk.last) for chunk in chunks]

    return asyncio.run(read())


def kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


def run_names(terminal: Terminal) -> list[str]:
    async def read() -> list[str]:
        async with AzureStore.from_connection_string("local", terminal.connection_string) as store:
            return [blob.name async for blob in store.runs.list("runs/")]

    return asyncio.run(read())


@pytest.mark.slow
@pytest.mark.parametrize(
    "key",
    [{"filterable": True, "sortable": True}, {"filterable": False, "sortable": False}],
    ids=["in key order", "in parts"],
)
def test_killed_ten_times_at_random_it_ends_as_one_that_was_left_alone(
    terminal: Terminal, key: dict[str, bool]
) -> None:
    rng = random.Random(11)
    fill(terminal, "torn", key)
    fill(terminal, "calm", key)
    terminal.east.faults({"fault": "latency", "operation": "search", "seconds": 0.15})
    for _ in range(KILLS):
        process = terminal.start("backup", EAST, "torn")
        await_request(process, terminal.east, "search", terminal.east.requests.get("search", 0) + rng.randrange(1, 12))
        kill(process)
        assert manifests(terminal, "torn") == [], "a run that was killed has made no snapshot"
    terminal.east.faults()
    result = terminal.indexvault("backup", EAST, "torn", "--json")
    assert result.code == 0, result.stderr
    assert "resuming the interrupted run" in result.stderr
    assert terminal.indexvault("backup", EAST, "calm").code == 0
    [torn], [calm] = manifests(terminal, "torn"), manifests(terminal, "calm")
    assert torn.counts.documents == DOCUMENTS
    assert cuts(terminal, torn) == cuts(terminal, calm)
    assert torn.content_digest == calm.content_digest
    assert run_names(terminal) == []
    assert terminal.indexvault("verify", str(SnapshotReference(service=EAST, index="torn", id=torn.id))).code == 0
