"""Azurite and an emulated service as separate processes, so that only indexvault is measured."""

import base64
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

import msgspec

SERVICE = "contoso"
STORE = "local"
KEY = "admin-key"
_START_SECONDS = 60.0
_PROJECT = Path(__file__).parents[1]
_NODE = _PROJECT / ".tools/node/bin/node"
_AZURITE = _PROJECT / ".tools/azurite/node_modules/.bin/azurite-blob"


class Servers(msgspec.Struct, frozen=True):
    """Running servers: the emulated service's endpoint, and the connection string of an empty storage account."""

    endpoint: str
    connection_string: str
    emulator: int

    def environment(self) -> dict[str, str]:
        """Return the command line's environment for both servers."""
        settings = {
            "stores": {STORE: {"connection_string": {"env": "BENCHMARK_STORE"}, "region": "local"}},
            "services": {
                SERVICE: {
                    "endpoint": self.endpoint,
                    "region": "local",
                    "tier": "standard",
                    "store": STORE,
                    "api_key": {"env": "BENCHMARK_KEY"},
                }
            },
        }
        return {
            **os.environ,
            "INDEXVAULT_CONFIG": msgspec.json.encode(settings).decode(),
            "BENCHMARK_STORE": self.connection_string,
            "BENCHMARK_KEY": KEY,
        }


@contextlib.contextmanager
def servers(folder: Path, *emulator_options: str) -> Iterator[Servers]:
    """Run both for a block, with their data in a folder."""
    key = base64.b64encode(secrets.token_bytes(16)).decode()
    blob_port, search_port = _free_port(), _free_port()
    node = str(_NODE) if _NODE.exists() else "node"
    with contextlib.ExitStack() as stack:
        stack.enter_context(
            _process(
                [
                    *(node, str(_AZURITE), "--location", str(folder / "azurite"), "--silent", "--skipApiVersionCheck"),
                    *("--blobHost", "127.0.0.1", "--blobPort", str(blob_port), "--disableTelemetry"),
                ],
                blob_port,
                {"AZURITE_ACCOUNTS": f"benchmark:{key}"},
            )
        )
        emulator = stack.enter_context(
            _process(
                [
                    *(sys.executable, "-m", "emulator", "--service", f"{SERVICE}:standard:local", "--api-key", KEY),
                    *("--port", str(search_port), "--storage", str(folder / "search"), *emulator_options),
                ],
                search_port,
                {},
            )
        )
        endpoint = f"http://127.0.0.1:{blob_port}/benchmark"
        yield Servers(
            endpoint=f"http://127.0.0.1:{search_port}",
            connection_string=(
                f"DefaultEndpointsProtocol=http;AccountName=benchmark;AccountKey={key};BlobEndpoint={endpoint}"
            ),
            emulator=emulator,
        )


@contextlib.contextmanager
def _process(command: Sequence[str], port: int, environment: Mapping[str, str]) -> Iterator[int]:
    process = subprocess.Popen(  # noqa: S603 - the benchmark's own servers
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **environment},
        cwd=_PROJECT,
        start_new_session=True,
    )
    try:
        _await_port(process, port)
        yield process.pid
    finally:
        with contextlib.suppress(ProcessLookupError):  # it may never have started; that error is the one to report
            os.killpg(process.pid, signal.SIGTERM)
        process.wait()


def _await_port(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise TimeoutError(f"{process.args!r} did not start; is it set up? `make test` does that")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
