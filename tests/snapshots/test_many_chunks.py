"""A snapshot of a million chunks: verified, shared and compared in little memory."""

import functools
import hashlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from indexvault.snapshots.chunk_check import DIGESTS
from indexvault.snapshots.chunks import Chunk
from indexvault.snapshots.diff import DiffTally, diff_snapshots
from indexvault.snapshots.manifest import Manifest
from indexvault.snapshots.pack_store import store_pack
from indexvault.snapshots.packs import Pack, Packer, member
from indexvault.snapshots.sharing import read_sharing
from indexvault.snapshots.store import BlobProperties
from indexvault.snapshots.verify import verify_index
from indexvault.snapshots.writer import commit
from tests.memory_store import MemorySnapshotBlobs
from tests.peak import taking_at_most
from tests.snapshots.samples import MORNING, manifest_of
from tests.snapshots.trees import FOLDER, write_tree

CHUNKS = 1_000_000
PACK_CHUNKS = 4000
BITS = 0
EVERY = 5000
"""One of so many documents differs in the second snapshot."""


def line(number: int, version: str) -> bytes:
    return f'{{"HotelId":"hotel-{number:08}","Name":"{version}"}}'.encode()


def packed(numbers: range, version: str) -> Pack:
    """Return a pack with documents, each of which is a chunk."""
    packer = Packer(1 << 30)
    for number in numbers:
        data = line(number, version) + b"\n"
        sha256 = hashlib.sha256(data).hexdigest()
        packer.add(sha256, member(sha256, data))
    pack = packer.finish()
    assert pack is not None
    return pack


def chunks_in(pack: Pack, numbers: range, version: str) -> list[Chunk]:
    return [
        Chunk(each.sha256, f"hotel-{number:08}", f"hotel-{number:08}", 1, len(line(number, version)) + 1).placed(
            pack.name, each.offset, each.stored
        )
        for number, each in zip(numbers, pack.members, strict=True)
    ]


class GeneratedPacks(MemorySnapshotBlobs):
    """A store that makes packs of chunks when they are read; the rest lies in memory."""

    def __init__(self) -> None:
        super().__init__("memory", lambda: datetime.now(UTC))
        self.made: dict[str, tuple[range, int]] = {}
        self._pack = functools.lru_cache(maxsize=3)(lambda numbers: packed(numbers, "a").data)

    async def read_range(self, name: str, offset: int, length: int) -> bytes:
        """Return a part of a blob."""
        if name not in self.made:
            return await super().read_range(name, offset, length)
        return self._pack(self.made[name][0])[offset : offset + length]

    async def list(self, prefix: str) -> AsyncIterator[BlobProperties]:
        """Yield blobs: those that are made first."""
        for name, (_numbers, size) in self.made.items():
            if name.startswith(prefix):
                yield BlobProperties(name, size, MORNING)
        async for blob in super().list(prefix):
            yield blob


async def two_snapshots(blobs: GeneratedPacks) -> tuple[Manifest, Manifest]:
    """Store two snapshots, of which the second has other documents here and there."""
    chunks: list[Chunk] = []
    for start in range(0, CHUNKS, PACK_CHUNKS):
        numbers = range(start, start + PACK_CHUNKS)
        pack = packed(numbers, "a")
        blobs.made[FOLDER.pack(pack.name)] = (numbers, len(pack.data))
        chunks += chunks_in(pack, numbers, "a")
    tree, used = await write_tree(blobs, chunks, bits=BITS)
    total = sum(int.from_bytes(hashlib.sha256(line(number, "a")).digest()) for number in range(CHUNKS)) % DIGESTS
    before = manifest_of(tree, f"{total:064x}", bits=BITS)
    await commit(blobs, before, used)
    changed = range(0, CHUNKS, EVERY)
    pack = packed(changed, "b")
    await store_pack(blobs, FOLDER.pack, pack)
    for number, chunk in zip(changed, chunks_in(pack, changed, "b"), strict=True):
        chunks[number] = chunk
        for version, sign in (("a", -1), ("b", 1)):
            total += sign * int.from_bytes(hashlib.sha256(line(number, version)).digest())
    other, used = await write_tree(blobs, chunks, bits=BITS, previous=tree)
    created = MORNING + timedelta(days=1)
    after = manifest_of(other, f"{total % DIGESTS:064x}", bits=BITS, created=created, run="run-2")
    await commit(blobs, after, used)
    return before, after


@pytest.mark.slow
async def test_a_million_chunks_take_little_memory() -> None:
    blobs = GeneratedPacks()
    before, after = await two_snapshots(blobs)
    assert before.tree.level > 1
    changes = CHUNKS // EVERY
    with taking_at_most(100):
        report = await verify_index(blobs, before.service, before.index)
    assert (report.findings, report.unnamed) == ((), 0)
    assert report.chunks == report.chunks_named == CHUNKS + changes
    with taking_at_most(100):
        sizes = await verify_index(blobs, before.service, before.index, depth="sizes")
    assert sizes.chunks == CHUNKS + changes
    with taking_at_most(60):
        shared = await read_sharing(blobs, after)
    assert (shared.shared, shared.own, shared.with_snapshots) == (CHUNKS - changes, changes, 1)
    tally = DiffTally()
    with taking_at_most(60):
        found = [change.key async for change in diff_snapshots(blobs, before, after, tally)]
    assert found == [f"hotel-{number:08}" for number in range(0, CHUNKS, EVERY)]
    assert (tally.changed, tally.chunks_read) == (changes, 2 * changes)
