from pathlib import Path

import aiohttp

from emulator.server import running
from emulator.service import EmulatedService
from tests.emulator.calls import Caller, things

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
