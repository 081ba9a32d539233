"""The cost of reading indexes of every shape: `python -m benchmarks.reading [SHAPE …] [--scale 0.1]`.

For each shape it starts Azurite and the emulator, loads the index, runs `indexvault backup` as a process and prints a
line: the chosen plan, documents, unique keys in the stored chunks, requests as the service counts them, wall time,
peak memory of indexvault, and the snapshot's state.
"""

import argparse
import asyncio
import os
import random
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
from rich.console import Console
from rich.table import Table

from benchmarks.servers import KEY, SERVICE, Servers, servers
from benchmarks.shapes import SHAPES, Shape
from indexvault.snapshots.azure_store import AzureStore
from indexvault.snapshots.catalogue import resolve_manifest
from indexvault.snapshots.chunks import document_lines, key_reader
from indexvault.snapshots.manifest import Manifest
from indexvault.snapshots.names import SnapshotReference
from indexvault.snapshots.reader import as_bytes, read_chunks
from indexvault.snapshots.tree_reader import TreeReader

_BATCH = 1000
_BATCH_BYTES = 15_000_000


class Measured(msgspec.Struct, frozen=True):
    """The measurements of one backup."""

    seconds: float
    peak_megabytes: float
    requests: int
    manifest: Manifest
    unique: int


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("shapes", nargs="*", metavar="SHAPE", help=f"of {', '.join(SHAPES)} (default: all)")
    parser.add_argument("--scale", type=float, default=1.0, help="what part of the documents to make")
    options = parser.parse_args()
    table = Table(box=None, pad_edge=False)
    for heading in (
        "shape",
        "plan",
        "documents",
        "unique keys",
        "requests",
        "per 1,000",
        "time",
        "peak memory",
        "state",
    ):
        table.add_column(heading, overflow="fold")
    for name in options.shapes or SHAPES:
        shape = msgspec.structs.replace(SHAPES[name], documents=int(SHAPES[name].documents * options.scale))
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, servers(Path(folder)) as running:
            measured = asyncio.run(measure(shape, running))
        table.add_row(*_row(shape, measured))
        print(" | ".join(_row(shape, measured)), flush=True)  # noqa: T201 - a benchmark prints
    Console(width=200).print(table)
    return 0


async def measure(shape: Shape, running: Servers) -> Measured:
    """Load an index, back it up, and read the snapshot back."""
    async with aiohttp.ClientSession(running.endpoint, headers={"api-key": KEY}) as session:
        await load(session, shape)
        async with session.delete("/$emulator/requests") as response:
            response.raise_for_status()
        started = time.perf_counter()
        peak = await asyncio.to_thread(_back_up, shape.name, running)
        seconds = time.perf_counter() - started
        async with session.get("/$emulator") as response:
            tallies = (await response.json())["requests"]
    async with AzureStore.from_connection_string("local", running.connection_string) as store:
        reference = SnapshotReference(service=SERVICE, index=shape.name)
        manifest = await resolve_manifest(store.snapshots, reference, now=datetime.now(UTC))
        key_of = key_reader(manifest.key_field)
        unique: set[int] = set()
        chunks = TreeReader(store.snapshots, manifest.folder).chunks(manifest.tree)
        async for _chunk, data in read_chunks(store.snapshots, manifest.folder, chunks, as_bytes):
            unique.update(hash(key_of(line)) for line in document_lines(data))
    return Measured(seconds, peak, sum(tally["requests"] for tally in tallies.values()), manifest, len(unique))


async def load(session: aiohttp.ClientSession, shape: Shape) -> None:
    """Create the index and upload its documents."""
    async with session.post("/indexes?api-version=2026-04-01", json=shape.definition) as response:
        assert response.status == 201, await response.text()  # noqa: S101, PLR2004 - a benchmark's own ground
    batch: list[bytes] = []
    rng = random.Random(1)  # noqa: S311 - repeatable test data
    for number in range(shape.documents):
        batch.append(msgspec.json.encode(shape.document(number, rng)))
        if len(batch) == _BATCH or len(batch) * len(batch[0]) > _BATCH_BYTES - len(batch[0]):
            await _upload(session, shape.name, batch)
            batch = []
    if batch:
        await _upload(session, shape.name, batch)


async def _upload(session: aiohttp.ClientSession, index: str, batch: list[bytes]) -> None:
    body = b'{"value":[' + b",".join(batch) + b"]}"
    async with session.post(f"/indexes/{index}/docs/index?api-version=2026-04-01", data=body) as response:
        assert response.status == 200, await response.text()  # noqa: S101, PLR2004 - a benchmark's own ground


def _back_up(index: str, running: Servers) -> float:
    """Run the command line; return its peak memory in megabytes."""
    process = subprocess.Popen(  # noqa: S603 - this project's own command line
        [sys.executable, "-m", "indexvault", "--json", "backup", SERVICE, index],
        env=running.environment(),
        stdout=subprocess.DEVNULL,
    )
    _pid, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, f"exit code {process.returncode}"  # noqa: S101 - a benchmark's own ground
    return usage.ru_maxrss / 1024


def _row(shape: Shape, measured: Measured) -> list[str]:
    manifest: Any = measured.manifest
    return [
        shape.name,
        manifest.reading.method if manifest.reading else "",
        f"{manifest.counts.documents:,}",
        f"{measured.unique:,}",
        f"{measured.requests:,}",
        f"{1000 * measured.requests / max(1, manifest.counts.documents):.2f}",
        f"{measured.seconds:.1f} s",
        f"{measured.peak_megabytes:.0f} MB",
        manifest.state,
    ]


if __name__ == "__main__":
    sys.exit(main())
