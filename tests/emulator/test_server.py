import asyncio
import gzip
import json
import re
import sys

import aiohttp
import pytest
from azure.core.credentials import AzureKeyCredential
from azure.search.documents.aio import SearchClient

from emulator.server import Running, running
from emulator.service import EmulatedService
from tests.emulator.calls import Caller, plain


async def test_services_share_nothing(east: Caller, small: Caller, emulator: Running) -> None:
    await east.create(plain())
    assert (await small.call("GET", "/indexes")).body == {"value": []}
    assert list(emulator.names) == ["east", "small"]
    assert emulator.setup("small").tier == "basic"


async def test_only_the_loopback_interface_listens(emulator: Running) -> None:
    assert emulator.endpoint("east").startswith("http://127.0.0.1:")


async def test_ports_follow_the_first(session: aiohttp.ClientSession) -> None:
    services = [EmulatedService(name="a"), EmulatedService(name="b")]
    for port in range(21_000, 22_000, 7):
        try:
            async with running(services, port=port) as up:
                assert [up.endpoint(name) for name in "ab"] == [f"http://127.0.0.1:{port + at}" for at in range(2)]
                assert (await Caller(session, up.endpoint("b")).call("GET", "/indexes")).status == 200
                return
        except OSError:
            continue  # somebody else has the port
    pytest.fail("no two ports in a row were free")


async def test_a_request_id_comes_back(east: Caller) -> None:
    sent = {"x-ms-client-request-id": "my-id", "x-ms-return-client-request-id": "true"}
    headers = (await east.call("GET", "/indexes", headers=sent)).headers
    assert (headers["request-id"], headers["x-ms-client-request-id"]) == ("my-id", "my-id")
    assert headers["Content-Type"].startswith("application/json; odata.metadata=none")


async def test_the_sdk_pages_through_everything(loaded: Caller) -> None:
    await loaded.upload([{"id": f"k{at}"} for at in range(120)])
    async with SearchClient(loaded.endpoint, "things", AzureKeyCredential("admin-key")) as client:
        found = [document["id"] async for document in await client.search("*")]
    assert sorted(found) == sorted(f"k{at}" for at in range(120))


async def test_two_services_cannot_have_one_name() -> None:
    with pytest.raises(ValueError, match="name of its own"):
        async with running([EmulatedService(name="a"), EmulatedService(name="a", tier="basic")]):
            pass


@pytest.mark.parametrize(
    "arguments",
    [
        ["--service", "x:gold:y"],
        ["--service", "../x"],
        ["--service", "x", "--service", "x"],
        ["--role-key", "k=king"],
        ["--faults", "{"],
    ],
)
async def test_the_program_refuses_what_it_does_not_know(arguments: list[str]) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "emulator", *arguments), stderr=asyncio.subprocess.PIPE
    )
    _, complaint = await asyncio.wait_for(process.communicate(), 300)
    assert process.returncode == 2
    assert b"error: argument" in complaint


async def test_the_program_prints_how_to_reach_its_services(session: aiohttp.ClientSession) -> None:
    arguments = ["--port", "0", "--service", "far:basic:northpole", "--api-key", "mine", "--role-key", "k=reader"]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "emulator", *arguments), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        shown = ""
        while "northpole" not in shown:
            line = await asyncio.wait_for(process.stdout.readline(), 300)
            assert line, shown
            shown += line.decode()
        assert all(text in shown for text in ("far", "basic", "mine", "query-key"))
        [endpoint] = re.findall(r"http://127\.0\.0\.1:\d+", shown)
        far = Caller(session, endpoint)
        assert (await far.call("GET", "/indexes", key="k")).status == 200
        assert (await far.call("POST", "/indexes", plain(), key="k")).status == 403
    finally:
        process.terminate()
        await process.wait()


async def test_an_answer_is_compressed_where_that_is_asked_for(east: Caller, session: aiohttp.ClientSession) -> None:
    await east.create(plain())
    headers = {"api-key": "admin-key", "Accept-Encoding": "gzip, deflate"}
    url = f"{east.endpoint}/indexes?api-version=2026-04-01"
    async with aiohttp.ClientSession(auto_decompress=False) as plainly, plainly.get(url, headers=headers) as answer:
        assert (answer.headers["Content-Encoding"], answer.headers["Vary"]) == ("gzip", "Accept-Encoding")
        assert json.loads(gzip.decompress(await answer.read()))["value"][0]["name"] == "things"
    async with session.get(url, headers=headers | {"Accept-Encoding": "identity"}) as answer:
        assert "Content-Encoding" not in answer.headers
        assert (await answer.json())["value"][0]["name"] == "things"


async def test_a_caller_without_credentials_is_told_how_to_send_them(
    east: Caller, session: aiohttp.ClientSession
) -> None:
    async with session.get(f"{east.endpoint}/indexes?api-version=2026-04-01") as answer:
        assert (answer.status, answer.headers["WWW-Authenticate"].split()[0]) == (401, "Bearer")
