"""The cost of daily snapshots that share chunks: `python -m benchmarks.deduplication`.

Ten daily snapshots of an index in which 0.5 % of the documents change each day, at random keys, and of one to which as
many are appended, compared with ten full ones. `--targets` repeats this for several chunk sizes; the default size was
chosen by it. The snapshots are written to a store in memory.
"""

import argparse
import asyncio
import random
import sys
import time
from datetime import timedelta
from typing import Literal

from rich.console import Console
from rich.table import Table

from benchmarks.snapshot_data import INDEX, MORNING, SERVICE, document, random_key, rising_key, write_snapshot
from indexvault.snapshots.manifest import Manifest
from indexvault.snapshots.names import manifests_prefix
from tests.memory_store import MemoryStore

type Pattern = Literal["random keys", "appends"]

_CHANGED = 200
"""One document of so many changes each day: 0.5 %."""
_TARGETS = (4, 8, 16, 32, 64, 128, 256, 512, 1024)
_MEGABYTE = 1e6


async def days(pattern: Pattern, documents: int, number: int, target: int | None = None) -> tuple[list[Manifest], int]:
    """Write daily snapshots; return their manifests and the manifests' own size in bytes."""
    rng = random.Random(5)  # noqa: S311 - repeatable data, not secrets
    key_of = random_key if pattern == "random keys" else rising_key
    lines = {key: document(key) for key in map(key_of, range(documents))}
    store = MemoryStore()
    manifests: list[Manifest] = []
    for day in range(number):
        if day and pattern == "random keys":
            for changed in rng.sample(range(documents), documents // _CHANGED):
                lines[key_of(changed)] = document(key_of(changed), day)
        elif day:
            for added in range(len(lines), len(lines) + documents // _CHANGED):
                lines[key_of(added)] = document(key_of(added))
        previous = manifests[-1] if manifests else None
        created = MORNING + timedelta(days=day)
        manifests.append(await write_snapshot(store.snapshots, lines, created, previous=previous, target=target))
    size = sum([blob.size async for blob in store.snapshots.list(manifests_prefix(SERVICE, INDEX))])
    return manifests, size


def show_days(console: Console, pattern: Pattern, manifests: list[Manifest], size: int, seconds: float) -> None:
    """Print what each day adds."""
    table = Table(title=f"{manifests[0].counts.documents:,} documents, 0.5 % a day: {pattern}", title_justify="left")
    for heading in ("day", "documents", "chunks", "added", "added MB", "full MB"):
        table.add_column(heading, justify="right")
    for day, manifest in enumerate(manifests, start=1):
        table.add_row(
            str(day),
            f"{manifest.counts.documents:,}",
            f"{len(manifest.chunks):,}",
            f"{manifest.added.chunks:,}",
            f"{manifest.added.stored / _MEGABYTE:.2f}",
            f"{manifest.stored / _MEGABYTE:.2f}",
        )
    stored, full = _totals(manifests)
    console.print(table)
    console.print(
        f"{len(manifests)} snapshots: {stored / _MEGABYTE:.1f} MB of chunks and {size / _MEGABYTE:.1f} MB of manifests;"
        f" {len(manifests)} full ones {full / _MEGABYTE:.1f} MB: {stored / full:.1%} of it ({seconds:.0f} s)\n"
    )


async def show_targets(console: Console, documents: int, number: int) -> None:
    """Print the cost of other chunk sizes."""
    table = Table(title=f"{documents:,} documents, {number} days, 0.5 % a day at random keys", title_justify="left")
    for heading in ("KiB", "chunks", "first MB", "second MB", "all MB", "of full", "manifests MB", "PUTs", "GETs"):
        table.add_column(heading, justify="right")
    for target in _TARGETS:
        manifests, size = await days("random keys", documents, number, target * 1024)
        stored, full = _totals(manifests)
        table.add_row(
            f"{target}",
            f"{len(manifests[0].chunks):,}",
            f"{manifests[0].added.stored / _MEGABYTE:.1f}",
            f"{manifests[1].added.stored / _MEGABYTE:.1f}",
            f"{stored / _MEGABYTE:.1f}",
            f"{stored / full:.0%}",
            f"{size / _MEGABYTE:.1f}",
            f"{sum(manifest.added.chunks for manifest in manifests) + number:,}",
            f"{len(manifests[-1].chunks) + 1:,}",
        )
    console.print(table)
    console.print("PUTs: to write all snapshots. GETs: to restore the last one.\n")


def _totals(manifests: list[Manifest]) -> tuple[int, int]:
    return sum(manifest.added.stored for manifest in manifests), sum(manifest.stored for manifest in manifests)


async def run(documents: int, number: int, *, targets: bool) -> None:
    """Measure and print."""
    console = Console(width=110)
    if targets:
        await show_targets(console, documents, number)
        return
    patterns: tuple[Pattern, ...] = ("random keys", "appends")
    for pattern in patterns:
        begin = time.monotonic()
        manifests, size = await days(pattern, documents, number)
        show_days(console, pattern, manifests, size, time.monotonic() - begin)


def main() -> int:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(description="What daily snapshots cost that share chunks.")
    parser.add_argument("--documents", type=int, default=200_000)
    parser.add_argument("--days", type=int, default=10)
    parser.add_argument("--targets", action="store_true", help="for several sizes of chunks")
    given = parser.parse_args()
    asyncio.run(run(given.documents, given.days, targets=given.targets))
    return 0


if __name__ == "__main__":
    sys.exit(main())
