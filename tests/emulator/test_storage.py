import asyncio
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from emulator.server import running
from emulator.service import EmulatedService
from emulator.storage import Database
from tests.emulator.calls import Caller, plain, things

SERVICES = [EmulatedService(name="east")]


async def test_a_folder_keeps_everything_between_runs(tmp_path: Path, session: aiohttp.ClientSession) -> None:
    minimal = {"Accept": "application/json;odata.metadata=minimal"}
    kept = []
    for run in range(2):
        async with running(SERVICES, storage=tmp_path / "kept") as emulator:
            east = Caller(session, emulator.endpoint("east"))
            if run == 0:
                await east.create(things())
                await east.upload([{"id": key, "small": at} for at, key in enumerate("abc")])
                await east.call("POST", "/aliases", {"name": "now", "indexes": ["things"]})
            kept.append(
                [
                    (await east.call("GET", path, headers=minimal)).body | {"@odata.context": None}
                    for path in ("/indexes/things", "/aliases", "/indexes/now/stats", "/indexes/things/docs/b")
                ]
            )
            assert await east.count("small ge 1", "now") == 2
            if run == 1:
                assert (await east.upload([{"id": "a"}, {"id": "new"}])).results == {"a": 200, "new": 201}
    assert kept[0] == kept[1]


async def test_a_deleted_index_leaves_no_documents(east: Caller) -> None:
    for documents in (3, 0):
        await east.create(things())
        await east.upload([{"id": f"k{at}"} for at in range(documents)] or [{"@search.action": "delete", "id": "x"}])
        assert await east.count() == documents
        assert (await east.call("GET", "/indexes/things/stats")).body["documentCount"] == documents
        assert (await east.call("DELETE", "/indexes/things")).status == 204
    assert (await east.call("GET", "/servicestats")).body["counters"]["storageSize"]["usage"] == 0


async def test_counts_that_lag_begin_with_what_the_folder_held(tmp_path: Path, session: aiohttp.ClientSession) -> None:
    for run in range(2):
        async with running(SERVICES, storage=tmp_path) as emulator:
            east = Caller(session, emulator.endpoint("east"))
            if run == 0:
                await east.create(things())
                await east.upload([{"id": key} for key in "abc"])
            await east.faults({"fault": "lagging_count", "seconds": 3600})
            assert (await east.call("GET", "/indexes/things/stats")).body["documentCount"] == (0, 3)[run]


def test_a_transaction_that_fails_leaves_nothing_and_blocks_nothing() -> None:
    database = Database(None, "x")

    def failing() -> None:
        with database.transaction():
            database.put_resource("aliases", "first", "1", b"{}")
            raise KeyError

    with pytest.raises(KeyError):
        failing()
    with database.transaction():
        database.put_resource("aliases", "second", "1", b"{}")
    assert [name for name, _, _ in database.resources("aliases")] == ["second"]
    database.close()


@asynccontextmanager
async def killed(folder: Path) -> AsyncIterator[str]:
    """Run the program on a folder, yield its endpoint, and kill it without warning."""
    arguments = ["--service", "east", "--port", "0", "--storage", str(folder)]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "emulator", *arguments), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        found = None
        while found is None:
            line = await asyncio.wait_for(process.stdout.readline(), 300)
            assert line, "it ended without telling its endpoint"
            found = re.search(rb"http://[\d.:]+", line)
        yield found[0].decode()
    finally:
        process.kill()
        await process.wait()


async def test_what_was_answered_outlives_the_process(tmp_path: Path, session: aiohttp.ClientSession) -> None:
    answered: list[str] = []

    async def load(east: Caller, part: str) -> None:
        for batch in range(1000):
            keys = [f"{part}-{batch}-{at}" for at in range(20)]
            assert (await east.upload([{"id": key} for key in keys])).status == 200
            answered.extend(keys)

    async def redefine(east: Caller) -> None:
        for at in range(1000):
            await east.create(plain(f"index-{at}"))
            if at:
                await east.call("DELETE", f"/indexes/index-{at - 1}")

    async with killed(tmp_path) as endpoint:
        east = Caller(session, endpoint)
        await east.create(plain())
        busy = [asyncio.create_task(work) for work in (load(east, "a"), load(east, "b"), redefine(east))]
        while len(answered) < 2000:
            await asyncio.sleep(0.01)
            assert not any(task.done() for task in busy)
    assert all(isinstance(end, aiohttp.ClientError) for end in await asyncio.gather(*busy, return_exceptions=True))
    async with running(SERVICES, storage=tmp_path) as emulator:
        east = Caller(session, emulator.endpoint("east"))
        query: dict[str, object] = {"orderby": "id", "top": 1000, "select": "id"}
        found: set[str] = set()
        while page := (await east.search(query)).documents:
            found |= {str(one["id"]) for one in page}
            query["filter"] = f"id gt '{page[-1]['id']}'"
        assert set(answered) <= found
        assert len(found) % 20 == 0
        assert len(found) == await east.count()
        for one in (await east.call("GET", "/indexes?$select=name")).body["value"]:
            assert (await east.upload([{"id": "new", "name": "n"}], one["name"])).status == 200
