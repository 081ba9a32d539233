"""The app as a test sees it: over HTTP, as a process that can be killed."""

import asyncio
import json
import os
import secrets
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from emulator.server import Running, running
from emulator.service import EmulatedService
from tests.azurite import Azurite

PROJECT = Path(__file__).resolve().parents[2]
EAST, WEST = "contoso-east", "contoso-west"
NEVER = "0 0 0 1 1 *"
"""A schedule whose last time is long past, whenever the tests run."""
HELD = {"fault": "latency", "path": "docs/search", "seconds": 3600}
"""Holds every search back until the faults are replaced."""
_END_SECONDS = 300
_POLL_SECONDS = 0.1


@dataclass
class Answer:
    """An answer of the app."""

    status: int
    headers: dict[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)


@dataclass
class App:
    """A host that runs the app. Its answers and its log are kept in `said`."""

    environment: dict[str, str]
    function_key: str
    master_key: str
    system_key: str
    session: aiohttp.ClientSession
    url: str = ""
    said: list[str] = field(default_factory=list)
    process: asyncio.subprocess.Process | None = None
    _log: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start the host and wait until it takes requests."""
        self.process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "tests.host", "--port", "0", "--no-clock"),
            cwd=PROJECT,
            env=self.environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        self._log = asyncio.create_task(self._read(self.process.stderr))
        line = await asyncio.wait_for(self.process.stdout.readline(), _END_SECONDS)
        assert line, "\n".join(self.said)
        self.url = json.loads(line)["url"]

    async def kill(self) -> None:
        """Kill the host as a power cut would."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> None:
        """Stop the host gracefully."""
        await self._end(signal.SIGTERM)

    async def _end(self, number: signal.Signals) -> None:
        if self.process is not None and self.process.returncode is None:
            self.process.send_signal(number)
            await asyncio.wait_for(self.process.wait(), _END_SECONDS)
        if self._log is not None:
            await self._log

    async def _read(self, stream: asyncio.StreamReader) -> None:
        async for line in stream:
            self.said.append(line.decode(errors="replace"))

    async def ask(self, method: str, path: str, body: Any = None, *, key: str | None = None, **options: Any) -> Answer:
        """Send a request with the function key, or another one."""
        headers = {"x-functions-key": self.function_key if key is None else key}
        if body is not None:
            options["json"] = body
        async with self.session.request(method, f"{self.url}{path}", headers=headers, **options) as answer:
            text = await answer.text()
            self.said.append(f"{dict(answer.headers)} {text}")
            return Answer(answer.status, dict(answer.headers), text)

    async def tick(self) -> None:
        """Fire the timer that starts due policies, as an operator can with the master key."""
        answer = await self.ask("POST", "/admin/functions/start_due_policies", {"input": ""}, key=self.master_key)
        assert answer.status == 202

    async def runs(self) -> list[dict[str, Any]]:
        """Return the runs, the newest first."""
        answer = await self.ask("GET", "/api/runs")
        assert answer.status == 200, answer.text
        found: list[dict[str, Any]] = answer.json["runs"]
        return found

    async def end_of(self, run: str) -> dict[str, Any]:
        """Follow a run until it is finished."""
        return await self.until(run, lambda view: view["state"] not in {"waiting", "running"})

    async def until(self, run: str, reached: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Follow a run until its view meets a condition."""
        async with asyncio.timeout(_END_SECONDS):
            while not reached(view := await self.show(run)):  # noqa: ASYNC110 - another process is polled
                await asyncio.sleep(_POLL_SECONDS)
        return view

    async def show(self, run: str) -> dict[str, Any]:
        answer = await self.ask("GET", f"/api/runs/{run}")
        assert answer.status == 200, answer.text
        view: dict[str, Any] = answer.json
        return view

    async def back_up(self, *indexes: str) -> dict[str, Any]:
        """Back up indexes of the first service and wait for the end."""
        answer = await self.ask("POST", "/api/backups", {"service": EAST, "indexes": list(indexes) or ["*"]})
        assert answer.status == 202, answer.text
        return await self.end_of(answer.json["run"])

    def require_no_secret(self) -> None:
        """Require that no answer and no log entry holds a key or a management URL."""
        told = "\n".join(self.said)
        for secret in (
            self.function_key,
            self.master_key,
            self.system_key,
            "-admin-key",
            "AccountKey",
            "runtime/webhooks",
        ):
            assert secret not in told, told[max(0, told.find(secret) - 300) : told.find(secret) + 100]


@dataclass
class Ground:
    """The two emulated services."""

    emulator: Running
    session: aiohttp.ClientSession

    async def fill(self, index: str, documents: Iterable[dict[str, Any]], service: str = EAST) -> None:
        """Create an index of hotels and upload documents to it."""
        definition = {
            "name": index,
            "fields": [
                {"name": "id", "type": "Edm.String", "key": True, "filterable": True, "sortable": True},
                {"name": "name", "type": "Edm.String"},
            ],
        }
        await self.send(service, "PUT", f"/indexes('{index}')", definition)
        batch = [{"@search.action": "upload", **document} for document in documents]
        for start in range(0, len(batch), 1000):
            await self.send(
                service, "POST", f"/indexes('{index}')/docs/search.index", {"value": batch[start : start + 1000]}
            )

    async def send(self, service: str, method: str, path: str, body: Any = None) -> None:
        url = f"{self.emulator.endpoint(service)}{path}?api-version=2026-04-01"
        headers = {"api-key": f"{service}-admin-key"}
        async with self.session.request(method, url, json=body, headers=headers) as answer:
            assert answer.status < 300, await answer.text()

    async def faults(self, service: str, *rules: dict[str, Any]) -> None:
        """Replace a service's fault rules."""
        url = f"{self.emulator.endpoint(service)}/$emulator/faults"
        async with self.session.post(url, json={"seed": 7, "rules": list(rules)}) as answer:
            assert answer.status < 300, await answer.text()


def hotels(count: int) -> list[dict[str, Any]]:
    """Return documents whose keys sort in the order of their numbers."""
    return [{"id": f"hotel-{number:06}", "name": f"Hotel {number} by the sea"} for number in range(count)]


@asynccontextmanager
async def open_ground() -> AsyncIterator[Ground]:
    """Open the two emulated services."""
    services = [
        EmulatedService(name=EAST, tier="standard", region="eastus", api_key=f"{EAST}-admin-key"),
        EmulatedService(name=WEST, tier="basic", region="westus2", api_key=f"{WEST}-admin-key"),
    ]
    async with running(services) as emulator, aiohttp.ClientSession() as session:
        yield Ground(emulator, session)


def configuration(ground: Ground) -> dict[str, Any]:
    """Return the app's settings for the emulated services."""
    tiers = {EAST: "standard", WEST: "basic"}
    return {
        "stores": {"local": {"region": "local", "connection_string": {"env": "STORE"}}},
        "services": {
            name: {
                "endpoint": ground.emulator.endpoint(name),
                "region": "local",
                "tier": tier,
                "store": "local",
                "api_key": {"env": f"KEY_{name.upper().replace('-', '_')}"},
            }
            for name, tier in tiers.items()
        },
        "allow_removal_requests": True,
        "policies": {"yearly": {"service": EAST, "indexes": ["*", "!tmp-*"], "schedule": NEVER}},
    }


@asynccontextmanager
async def open_app(ground: Ground, azurite: Azurite) -> AsyncIterator[App]:
    """Open the app on the services and an empty storage account. At the end it must have leaked no secret."""
    keys = [secrets.token_urlsafe(12) for _ in range(3)]
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "TMPDIR": tempfile.gettempdir(),
        "INDEXVAULT_CONFIG": json.dumps(configuration(ground)),
        "KEY_CONTOSO_EAST": f"{EAST}-admin-key",
        "KEY_CONTOSO_WEST": f"{WEST}-admin-key",
        "STORE": azurite.new_account(),
        "HOST_FUNCTION_KEY": keys[0],
        "HOST_MASTER_KEY": keys[1],
        "HOST_SYSTEM_KEY": keys[2],
    }
    async with aiohttp.ClientSession() as session:
        app = App(environment, function_key=keys[0], master_key=keys[1], system_key=keys[2], session=session)
        try:
            await app.start()
            yield app
        finally:
            await app.stop()
        app.require_no_secret()


@pytest.fixture
async def ground() -> AsyncIterator[Ground]:
    async with open_ground() as opened:
        yield opened


@pytest.fixture
async def app(ground: Ground, azurite: Azurite) -> AsyncIterator[App]:
    async with open_app(ground, azurite) as opened:
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def asked(azurite: Azurite) -> AsyncIterator[App]:
    """One app for all the requests of a module that change nothing."""
    async with open_ground() as ground, open_app(ground, azurite) as opened:
        await ground.fill("hotels", hotels(7))
        yield opened
