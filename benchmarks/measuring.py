"""Run a command as a process of its own and measure it, with what the benchmarks' services have done meanwhile."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.http_server import CONTROL
from benchmarks.prices import by_kind, price_of_operations, price_of_storage

PROJECT = Path(__file__).parents[1]
_GB = 1e9


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """One operation of one tool on one corpus.

    `corpus_bytes` are those of the corpus, line feeds included; `cpu` are CPU seconds of the client process from its
    start to its end, `peak` is its peak memory in bytes. `search_cpu` and `blobs_cpu` are those of the services.
    `stored` is what the snapshots' container holds afterwards, `added` how much it grew, in bytes. `load` is the
    machine's average load over a minute, at the start.
    """

    corpus: str
    megabytes: int
    corpus_bytes: int
    operation: str
    tool: str
    seconds: float
    cpu: float
    peak: int
    requests: dict[str, int]
    operations: dict[str, int]
    stored: int
    added: int
    search_cpu: float
    blobs_cpu: float
    load: float

    @property
    def cpu_per_gb(self) -> float:
        """CPU seconds for each 10**9 bytes of the corpus."""
        return self.cpu / self.corpus_bytes * _GB

    @property
    def megabytes_per_second(self) -> float:
        """10**6 bytes of the corpus a second."""
        return self.corpus_bytes / self.seconds / 1e6

    def blob_operations(self) -> Mapping[str, int]:
        """Return the blob operations by how they are priced."""
        return {str(kind): number for kind, number in by_kind(self.operations).items()}

    def operations_price(self) -> float:
        """Return the price of the blob operations in US dollars, for each 10**12 bytes of the corpus."""
        return price_of_operations(self.operations) / self.corpus_bytes * 1e12

    def storage_price(self) -> float:
        """Return the price of a month of what was added in US dollars, for each 10**12 bytes of the corpus."""
        return price_of_storage(self.added) / self.corpus_bytes * 1e12


class Service(msgspec.Struct, frozen=True):
    """One of the benchmarks' services, in a process of its own."""

    url: str

    def control(self, what: str = "", **given: Any) -> Any:
        """Ask the service about itself, or tell it what to hold."""
        return self.send("POST" if given else "GET", f"{CONTROL}{what}", given or None)

    def send(self, method: str, path: str, body: object = None) -> Any:
        """Send a request that is not measured. Return its answer's JSON."""
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(self.url + path, data, {"Content-Type": "application/json"}, method=method)  # noqa: S310 - a service of our own
        with urllib.request.urlopen(request) as answer:  # noqa: S310 - the same
            read = answer.read()
        return json.loads(read) if read else None


@contextlib.contextmanager
def service(module: str, *options: str) -> Iterator[Service]:
    """Run one of the benchmarks' services for a block."""
    process = subprocess.Popen(  # noqa: S603 - the benchmark's own service
        [sys.executable, "-m", module, *options],
        stdout=subprocess.PIPE,
        text=True,
        cwd=PROJECT,
        env=environment(PROJECT),
    )
    try:
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        yield Service(f"http://127.0.0.1:{int(process.stdout.readline())}")
    finally:
        process.terminate()
        process.communicate()


def environment(package: Path) -> dict[str, str]:
    """Return the environment of a process that imports from a folder and knows no settings of this machine."""
    # Whoever uses the command compiles it once, not each time.
    left_out = ("INDEXVAULT", "PYTHONDONTWRITEBYTECODE")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(left_out)}
    return kept | {"PYTHONPATH": str(package), "PYTHONWARNINGS": "ignore"}


class Process(msgspec.Struct, frozen=True):
    """What a process has used, and what it wrote to stdout. `peak` is in bytes."""

    seconds: float
    cpu: float
    peak: int
    output: str


def run(command: Sequence[str], package: Path, more: Mapping[str, str]) -> Process:
    """Run a Python module with its arguments. Raises RuntimeError with the end of what it says if it fails."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        started = time.perf_counter()
        process = subprocess.Popen(  # noqa: S603 - this project's own modules
            [sys.executable, "-m", *command],
            env=environment(package) | dict(more),
            cwd=package,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
        )
        _pid, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        if process.returncode:
            said = (out.read() + err.read())[-3000:].decode(errors="replace")
            raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}: {said}")
        return Process(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024, out.read().decode())
