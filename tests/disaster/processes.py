"""The processes of a region: its services (the emulator), its store (Azurite), and the app with its timers.

Each runs in a session of its own, so that SIGKILL reaches it and all that it has started, at once and without warning.
What services and store hold lies in the region's folder, and is there again when they are started again.
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

START_SECONDS = 180.0
_PROJECT = Path(__file__).parents[2]
_NODE = _PROJECT / ".tools/node/bin/node"
_AZURITE = _PROJECT / ".tools/azurite/node_modules/.bin/azurite-blob"
_LOOPBACK = "127.0.0.1"


class Process:
    """A server that is known by the port it listens on."""

    def __init__(
        self, name: str, command: Sequence[str], port: int, log: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        self.name = name
        self.log = log
        self._command = command
        self._port = port
        self._environment = environment or {}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def is_alive(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it, and return at once."""
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(  # noqa: S603 - our own servers
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **self._environment},
                cwd=_PROJECT,
                start_new_session=True,
            )

    def await_port(self) -> None:
        """Wait until it takes connections. Raises RuntimeError if it has ended, or does not come up."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if not self.is_alive:
                raise RuntimeError(f"{self.name} has ended:\n{self.tail()}")
            with contextlib.suppress(OSError), socket.create_connection((_LOOPBACK, self._port), timeout=1):
                return
            time.sleep(0.05)
        raise RuntimeError(f"{self.name} did not come up:\n{self.tail()}")

    def kill(self) -> None:
        """End it and all that it has started, with SIGKILL."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def tail(self, lines: int = 30) -> str:
        """Return the end of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:]) if self.log.exists() else ""


class Region:
    """A region's processes. `services` are the names of its search services."""

    def __init__(self, name: str, place: str, folder: Path, services: Sequence[str], search_key: str) -> None:
        self.name = name
        self.place = place
        self.services = tuple(services)
        self.folder = folder / name
        self.folder.mkdir(parents=True)
        self.search_port = free_ports(len(services))
        self.blob_port = free_ports(1)
        self.app_port = free_ports(1)
        self.account = f"{name}account"
        self._search_key = search_key
        self._processes: dict[str, Process] = {}

    def endpoint(self, service: str) -> str:
        """Return the address of one of its services."""
        return f"http://{_LOOPBACK}:{self.search_port + self.services.index(service)}"

    @property
    def app_url(self) -> str:
        """The address of its app."""
        return f"http://{_LOOPBACK}:{self.app_port}"

    def connection_string(self, blob_key: str) -> str:
        """Return what opens its store."""
        return (
            f"DefaultEndpointsProtocol=http;AccountName={self.account};AccountKey={blob_key};"
            f"BlobEndpoint=http://{_LOOPBACK}:{self.blob_port}/{self.account};"
        )

    def start_services(self) -> None:
        """Start the search services, with what they held."""
        command = [
            *(sys.executable, "-m", "emulator", "--storage", str(self.folder / "services")),
            *("--port", str(self.search_port), "--api-key", self._search_key),
            *(argument for each in self.services for argument in ("--service", f"{each}:standard:{self.place}")),
        ]
        self._start("services", command, self.search_port + len(self.services) - 1)

    def start_store(self, blob_key: str) -> None:
        """Start the store, with what it held."""
        command = [
            *(str(_NODE), str(_AZURITE), "--location", str(self.folder / "store"), "--blobHost", _LOOPBACK),
            *("--blobPort", str(self.blob_port), "--skipApiVersionCheck", "--disableTelemetry", "--silent"),
        ]
        self._start("store", command, self.blob_port, {"AZURITE_ACCOUNTS": f"{self.account}:{blob_key}"})

    def start_app(self, environment: Mapping[str, str]) -> None:
        """Start the app. Its timers fire when they are told to."""
        command = [sys.executable, "-m", "tests.host", "--port", str(self.app_port), "--no-clock"]
        self._start("app", command, self.app_port, environment)

    def await_ports(self) -> None:
        """Wait until all that was started takes connections."""
        for process in self._processes.values():
            if process.is_alive:
                process.await_port()

    def kill(self, *names: str) -> list[str]:
        """Kill some of its processes, or all that are alive, and return their names."""
        killed = [name for name, each in self._processes.items() if each.is_alive and (not names or name in names)]
        for name in killed:
            self._processes[name].kill()
        return killed

    def log(self, name: str) -> str:
        """Return the end of a process's log."""
        return self._processes[name].tail(60) if name in self._processes else ""

    def _start(
        self, name: str, command: Sequence[str], port: int, environment: Mapping[str, str] | None = None
    ) -> None:
        log = self.folder / f"{name}.log"
        process = Process(f"{name} of {self.name}", command, port, log, environment)
        process.start()
        self._processes[name] = process


_LOWEST_PORT, _HIGHEST_PORT = 10_240, 32_000


def free_ports(number: int) -> int:
    """Return the first of some adjacent free ports, below those that connections get."""
    for first in range(_LOWEST_PORT + os.getpid() * 37 % 15_000, _HIGHEST_PORT):
        if any(port in _TAKEN for port in range(first, first + number)):
            continue
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
            for port in range(first, first + number):
                stack.enter_context(socket.socket()).bind((_LOOPBACK, port))
            _TAKEN.update(range(first, first + number))
            return first
    raise RuntimeError("no port is free")


_TAKEN: set[int] = set()
"""Ports of this process's servers: one that is killed is started again on its own."""
