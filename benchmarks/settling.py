"""The cost of reading indexes without key order while they are written to: `python -m benchmarks.settling`.

For each shape and rate of writes it starts Azurite and the emulator, loads the index, runs `indexvault backup` as a
process beside a writer that changes, adds and deletes documents at random, and prints a line: requests, CPU seconds and
wall time of indexvault, exit code and state, and how many documents are missing that were there throughout. `--package`
measures the package in another folder, such as a clone of an earlier version.
"""

import argparse
import asyncio
import contextlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from benchmarks.servers import KEY, SERVICE, Servers, servers

_API = "api-version=2026-04-01"
_BATCH = 1000
_OFF = {"filterable": False, "sortable": False, "facetable": False, "searchable": False}
_TEXT = {"name": "text", "type": "Edm.String", "retrievable": True} | _OFF
_LIMIT_SECONDS = 900


class Shape(msgspec.Struct, frozen=True):
    """An index: its documents' number and its fields, the key's attributes first."""

    documents: int
    key: dict[str, Any] = {}
    fields: tuple[dict[str, Any], ...] = ()
    same_date: int = 0
    """Documents of a hundred that share one date."""
    shuffled: bool = False
    """Whether each request orders ties its own way."""


def _field(name: str, edm_type: str, *attributes: str) -> dict[str, Any]:
    on = dict.fromkeys(attributes, True)
    return (
        {"name": name, "type": edm_type, "retrievable": "hidden" not in on}
        | _OFF
        | {name: value for name, value in on.items() if name != "hidden"}
    )


_NUMBER = _field("number", "Edm.Int32", "filterable", "sortable")
_DATE = _field("changed", "Edm.DateTimeOffset", "filterable", "sortable")
_CATEGORY = _field("category", "Edm.String", "filterable", "facetable", "hidden")
SHAPES = {
    "number": Shape(12_000, fields=(_NUMBER,)),
    "filtered": Shape(12_000, fields=(_field("number", "Edm.Int32", "filterable"),)),
    "facets": Shape(12_000, fields=(_CATEGORY,)),
    "filterable-key": Shape(12_000, {"filterable": True}),
    "searchable-key": Shape(12_000, {"searchable": True, "analyzer": "keyword"}),
    "sorted": Shape(12_000, fields=(_field("number", "Edm.Int32", "sortable"),)),
    "plain": Shape(12_000),
    "same-date": Shape(150_000, fields=(_DATE, _NUMBER), same_date=80, shuffled=True),
    "same-date-prefixes": Shape(
        150_000, {"searchable": True, "analyzer": "keyword"}, (_DATE,), same_date=80, shuffled=True
    ),
    "same-date-facets": Shape(150_000, fields=(_DATE, _CATEGORY), same_date=80, shuffled=True),
}


class Writer:
    """Writes to an index; knows which documents were there throughout."""

    def __init__(self, session: aiohttp.ClientSession, shape: Shape) -> None:
        self._session, self._shape, self._rng = session, shape, random.Random(1)  # noqa: S311 - repeatable
        self._number = shape.documents
        self._throughout = [_key(number) for number in range(shape.documents)]
        self._gone: set[str] = set()

    @property
    def throughout(self) -> set[str]:
        """Keys of documents that were never deleted."""
        return set(self._throughout) - self._gone

    def document(self, key: str) -> dict[str, Any]:
        """Return a document with random values."""
        rng = self._rng
        is_same = rng.randrange(100) < self._shape.same_date
        values = {
            "number": rng.randrange(1_000_000),
            "changed": "2026-01-01T00:00:00Z" if is_same else f"2026-02-{rng.randrange(1, 28):02}T10:00:00Z",
            "category": f"c{rng.randrange(150)}",
        }
        names = {field["name"] for field in self._shape.fields}
        kept = {name: value for name, value in values.items() if name in names}
        return {"id": key, **kept, "text": f"{rng.getrandbits(1600):x}"}

    async def load(self) -> None:
        """Create the index and fill it."""
        key = {"name": "id", "type": "Edm.String", "key": True, "retrievable": True} | _OFF | self._shape.key
        definition = {"name": "restless", "fields": [key, *self._shape.fields, _TEXT]}
        async with self._session.post(f"/indexes?{_API}", json=definition) as response:
            assert response.status == 201, await response.text()  # noqa: S101, PLR2004 - a benchmark's own ground
        for start in range(0, self._shape.documents, _BATCH):
            await self._send([self.document(key) for key in self._throughout[start : start + _BATCH]])
        rules = [{"fault": "shuffled_ties"}] if self._shape.shuffled else []
        async with self._session.post("/$emulator/faults", json={"seed": 1, "rules": rules}) as response:
            response.raise_for_status()
        async with self._session.delete("/$emulator/requests") as response:
            response.raise_for_status()

    async def write(self, times: int) -> None:
        """Write that often: half are changes, a quarter each new documents and deletions."""
        actions: dict[str, dict[str, Any]] = {}
        for _ in range(times):
            kind = self._rng.random()
            key = self._rng.choice(self._throughout)
            if kind < 0.25:  # noqa: PLR2004
                actions[key] = {"@search.action": "delete", "id": key}
                self._gone.add(key)
            elif kind < 0.5:  # noqa: PLR2004
                self._number += 1
                actions[_key(self._number)] = self.document(_key(self._number))
            elif key not in self._gone:
                actions[key] = self.document(key)
        if actions:
            await self._send(list(actions.values()))

    @contextlib.asynccontextmanager
    async def writing(self, rate: int) -> AsyncIterator[None]:
        """Write at a rate, in writes a second, for a block."""

        async def go_on() -> None:
            begun, written = time.monotonic(), 0
            while True:
                due = int((time.monotonic() - begun) * rate) - written
                if due:
                    await self.write(due)
                written += due
                await asyncio.sleep(0.05)

        task = asyncio.create_task(go_on()) if rate else None
        try:
            yield
        finally:
            if task is not None:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task

    async def _send(self, documents: Sequence[dict[str, Any]]) -> None:
        async with self._session.post(f"/indexes/restless/docs/index?{_API}", json={"value": documents}) as response:
            assert response.status == 200, await response.text()  # noqa: S101, PLR2004 - a benchmark's own ground


def _key(number: int) -> str:
    return f"{number * 2654435761 % 2**32:08x}-{number}"


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("shapes", nargs="*", metavar="SHAPE", help=f"of {', '.join(SHAPES)} (default: all)")
    parser.add_argument("--rates", type=int, nargs="*", default=[0, 20, 200], help="writes a second")
    parser.add_argument("--package", type=Path, default=Path(), help="the folder that holds the package to measure")
    parser.add_argument("--scale", type=float, default=1.0, help="what part of the documents to make")
    options = parser.parse_args()
    for name in options.shapes or SHAPES:
        for rate in options.rates:
            with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, servers(Path(folder)) as running:
                shape = msgspec.structs.replace(SHAPES[name], documents=int(SHAPES[name].documents * options.scale))
                line = asyncio.run(measure(shape, rate, running, options.package.absolute(), Path(folder)))
            print(f"{name} | {rate}/s | {line}", flush=True)  # noqa: T201 - a benchmark prints
    return 0


async def measure(shape: Shape, rate: int, running: Servers, package: Path, folder: Path) -> str:
    """Back the index up while it is written to, and compare the snapshot with what was there throughout."""
    async with aiohttp.ClientSession(running.endpoint, headers={"api-key": KEY}) as session:
        writer = Writer(session, shape)
        await writer.load()
        async with writer.writing(rate):
            began = time.perf_counter()
            code, cpu, output = await asyncio.to_thread(_run, running, package, "backup", SERVICE, "restless")
            seconds = time.perf_counter() - began
        async with session.get("/$emulator") as response:
            tallies = (await response.json())["requests"]
    requests = sum(tally["requests"] for name, tally in tallies.items() if name != "index_documents")
    report = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    state = next((each["state"] for each in report if "state" in each), "no snapshot")
    missing = ""
    if "snapshot" in (report[-1] if report else {}):
        _run(running, package, "export", f"{SERVICE}/restless@{report[-1]['snapshot']}", str(folder / "export"))
        found = {json.loads(text)["id"] for file in (folder / "export").rglob("*.jsonl") for text in file.open()}
        missing = f", {len(writer.throughout - found)} missing of those there throughout"
    return f"{requests:,} requests | {cpu:.1f} s CPU | {seconds:.1f} s | exit {code}, {state}{missing}"


def _run(running: Servers, package: Path, *arguments: str) -> tuple[int, float, str]:
    """Run the command line; return its exit code, CPU seconds and output."""
    module = "indexvault" if (package / "indexvault").exists() else "cli"  # as earlier versions named it
    process = subprocess.Popen(  # noqa: S603 - this project's own command line
        [sys.executable, "-m", module, "--json", *arguments],
        env=running.environment() | {"PYTHONPATH": str(package)},
        cwd=package,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None  # noqa: S101 - it is a pipe
    output = process.stdout.read()
    _pid, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, usage.ru_utime + usage.ru_stime, output


if __name__ == "__main__":
    sys.exit(main())
