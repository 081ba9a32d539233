"""`indexvault backup` killed with SIGKILL wherever it happens to be, then started again."""

import asyncio
import random
import subprocess
from typing import Any

import pytest

from indexvault.snapshots.azure_store import AzureStore
from indexvault.snapshots.catalogue import list_snapshots, read_manifest
from indexvault.snapshots.manifest import Manifest
from indexvault.snapshots.names import SnapshotReference
from tests.cli.desk import EAST, VERSION, Operator, await_request

KILLS = 10
DOCUMENTS = 40_000


def fill(desk: Operator, index: str, key: dict[str, bool]) -> None:
    fields = [
        {"name": "id", "type": "Edm.String", "key": True, "searchable": False, **key},
        {"name": "rating", "type": "Edm.Double", "filterable": True, "sortable": True},
        {"name": "text", "type": "Edm.String"},
    ]
    desk.east.put(f"indexes/{index}", {"name": index, "fields": fields})
    rng = random.Random(7)
    for start in range(0, DOCUMENTS, 1000):
        actions = [
            {"id": f"{number:06}", "rating": rng.random(), "text": f"{rng.getrandbits(1200):x}"}
            for number in range(start, start + 1000)
        ]
        desk.east.call("POST", f"/indexes/{index}/docs/index?api-version={VERSION}", {"value": actions})


def manifests(desk: Operator, index: str) -> list[Manifest]:
    async def read() -> list[Manifest]:
        async with AzureStore.from_connection_string("local", desk.connection_string) as store:
            await store.prepare()
            found = await list_snapshots(store.snapshots, EAST, index)
            return [await read_manifest(store.snapshots, summary) for summary in reversed(found)]

    return asyncio.run(read())


def kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


def run_names(desk: Operator) -> list[str]:
    async def read() -> list[str]:
        async with AzureStore.from_connection_string("local", desk.connection_string) as store:
            return [blob.name async for blob in store.runs.list("runs/")]

    return asyncio.run(read())


@pytest.mark.slow
@pytest.mark.parametrize(
    "key",
    [{"filterable": True, "sortable": True}, {"filterable": False, "sortable": False}],
    ids=["in key order", "in parts"],
)
def test_killed_ten_times_at_random_it_ends_as_one_that_was_left_alone(desk: Operator, key: dict[str, bool]) -> None:
    rng = random.Random(11)
    fill(desk, "torn", key)
    fill(desk, "calm", key)
    desk.east.faults({"fault": "latency", "operation": "search", "seconds": 0.15})
    for _ in range(KILLS):
        process = desk.start("backup", EAST, "torn")
        await_request(process, desk.east, "search", desk.east.requests.get("search", 0) + rng.randrange(1, 12))
        kill(process)
        assert manifests(desk, "torn") == [], "a run that was killed has made no snapshot"
    desk.east.faults()
    ended = desk.indexvault("backup", EAST, "torn", "--json")
    assert ended.code == 0, ended.stderr
    assert "was not finished: what it has read is used" in ended.stderr
    assert desk.indexvault("backup", EAST, "calm").code == 0
    [torn], [calm] = manifests(desk, "torn"), manifests(desk, "calm")
    assert torn.counts.documents == DOCUMENTS
    assert [(chunk.sha256, chunk.first, chunk.last) for chunk in torn.chunks] == [
        (chunk.sha256, chunk.first, chunk.last) for chunk in calm.chunks
    ]
    assert torn.content_digest == calm.content_digest
    assert run_names(desk) == []
    assert desk.indexvault("verify", str(SnapshotReference(service=EAST, index="torn", id=torn.id))).code == 0


def retrievable(desk: Operator) -> Any:
    fields = desk.east.call("GET", f"/indexes/notes?api-version={VERSION}")["fields"]
    return {field["name"]: field["retrievable"] for field in fields}["text"]


def test_fields_that_a_killed_backup_revealed_are_hidden_by_heal(desk: Operator) -> None:
    desk.east.fill("notes", 50, retrievable=False)
    desk.east.faults({"fault": "latency", "operation": "search", "seconds": 3600, "skip": 1})
    process = desk.start("backup", EAST, "notes", "--hidden-fields", "reveal")
    await_request(process, desk.east, "search", 2)
    assert retrievable(desk) is True
    kill(process)
    desk.east.faults()
    healed = desk.indexvault("heal")
    assert healed.code == 0, healed.stderr
    assert healed.stdout == "contoso-east/notes: hidden again: text\n"
    assert retrievable(desk) is False
    assert desk.indexvault("heal").stdout == "Nothing is left to heal\n"


def test_the_next_backup_hides_them_too(desk: Operator) -> None:
    desk.east.fill("notes", 50, retrievable=False)
    desk.east.faults({"fault": "latency", "operation": "search", "seconds": 3600, "skip": 1})
    process = desk.start("backup", EAST, "notes", "--hidden-fields", "reveal")
    await_request(process, desk.east, "search", 2)
    kill(process)
    desk.east.faults()
    ended = desk.indexvault("backup", EAST, "notes", "--json")
    assert ended.code == 3, ended.stderr
    assert retrievable(desk) is False


def test_a_dry_run_says_how_and_why_and_reads_nothing(desk: Operator) -> None:
    desk.east.fill("notes", 50)
    ended = desk.indexvault("backup", EAST, "notes", "--dry-run")
    assert ended.code == 0, ended.stderr
    assert "key order" in ended.stdout
    assert "the key field id is filterable and sortable" in ended.stdout
    assert manifests(desk, "notes") == []
    [record] = desk.indexvault("backup", EAST, "notes", "--dry-run", "--json").records
    assert (record["event"], record["documents"], record["method"]) == ("plan", 50, "key order")
