"""What daily snapshots that share chunks and segments take: `python -m benchmarks.storage`.

Ten daily snapshots of 200,000 documents of 1 kB in which 0.5 % change each day at random keys, and of as many to which
0.5 % are appended; five of 60,000 documents of 370 bytes. All bytes in the store count: packs, segments, manifests.
`--targets` repeats the first for several sizes of chunks, `--segments` for several sizes of segments; the defaults were
chosen by it. The snapshots are written to a store in memory.
"""

import argparse
import asyncio
import random
import sys
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Literal

import msgspec
from rich.console import Console
from rich.table import Table

from benchmarks.snapshot_data import MORNING, document, random_key, rising_key, short_document, write_snapshot
from indexvault.snapshots import tree
from indexvault.snapshots.chunks import CHUNK_TARGET
from indexvault.snapshots.manifest import Manifest
from tests.memory_store import MemoryStore

type Pattern = Literal["random keys", "appends"]

_CHANGED = 200
"""One document of so many changes each day: 0.5 %."""
_TARGETS = (2, 4, 8, 16)
_SEGMENT_BITS = (3, 4, 5, 6, 7)
_MEGABYTE = 1e6


class Taken(msgspec.Struct, frozen=True):
    """What snapshots took: bytes and blobs by their kind, and what as many full ones would take."""

    manifests: list[Manifest]
    bytes: Counter[str]
    blobs: Counter[str]
    first: int

    @property
    def total(self) -> int:
        """All bytes in the store."""
        return self.bytes.total()

    @property
    def share(self) -> float:
        """All bytes in the store, of those of as many full snapshots."""
        return self.total / (self.first * len(self.manifests))


async def days(
    pattern: Pattern,
    documents: int,
    number: int,
    *,
    target: int = CHUNK_TARGET,
    of: Callable[[str, int], bytes] = document,
) -> Taken:
    """Write daily snapshots and return what they took."""
    rng = random.Random(5)  # noqa: S311 - repeatable data, not secrets
    key_of = random_key if pattern == "random keys" else rising_key
    lines = {key: of(key, 0) for key in map(key_of, range(documents))}
    store = MemoryStore()
    manifests: list[Manifest] = []
    first = 0
    for day in range(number):
        if day and pattern == "random keys":
            for changed in rng.sample(range(documents), documents // _CHANGED):
                lines[key_of(changed)] = of(key_of(changed), day)
        elif day:
            for added in range(len(lines), len(lines) + documents // _CHANGED):
                lines[key_of(added)] = of(key_of(added), 0)
        previous = manifests[-1] if manifests else None
        created = MORNING + timedelta(days=day)
        manifests.append(await write_snapshot(store.snapshots, lines, created, previous=previous, target=target))
        first = first or sum([blob.size async for blob in store.snapshots.list("")])
    size: Counter[str] = Counter()
    blobs: Counter[str] = Counter()
    async for blob in store.snapshots.list(""):
        kind = blob.name.split("/")[2]
        size[kind] += blob.size
        blobs[kind] += 1
    return Taken(manifests, size, blobs, first)


def _table(title: str, *first: str) -> Table:
    table = Table(title=title, title_justify="left")
    for heading in (*first, "chunks", "packs MB", "segments MB", "manifests MB", "all MB", "of full", "blobs"):
        table.add_column(heading, justify="right")
    return table


def _row(table: Table, taken: Taken, *first: str) -> None:
    table.add_row(
        *first,
        f"{taken.manifests[0].tree.count:,}",
        *(f"{taken.bytes[kind] / _MEGABYTE:.1f}" for kind in ("packs", "segments", "manifests")),
        f"{taken.total / _MEGABYTE:.1f}",
        f"{taken.share:.2f}",
        f"{taken.blobs.total():,}",
    )


async def run(documents: int, number: int, *, targets: bool, segments: bool) -> None:
    """Measure and print."""
    console = Console(width=110)
    title = f"{documents:,} documents of 1 kB, {number} days, 0.5 % a day at random keys"
    if targets:
        table = _table(title, "KiB a chunk")
        for target in _TARGETS:
            _row(table, await days("random keys", documents, number, target=target * 1024), str(target))
        console.print(table)
    if segments:
        table = _table(title, "entries a segment")
        for bits in _SEGMENT_BITS:
            tree.SEGMENT_BITS = bits
            _row(table, await days("random keys", documents, number), str(1 << bits))
        console.print(table)
    if targets or segments:
        return
    table = _table(f"{number} daily snapshots, 0.5 % a day", "documents", "changes")
    _row(table, await days("random keys", documents, number), f"{documents:,} of 1 kB", "random keys")
    _row(table, await days("appends", documents, number), f"{documents:,} of 1 kB", "appends")
    few = max(1, documents * 3 // 10)
    short = await days("random keys", few, number // 2, of=short_document)
    _row(table, short, f"{few:,} of 370 B, {number // 2} days", "random keys")
    console.print(table)


def main() -> int:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(description="What daily snapshots take that share chunks.")
    parser.add_argument("--documents", type=int, default=200_000)
    parser.add_argument("--days", type=int, default=10)
    parser.add_argument("--targets", action="store_true", help="for several sizes of chunks")
    parser.add_argument("--segments", action="store_true", help="for several sizes of segments")
    given = parser.parse_args()
    asyncio.run(run(given.documents, given.days, targets=given.targets, segments=given.segments))
    return 0


if __name__ == "__main__":
    sys.exit(main())
