"""What snapshots of ten million chunks take in memory: `python -m benchmarks.millions [--chunks 10000000]`.

Two snapshots of one index are built in a folder: trees with all their segments, and the packs that the second one has
changed; all other packs are stand-ins, names with a size. Their chunks take 3 KB each in packs of 8 MiB, as documents
of 1 kB do. Then a process of its own lists them, compares them, verifies the trees, says what a removal would free,
removes the first snapshot and prunes, which rewrites one pack of a hundred; its peak memory is printed for each step.
"""

import argparse
import asyncio
import base64
import hashlib
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from itertools import batched
from pathlib import Path
from typing import Self

from indexvault.errors import IntegrityError, NotFoundError
from indexvault.model import Clock
from indexvault.snapshots.authority import NO_AUTHORITY
from indexvault.snapshots.catalogue import list_snapshots, read_manifest
from indexvault.snapshots.chunks import Chunk
from indexvault.snapshots.diff import DiffTally, diff_snapshots
from indexvault.snapshots.manifest import Manifest
from indexvault.snapshots.names import PackFolder
from indexvault.snapshots.pack_store import store_pack
from indexvault.snapshots.packs import PACK_TARGET, Pack, Packer, member
from indexvault.snapshots.prune import Removal, prune_index
from indexvault.snapshots.sharing import stored_only_in
from indexvault.snapshots.store import BlobProperties, Protection, ReadGrant, SnapshotReader
from indexvault.snapshots.sweep import sweep_index
from indexvault.snapshots.tree import Tree
from indexvault.snapshots.tree_reader import TreeReader
from indexvault.snapshots.tree_writer import TreeWriter
from indexvault.snapshots.used_packs import UsedPacks
from indexvault.snapshots.verify import verify_index
from indexvault.snapshots.writer import commit
from tests.memory_store import MemoryRunBlobs
from tests.snapshots.samples import manifest_of

CHUNKS = 10_000_000
LIMIT = 250_000_000
"""Bytes that the process may take."""

EAST, HOTELS = "contoso-east", "hotels"
FOLDER = PackFolder(service=EAST, index=HOTELS)
STORED = 3000
PACK_CHUNKS = PACK_TARGET // STORED
EVERY = 100
"""One pack of so many has half of its chunks changed."""

_BITS = 0
_MADE = datetime(2026, 11, 20, 2, 30, tzinfo=UTC)
_STAND_INS = "stand-ins.json"
_BATCH = 1000


class FolderBlobs:
    """Blobs in a folder, and stand-ins for packs that nobody reads."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        named = folder / _STAND_INS
        self._stand_ins: dict[str, int] = json.loads(named.read_text()) if named.exists() else {}
        self.authority = NO_AUTHORITY

    async def create(
        self,
        name: str,
        data: bytes,
        *,
        metadata: Mapping[str, str] | None = None,
        content_type: str = "",  # noqa: ARG002 - the contract has it
    ) -> bool:
        """See `SnapshotWriter.create`."""
        path = self._folder / name
        if path.exists():
            return False
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        if metadata:
            path.with_suffix(".metadata").write_text(json.dumps(metadata))
        return True

    async def read(self, name: str, limit: int) -> bytes:
        """See `SnapshotReader.read`."""
        data = self._path(name).read_bytes()
        if len(data) > limit:
            raise IntegrityError("it is too large", on=name, do="Find out who wrote it")
        return data

    async def read_range(self, name: str, offset: int, length: int) -> bytes:
        """See `SnapshotReader.read_range`."""
        with self._path(name).open("rb") as stream:
            stream.seek(offset)
            data = stream.read(length)
        if len(data) < length:
            raise IntegrityError("it ends too early", on=name, do="Find out who wrote it")
        return data

    async def first_sound[Found](self, read: Callable[[SnapshotReader], Awaitable[Found]]) -> Found:
        """See `SnapshotReader.first_sound`."""
        return await read(self)

    async def properties(self, name: str) -> BlobProperties | None:
        """See `SnapshotReader.properties`."""
        if name in self._stand_ins:
            return BlobProperties(name, self._stand_ins[name], _MADE)
        path = self._folder / name
        return self._of(name, path) if path.exists() else None

    async def list(self, prefix: str) -> AsyncIterator[BlobProperties]:
        """See `SnapshotReader.list`."""
        names = [name for name in self._stand_ins if name.startswith(prefix)]
        names += [
            str(path.relative_to(self._folder))
            for path in (self._folder / prefix).rglob("*")
            if path.is_file() and path.suffix != ".metadata"
        ]
        for name in sorted(names):
            found = await self.properties(name)
            assert found is not None  # noqa: S101 - it was listed just now
            yield found

    async def folders(self, prefix: str) -> AsyncIterator[str]:
        """See `SnapshotReader.folders`."""
        for path in sorted((self._folder / prefix).iterdir()):
            yield path.name

    async def delete(self, name: str) -> bool:
        """See `SnapshotWriter.delete`."""
        if self._stand_ins.pop(name, None) is not None:
            return True
        path = self._folder / name
        path.unlink(missing_ok=True)
        return True

    async def protection(self, prefix: str) -> Protection:  # noqa: ARG002 - the contract has it
        """See `SnapshotWriter.protection`."""
        return Protection()

    async def grant(self, name: str) -> ReadGrant | None:  # noqa: ARG002 - the contract has it
        """See `SnapshotWriter.grant`."""
        return None

    async def copy(self, name: str, grant: ReadGrant) -> bool:
        """See `SnapshotWriter.copy`."""
        raise NotImplementedError

    def save(self, stand_ins: Mapping[str, int]) -> None:
        """Keep the names of stand-ins, with their sizes."""
        self._stand_ins |= stand_ins
        (self._folder / _STAND_INS).write_text(json.dumps(self._stand_ins))

    def _path(self, name: str) -> Path:
        path = self._folder / name
        if not path.exists():
            raise NotFoundError("there is no such blob", on=name, do="Check the folder")
        return path

    def _of(self, name: str, path: Path) -> BlobProperties:
        beside = path.with_suffix(".metadata")
        metadata = json.loads(beside.read_text()) if beside.exists() else {}
        return BlobProperties(name, path.stat().st_size, _MADE, metadata=metadata)


class FolderStore:
    """A store in a folder; its runs are in memory. It is never closed: it holds nothing open."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self.name = "folder"
        self.snapshots = FolderBlobs(folder)
        self.runs = MemoryRunBlobs("folder", clock)

    async def prepare(self) -> None:
        """Do nothing."""

    async def close(self) -> None:
        """Do nothing."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        """Do nothing."""


# Two snapshots


def _key(number: int) -> str:
    return f"hotel-{number:09}"


def _line(number: int, version: str) -> bytes:
    text = base64.b64encode(random.Random(f"{number} {version}").randbytes(STORED * 19 // 20)).decode()  # noqa: S311 - data
    return f'{{"HotelId":"{_key(number)}","Name":"{text}"}}'.encode()


def _packed(numbers: Sequence[int], version: str) -> tuple[Pack, list[Chunk]]:
    """Return a pack with documents, each of which is a chunk, and the chunks."""
    packer = Packer(1 << 60)
    chunks: list[Chunk] = []
    for number in numbers:
        data = _line(number, version) + b"\n"
        sha256 = hashlib.sha256(data).hexdigest()
        packer.add(sha256, member(sha256, data))
        chunks.append(Chunk(sha256, _key(number), _key(number), 1, len(data)))
    pack = packer.finish()
    assert pack is not None  # noqa: S101 - there are numbers
    return pack, [
        chunk.placed(pack.name, each.offset, each.stored) for chunk, each in zip(chunks, pack.members, strict=True)
    ]


def _stand_in(numbers: Sequence[int]) -> tuple[str, list[Chunk]]:
    """Return the name of a pack that does not exist, and chunks in it."""
    name = hashlib.sha256(f"pack {numbers[0]}".encode()).hexdigest()
    return name, [
        Chunk(
            hashlib.sha256(str(number).encode()).hexdigest(),
            _key(number),
            _key(number),
            1,
            STORED,
            name,
            at * STORED,
            STORED,
        )
        for at, number in enumerate(numbers)
    ]


class _Builder:
    """Makes the chunks of two snapshots, pack by pack."""

    def __init__(self, blobs: FolderBlobs, chunks: int) -> None:
        self._blobs = blobs
        self._numbers = [range(start, min(start + PACK_CHUNKS, chunks)) for start in range(0, chunks, PACK_CHUNKS)]
        self._busy: dict[int, list[Chunk]] = {}
        self._changed: dict[int, list[Chunk]] = {}
        self.stand_ins: dict[str, int] = {}

    async def store(self) -> None:
        """Store the packs of which half changes, and those with what it changes to."""
        for at, numbers in enumerate(self._numbers):
            if at % EVERY:
                continue
            pack, chunks = _packed(numbers, "a")
            await store_pack(self._blobs, FOLDER.pack, pack)
            self._busy[at] = chunks
            other, changed = _packed(numbers[::2], "b")
            await store_pack(self._blobs, FOLDER.pack, other)
            both = {chunk.first: chunk for chunk in chunks} | {chunk.first: chunk for chunk in changed}
            self._changed[at] = list(both.values())

    @property
    def changes(self) -> int:
        """The number of documents that differ."""
        return sum(len(chunks[::2]) for chunks in self._busy.values())

    def chunks(self, *, changed: bool) -> Iterator[list[Chunk]]:
        """Yield the chunks of the first or of the second snapshot, in key order, those of a pack at once."""
        for at, numbers in enumerate(self._numbers):
            if at in self._busy:
                yield self._changed[at] if changed else self._busy[at]
            else:
                name, chunks = _stand_in(numbers)
                self.stand_ins[FOLDER.pack(name)] = len(chunks) * STORED
                yield chunks

    async def tree(self, previous: Tree | None) -> tuple[Tree, UsedPacks]:
        """Store the segments of a snapshot: of the second one if there is one before."""

        async def store(pack: Pack) -> None:
            await store_pack(self._blobs, FOLDER.segments, pack)

        reader = TreeReader(self._blobs, FOLDER)
        async with TreeWriter(store, _BITS, previous=previous, reader=reader) as writer:
            for chunks in self.chunks(changed=previous is not None):
                for some in batched(chunks, _BATCH, strict=False):
                    await writer.add_all(some)
            return await writer.finish(), writer.used


async def build(folder: Path, chunks: int) -> None:
    """Make two snapshots in a folder."""
    blobs = FolderBlobs(folder)
    builder = _Builder(blobs, chunks)
    await builder.store()
    tree: Tree | None = None
    for day in range(2):
        tree, used = await builder.tree(tree)
        blobs.save(builder.stand_ins)
        created = _MADE + timedelta(days=day)
        await commit(blobs, manifest_of(tree, "0" * 64, bits=_BITS, created=created, run=f"run-{day}"), used)


# The measured process


async def listed(store: FolderStore, snapshots: Sequence[Manifest]) -> str:
    """Read all chunks of the newest snapshot."""
    number = 0
    async with aclosing(TreeReader(store.snapshots, FOLDER).chunks(snapshots[-1].tree)) as batches:
        async for some in batches:
            number += len(some)
    return f"{number:,} chunks"


async def compared(store: FolderStore, snapshots: Sequence[Manifest]) -> str:
    """Compare two snapshots document by document."""
    tally = DiffTally()
    number = 0
    async with aclosing(diff_snapshots(store.snapshots, snapshots[0], snapshots[1], tally)) as changes:
        async for _change in changes:
            number += 1
    return f"{number:,} documents differ"


async def verified(store: FolderStore, _snapshots: Sequence[Manifest]) -> str:
    """Read all trees, and compare where chunks lie with the sizes of packs."""
    report = await verify_index(store.snapshots, EAST, HOTELS, depth="sizes")
    return f"{report.chunks:,} chunks, {len(report.findings)} findings"


async def freed(store: FolderStore, _snapshots: Sequence[Manifest]) -> str:
    """Find out what the removal of the first snapshot frees."""
    first, second = sorted(await list_snapshots(store.snapshots, EAST, HOTELS), key=lambda each: each.id)
    return f"{await stored_only_in(store.snapshots, [first], [second]):,} bytes"


async def pruned(store: FolderStore, snapshots: Sequence[Manifest]) -> str:
    """Remove the first snapshot, and what only it needs two days later; packs of which half is needed are rewritten."""
    now = datetime.now(UTC)
    await prune_index(store, EAST, HOTELS, [Removal(snapshots[0].id, "old")], clock=lambda: now)
    report = await sweep_index(store, EAST, HOTELS, clock=lambda: now + timedelta(days=2))
    if report.hindrance or report.not_rewritten or report.refused:
        raise IntegrityError(f"the prune went wrong: {report}", on=HOTELS, do="Look why")
    return f"{report.removed} packs removed, {report.rewritten} rewritten, {report.wasted_bytes:,} bytes wasted"


STEPS: Mapping[str, Callable[[FolderStore, Sequence[Manifest]], Awaitable[str]]] = {
    "list": listed,
    "diff": compared,
    "verify the trees": verified,
    "what a removal frees": freed,
    "prune with repack": pruned,
    "verify the trees again": verified,
}


async def measure(folder: Path, steps: Sequence[str]) -> None:
    """Run steps in this process, and print a line of JSON for each."""
    store = FolderStore(folder, lambda: datetime.now(UTC))
    known = sorted(await list_snapshots(store.snapshots, EAST, HOTELS), key=lambda each: each.id)
    snapshots = [await read_manifest(store.snapshots, each) for each in known]
    for name in steps:
        _forget_peak()
        began, used = time.monotonic(), time.process_time()
        said = await STEPS[name](store, snapshots)
        line = {"step": name, "said": said, "seconds": time.monotonic() - began, "cpu": time.process_time() - used}
        _say(json.dumps({**line, "peak": _peak()}))


def _forget_peak() -> None:
    """Have the kernel count the peak from now on."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def _peak() -> int:
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="ascii"))
    return int(found[1]) * 1024 if found else 0


def main(arguments: Sequence[str]) -> int:
    """Build, measure in a process of its own, and return 1 if a step took more than the limit."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--chunks", type=int, default=CHUNKS)
    parser.add_argument("--folder", type=Path, help="where the snapshots are made, or are already (default: temporary)")
    parser.add_argument("--measure", action="store_true", help="only measure, in this process")
    parser.add_argument("--steps", nargs="*", choices=STEPS, default=list(STEPS), help="with --measure: only these")
    parsed = parser.parse_args(arguments)
    if parsed.measure:
        asyncio.run(measure(parsed.folder, parsed.steps))
        return 0
    with tempfile.TemporaryDirectory(prefix="indexvault-millions-") as temporary:
        folder = parsed.folder or Path(temporary)
        began = time.monotonic()
        asyncio.run(build(folder, parsed.chunks))
        _say(f"{parsed.chunks:,} chunks built in {time.monotonic() - began:.0f} s; load {os.getloadavg()[0]:.1f}")
        return _measured(folder)


def _measured(folder: Path) -> int:
    command = [sys.executable, "-m", "benchmarks.millions", "--measure", "--folder", str(folder)]
    largest = 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - itself
        for line in process.stdout or ():
            step = json.loads(line)
            largest = max(largest, step["peak"])
            _say(
                f"{step['step']:24} {step['peak'] / 1e6:6.0f} MB {step['cpu']:6.0f} CPU s {step['seconds']:6.0f} s"
                f"  {step['said']}"
            )
    _say(f"peak memory {largest / 1e6:.0f} MB, at most {LIMIT / 1e6:.0f} MB")
    return process.returncode or int(largest > LIMIT)


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
