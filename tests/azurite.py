"""A real Azurite for the tests: one process a test worker, an empty storage account for whoever asks."""

import base64
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest

_TOOLS = Path(__file__).resolve().parent.parent / ".tools"
_PROGRAM = _TOOLS / "azurite" / "node_modules" / ".bin" / "azurite-blob"
_ACCOUNTS = 1000
_LISTENS = re.compile(r"successfully listens on http://127\.0\.0\.1:(\d+)")


class Azurite:
    """A running process. Every call of `new_account` returns the connection string of an account not used before."""

    def __init__(self, port: int, key: str) -> None:
        self.port = port
        self._key = key
        self._numbers = count(1)

    def new_account_name(self) -> str:
        return f"test{next(self._numbers):04}"

    def new_account(self) -> str:
        return self.connection_string(self.new_account_name())

    def connection_string(self, account: str, *, port: int | None = None) -> str:
        """Return an account's connection string; through another port when a proxy stands in front."""
        endpoint = f"http://127.0.0.1:{port or self.port}/{account}"
        return f"DefaultEndpointsProtocol=http;AccountName={account};AccountKey={self._key};BlobEndpoint={endpoint}"


@pytest.fixture(scope="session")
def azurite() -> Iterator[Azurite]:
    """Start Azurite on a free loopback port, in memory, for as long as the tests run."""
    with started() as it:
        yield it


@contextmanager
def started() -> Iterator[Azurite]:
    """Run Azurite for a block."""
    if not _PROGRAM.exists():
        pytest.fail(f"{_PROGRAM} is missing: `make test` installs Azurite")
    key = base64.b64encode(secrets.token_bytes(16)).decode()
    path = os.pathsep.join([str(_TOOLS / "node" / "bin"), os.environ.get("PATH", os.defpath)])
    if shutil.which("node", path=path) is None:
        pytest.fail("node is missing: `make test` installs it")
    accounts = ";".join(f"test{number:04}:{key}" for number in range(_ACCOUNTS))
    process = subprocess.Popen(  # noqa: S603  # the program is the pinned one below .tools
        [_PROGRAM, "--blobHost", "127.0.0.1", "--blobPort", "0", "--inMemoryPersistence", "--silent"],
        env=os.environ | {"PATH": path, "AZURITE_ACCOUNTS": accounts},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,  # node may be a wrapper with the real process below it: stop the whole group
    )
    try:
        yield Azurite(_port(process), key)
    finally:
        os.killpg(process.pid, signal.SIGKILL)  # SIGTERM would wait for idle clients; it holds nothing to keep
        process.communicate()


@pytest.fixture
def closed_port() -> Iterator[int]:
    """Return a port of this machine that refuses clients: it is bound, and nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


@pytest.fixture
def storage_account(azurite: Azurite) -> str:
    """Return the connection string of an empty storage account."""
    return azurite.new_account()


def _port(process: subprocess.Popen[str]) -> int:
    said = []
    for line in process.stdout or ():
        if found := _LISTENS.search(line):
            return int(found[1])
        said.append(line)
    pytest.fail(f"Azurite did not start: {''.join(said)}")
