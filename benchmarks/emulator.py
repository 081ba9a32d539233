"""The emulator's speed in documents per second of its own CPU time: `python -m benchmarks.emulator`.

It starts the emulator as a process, loads an index with documents of 2 KB, reads it in key order in pages of 1,000, and
prints the emulator's CPU seconds, the wall time and its peak memory.
"""

import argparse
import asyncio
import os
import random
import resource
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import msgspec

_KEY = "admin-key"
_BATCH = 1000
_PAGE = 1000
_INDEX = {
    "name": "benchmark",
    "fields": [
        {"name": "id", "type": "Edm.String", "key": True, "searchable": False, "facetable": False},
        {"name": "title", "type": "Edm.String", "facetable": False, "sortable": False, "filterable": False},
        {"name": "text", "type": "Edm.String", "facetable": False, "sortable": False, "filterable": False},
        {"name": "rating", "type": "Edm.Double"},
        {"name": "changed", "type": "Edm.DateTimeOffset"},
        {"name": "tags", "type": "Collection(Edm.String)"},
    ],
}


class _Page(msgspec.Struct):
    value: list[msgspec.Raw]


class _Key(msgspec.Struct):
    id: str


def main() -> int:
    """Run the measurement and print it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--documents", type=int, default=100_000)
    parser.add_argument("--disk", action="store_true", help="keep the documents in a folder instead of memory")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(_measure(options.documents, Path(folder) if options.disk else None))
    return 0


async def _measure(documents: int, folder: Path | None) -> None:
    async with _emulator(folder) as (endpoint, process), aiohttp.ClientSession(endpoint) as session:
        session.headers.update({"api-key": _KEY, "Accept": "application/json;odata.metadata=none"})
        await _created(session)
        batches = [_batch(start, min(_BATCH, documents - start)) for start in range(0, min(documents, 20_000), _BATCH)]
        spent, started = _processor_seconds(process), time.perf_counter()
        for at in range(0, documents, _BATCH):
            body = batches[at // _BATCH % len(batches)] if at < 20_000 else _batch(at, min(_BATCH, documents - at))  # noqa: PLR2004  # those made ahead
            await _uploaded(session, body)
        _report("uploaded", documents, _processor_seconds(process) - spent, time.perf_counter() - started, process)
        spent, started = _processor_seconds(process), time.perf_counter()
        read = await _scanned(session)
        _report("read in key order", read, _processor_seconds(process) - spent, time.perf_counter() - started, process)


def _report(what: str, documents: int, processor: float, wall: float, process: int) -> None:
    rate = documents / processor
    print(  # noqa: T201  # a benchmark prints
        f"{documents:>9,} documents {what}: {rate:,.0f} a processor second "
        f"({processor:.2f} s of the emulator, {wall:.2f} s in all), peak memory {_peak_megabytes(process):,.0f} MB"
    )


def _batch(start: int, size: int) -> bytes:
    rng = random.Random(start)  # noqa: S311  # repeatable test data
    values = [
        {
            "@search.action": "upload",
            "id": f"{(start + at) * 2654435761 % 2**32:08x}-{start + at}",
            "title": f"Document {start + at}",
            "text": f"{rng.getrandbits(7100):x}",
            "rating": rng.random() * 5,
            "changed": f"20{rng.randrange(10, 26)}-0{rng.randrange(1, 10)}-11T10:00:00Z",
            "tags": ["one", "two", "three"],
        }
        for at in range(size)
    ]
    return msgspec.json.encode({"value": values})


async def _created(session: aiohttp.ClientSession) -> None:
    async with session.post("/indexes?api-version=2026-04-01", json=_INDEX) as response:
        response.raise_for_status()


async def _uploaded(session: aiohttp.ClientSession, body: bytes) -> None:
    url = "/indexes/benchmark/docs/index?api-version=2026-04-01"
    async with session.post(url, data=body) as response:
        response.raise_for_status()
        await response.read()


async def _scanned(session: aiohttp.ClientSession) -> int:
    url = "/indexes/benchmark/docs/search?api-version=2026-04-01"
    query: dict[str, object] = {"search": "*", "orderby": "id", "top": _PAGE}
    read = 0
    while True:
        async with session.post(url, data=msgspec.json.encode(query)) as response:
            response.raise_for_status()
            rows = msgspec.json.decode(await response.read(), type=_Page).value
        if not rows:
            return read
        read += len(rows)
        query["filter"] = f"id gt '{msgspec.json.decode(rows[-1], type=_Key).id}'"


@asynccontextmanager
async def _emulator(folder: Path | None) -> AsyncIterator[tuple[str, int]]:
    port = _free_port()
    kept = ["--storage", str(folder)] if folder else []
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "emulator", "--service", "benchmark:standard:local", "--port", str(port), *kept),
        stdout=asyncio.subprocess.DEVNULL,
    )
    try:
        await _listening(port)
        yield f"http://127.0.0.1:{port}", process.pid
    finally:
        process.terminate()
        await process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def _listening(port: int) -> None:
    for _ in range(200):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.05)
            continue
        writer.close()
        return
    raise TimeoutError("the emulator did not start")


def _processor_seconds(process: int) -> float:
    """Return user and system time of a process. Linux only."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _peak_megabytes(process: int) -> float:
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


if __name__ == "__main__":
    sys.exit(main())
