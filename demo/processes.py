"""The servers of the demo: Azurite and the emulator, as processes that end with the demo."""

import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from demo.folder import ACCOUNT, SERVICES, DemoFolder, Keys

START_SECONDS = 120.0
END_SECONDS = 5.0

_PROJECT = Path(__file__).parents[1]
_NODE = _PROJECT / ".tools/node/bin/node"
_AZURITE = _PROJECT / ".tools/azurite/node_modules/.bin/azurite-blob"
_LOOPBACK = "127.0.0.1"
_LOWEST_PORT, _HIGHEST_PORT = 10_240, 32_000


class ServerError(Exception):
    """A server did not start; the text says which."""


@contextlib.contextmanager
def servers(folder: DemoFolder, keys: Keys) -> Iterator[tuple[int, int]]:
    """Run both servers for a block; yield Azurite's port and the first of the emulator's."""
    with contextlib.ExitStack() as stack:
        blob_port = free_ports(1)
        azurite = [
            *(str(_NODE), str(_AZURITE), "--location", str(folder.azurite), "--blobHost", _LOOPBACK),
            *("--blobPort", str(blob_port), "--skipApiVersionCheck", "--disableTelemetry"),
        ]
        accounts = {"AZURITE_ACCOUNTS": f"{ACCOUNT}:{keys.blob}"}
        stack.enter_context(_process("Azurite", azurite, folder.path / "azurite.log", blob_port, accounts))
        search_port = free_ports(len(SERVICES))
        emulator = [
            *(sys.executable, "-m", "emulator", "--storage", str(folder.services), "--port", str(search_port)),
            *("--api-key", keys.search),
            *(argument for service in SERVICES for argument in ("--service", ":".join(service))),
        ]
        last = search_port + len(SERVICES) - 1
        stack.enter_context(_process("The emulator", emulator, folder.path / "emulator.log", last, {}))
        yield blob_port, search_port


def free_ports(number: int) -> int:
    """Return the first of `number` adjacent free ports of the loopback interface.

    They lie below the range of ephemeral ports, so that no connection takes one before the server is up.
    """
    while True:
        first = _LOWEST_PORT + secrets.randbelow(_HIGHEST_PORT - _LOWEST_PORT)
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
            for port in range(first, first + number):
                stack.enter_context(socket.socket()).bind((_LOOPBACK, port))
            return first


@contextlib.contextmanager
def _process(
    name: str, command: Sequence[str], log: Path, port: int, environment: Mapping[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server for a block, which begins once the server listens.

    It runs in a session of its own, so that Control-C reaches only the demo, which then ends the server.
    """
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - the demo's own servers
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **environment},
            cwd=_PROJECT,
            start_new_session=True,
        )
    try:
        _await_port(name, process, port, log)
        yield process
    finally:
        _end(process)


def _await_port(name: str, process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise ServerError(f"{name} ended at once; see {log}")
        with contextlib.suppress(OSError), socket.create_connection((_LOOPBACK, port), timeout=1):
            return
        time.sleep(0.05)
    raise ServerError(f"{name} did not come up within {START_SECONDS:g} s; see {log}")


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process and its children. Further signals are ignored, so that nothing is left running."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    for way in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, way)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(END_SECONDS)
            return
