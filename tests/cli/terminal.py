"""A terminal to run `indexvault` in, with two emulated services over HTTP and an empty account."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from azure.storage.blob import BlobServiceClient

from emulator.server import Running, running
from emulator.service import EmulatedService
from indexvault.snapshots.azure_store import AzureStore
from indexvault.snapshots.names import SNAPSHOT_CONTAINER
from tests.cli.in_process import run_in_process
from tests.snapshots.samples import documents, write_snapshot

EAST, WEST = "contoso-east", "contoso-west"
ADMIN_KEY = "an-admin-key-nobody-may-see"
ROLE_KEYS = {"reader-key": "reader", "data-key": "data-reader", "both-key": "reader+data-reader"}
VERSION = "2026-04-01"

STORAGE_VERSION = "2024-11-04"
"""One that the pinned Azurite knows."""
_WRITING = ("put_", "post_", "delete_", "index_documents")
_PROJECT = Path(__file__).parents[2]
_LONGEST = 300.0
_MAKE_SNAPSHOTS = frozenset({"backup", "import", "move"})


@dataclass(frozen=True)
class CommandResult:
    """A command that has ended."""

    code: int
    stdout: str
    stderr: str

    @property
    def records(self) -> list[dict[str, Any]]:
        """The JSON Lines on stdout."""
        return [json.loads(line) for line in self.stdout.splitlines()]

    @property
    def error_line(self) -> str:
        """The one line that reports an error; a traceback, or a second such line, fails the test."""
        assert "Traceback" not in self.stdout + self.stderr
        told = [json.loads(line) for line in self.stderr.splitlines() if line.startswith('{"event":"error"')]
        if told:  # --json
            (error,) = told
            return f"{error['on']}: {error['what']}. {error['do']}"
        lines = [line for line in self.stderr.splitlines() if line.startswith("indexvault: ")]
        assert len(lines) == 1, self.stderr
        return lines[0].removeprefix("indexvault: ")


class Service:
    """One emulated service, called without any code of the project."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint

    def call(self, method: str, path: str, body: Any = None) -> Any:
        request = urllib.request.Request(  # noqa: S310 - the emulator's own loopback address
            f"{self.endpoint}{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"api-key": ADMIN_KEY, "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=_LONGEST) as answer:  # noqa: S310 - the same
            data = answer.read()
        return json.loads(data) if data else None

    def put(self, path: str, body: Any) -> None:
        self.call("PUT", f"/{path}?api-version={VERSION}", body)

    def fill(self, index: str, documents: int = 120, **attributes: Any) -> None:
        """Make an index with a text field, to which `attributes` are added, and fill it."""
        fields = [
            {"name": "id", "type": "Edm.String", "key": True, "filterable": True, "sortable": True},
            {"name": "text", "type": "Edm.String", **attributes},
        ]
        self.put(f"indexes/{index}", {"name": index, "fields": fields})
        for start in range(0, documents, 1000):
            actions = [
                {"id": f"{number:06d}", "text": f"what {number} says"}
                for number in range(start, min(start + 1000, documents))
            ]
            self.call("POST", f"/indexes/{index}/docs/index?api-version={VERSION}", {"value": actions})

    def change(self, index: str, *actions: Mapping[str, str]) -> None:
        """Upload documents, or delete those whose `@search.action` says so."""
        self.call("POST", f"/indexes/{index}/docs/index?api-version={VERSION}", {"value": list(actions)})

    @property
    def indexes(self) -> list[str]:
        return [entry["name"] for entry in self.call("GET", f"/indexes?api-version={VERSION}")["value"]]

    def faults(self, *rules: Mapping[str, Any]) -> None:
        self.call("POST", "/$emulator/faults", {"rules": list(rules)})

    @property
    def requests(self) -> dict[str, int]:
        """How often the service was asked, by operation."""
        return {name: tally["requests"] for name, tally in self._tallies.items()}

    @property
    def writes(self) -> int:
        """How many requests have changed the service; a refused one has not."""
        return sum(
            number
            for name, tally in self._tallies.items()
            for status, number in tally["statuses"].items()
            if name.startswith(_WRITING) and int(status) < 300
        )

    @property
    def _tallies(self) -> dict[str, Any]:
        tallies: dict[str, Any] = self.call("GET", "/$emulator")["requests"]
        return tallies


@dataclass
class Terminal:
    """Runs commands with settings and environment, and keeps what they print."""

    east: Service
    west: Service
    connection_string: str
    settings: dict[str, Any]
    environment: dict[str, str] = field(default_factory=dict)
    results: list[CommandResult] = field(default_factory=list)
    last_snapshot: int = 0
    """When the last command that makes snapshots ended, in seconds since the epoch."""

    def indexvault(self, *arguments: str, **environment: str) -> CommandResult:
        """Run a command in this process to its end. `environment` adds to the terminal's, or replaces it."""
        makes_snapshots = not _MAKE_SNAPSHOTS.isdisjoint(arguments)
        while makes_snapshots and int(time.time()) == self.last_snapshot:
            time.sleep(0.01)  # names tell the order of snapshots to the second
        result = CommandResult(
            *run_in_process(arguments, self._variables(environment), folder=_PROJECT, longest=_LONGEST)
        )
        if makes_snapshots:
            self.last_snapshot = int(time.time())
        self.results.append(result)
        return result

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """Start a command as a process of its own, for a test that signals or kills it or closes its streams."""
        return self._start(arguments, environment, stderr=subprocess.PIPE)

    def start_with_one_stream(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a command whose stderr goes to its stdout."""
        return self._start(arguments, {}, stderr=subprocess.STDOUT)

    def _start(self, arguments: Sequence[str], environment: Mapping[str, str], *, stderr: int) -> subprocess.Popen[str]:
        return subprocess.Popen(  # noqa: S603 - the command under test
            [sys.executable, "-m", "indexvault", *arguments],
            cwd=_PROJECT,
            env=self._variables(environment),
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )

    def _variables(self, environment: Mapping[str, str]) -> dict[str, str]:
        settings = {"INDEXVAULT_CONFIG": json.dumps(self.settings)}
        return {**os.environ, **settings, **self.environment, **environment}

    def wait(self, process: subprocess.Popen[str]) -> CommandResult:
        try:
            stdout, stderr = process.communicate(timeout=_LONGEST)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        result = CommandResult(process.returncode, stdout, stderr)
        self.results.append(result)
        return result

    def interrupt(self, process: subprocess.Popen[str]) -> CommandResult:
        process.send_signal(signal.SIGINT)
        return self.wait(process)

    def back_up(self, index: str) -> str:
        """Make a snapshot and return its full name."""
        result = self.indexvault("backup", EAST, index, "--json")
        assert result.code in {0, 3}, result.stderr
        reference: str = result.records[-1]["reference"]
        return reference

    def references(self, index: str) -> list[str]:
        """Return the full names of an index's snapshots, newest first."""
        return [record["reference"] for record in self.indexvault("snapshots", f"{EAST}/{index}", "--json").records]

    def flip_byte(self, suffix: str) -> str:
        """Change one byte of the first snapshot blob whose name ends so, and return its name."""
        with BlobServiceClient.from_connection_string(self.connection_string, api_version=STORAGE_VERSION) as account:
            container = account.get_container_client(SNAPSHOT_CONTAINER)
            properties = next(blob for blob in container.list_blobs(include=["metadata"]) if blob.name.endswith(suffix))
            data = bytearray(container.download_blob(properties.name).readall())
            data[len(data) // 2] ^= 1
            container.upload_blob(properties.name, bytes(data), metadata=properties.metadata, overwrite=True)
            name: str = properties.name
            return name

    def check_no_secret_printed(self) -> None:
        secrets = [ADMIN_KEY, *ROLE_KEYS, _account_key(self.connection_string)]
        for result in self.results:
            for secret in secrets:
                assert secret not in result.stdout + result.stderr


def delete_blob(connection_string: str, suffix: str) -> str:
    """Delete the first snapshot blob whose name ends so, and return its name."""
    with BlobServiceClient.from_connection_string(connection_string, api_version=STORAGE_VERSION) as account:
        container = account.get_container_client(SNAPSHOT_CONTAINER)
        name: str = next(blob.name for blob in container.list_blobs() if blob.name.endswith(suffix))
        container.delete_blob(name)
        return name


def write_future(connection_string: str, index: str) -> str:
    """Write a snapshot of the east service's index that is dated years ahead, and return its full name."""

    async def write() -> str:
        async with AzureStore.from_connection_string("local", connection_string) as store:
            created = datetime.now(UTC) + timedelta(days=1000)
            lines = documents(range(9))
            _, summary = await write_snapshot(store.snapshots, lines, index=index, created=created, run="wrong-clock")
            return str(summary.reference)

    return asyncio.run(write())


def delete_blobs(connection_string: str, *, ending: str = "", container: str = SNAPSHOT_CONTAINER) -> list[str]:
    """Delete all blobs of a container whose names end so, and return their names."""
    with BlobServiceClient.from_connection_string(connection_string, api_version=STORAGE_VERSION) as account:
        client = account.get_container_client(container)
        names = [blob.name for blob in client.list_blobs() if blob.name.endswith(ending)]
        for name in names:
            client.delete_blob(name)
        return names


@contextmanager
def open_terminal(connection_string: str) -> Iterator[Terminal]:
    """Start both services, and check at the end that no secret was printed."""
    services = [
        EmulatedService(name=EAST, tier="standard", region="eastus", api_key=ADMIN_KEY, role_keys=ROLE_KEYS),
        EmulatedService(name=WEST, tier="basic", region="westus", api_key=ADMIN_KEY, role_keys=ROLE_KEYS),
    ]
    with emulator_on_a_thread(services) as emulator:
        terminal = Terminal(
            east=Service(emulator.endpoint(EAST)),
            west=Service(emulator.endpoint(WEST)),
            connection_string=connection_string,
            settings={
                "stores": {"local": {"connection_string": {"env": "STORE"}, "region": "local"}},
                "allow_cross_region": True,
                "services": {
                    name: {
                        "endpoint": emulator.endpoint(name),
                        "region": region,
                        "tier": tier,
                        "store": "local",
                        "api_key": {"env": "SEARCH_KEY"},
                    }
                    for name, tier, region in ((EAST, "standard", "eastus"), (WEST, "basic", "westus"))
                },
            },
            environment={"STORE": connection_string, "SEARCH_KEY": ADMIN_KEY},
        )
        yield terminal
        terminal.check_no_secret_printed()


def await_request(process: subprocess.Popen[str], service: Service, operation: str, number: int = 1) -> None:
    """Wait until a command has sent a service so many requests of an operation."""
    deadline = time.monotonic() + _LONGEST
    while service.requests.get(operation, 0) < number:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, f"nobody asked for {operation}: {service.requests}"
        time.sleep(0.02)


@contextmanager
def emulator_on_a_thread(services: Sequence[EmulatedService]) -> Iterator[Running]:
    """Run the emulator on a thread of its own, since the tests wait for processes."""
    up = threading.Event()
    loop_and_stop: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []
    emulator: list[Running] = []

    async def serve() -> None:
        async with running(services) as it:
            stop = asyncio.Event()
            loop_and_stop.append((asyncio.get_running_loop(), stop))
            emulator.append(it)
            up.set()
            await stop.wait()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    try:
        assert up.wait(_LONGEST), "the emulator did not start"
        yield emulator[0]
    finally:
        for loop, stop in loop_and_stop:
            loop.call_soon_threadsafe(stop.set)
        thread.join()


def _account_key(connection_string: str) -> str:
    return connection_string.partition("AccountKey=")[2].partition(";")[0]
