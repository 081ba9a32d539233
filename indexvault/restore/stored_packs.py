"""The packs that a restore proves before it touches anything, divided between activities."""

import math
from contextlib import aclosing

import msgspec

from indexvault.restore.stretch_source import packs_required
from indexvault.snapshots.chunks import Chunk, Digest, Size
from indexvault.snapshots.manifest import Manifest
from indexvault.snapshots.store import SnapshotReader
from indexvault.snapshots.tree_reader import TreeReader
from indexvault.workflow.checkpoints import Checkpoints
from indexvault.workflow.resume import altered, digest_of

FEWEST_PACKS = 8
"""Packs of a share, if there are as many: some 64 MiB."""
MOST_SHARES = 500
"""Shares of a snapshot's packs at most: their digests are named in one payload."""
_NUMBER_DIGITS = 12


class UsedPack(msgspec.Struct, frozen=True, array_like=True):
    """A pack that a snapshot uses, with the documents and the uncompressed bytes that the snapshot has in it."""

    pack: Digest
    documents: Size
    bytes: Size


class PackShare(msgspec.Struct, frozen=True):
    """The packs that one activity proves."""

    packs: tuple[UsedPack, ...]


class PackCount:
    """Adds up what a snapshot has in each pack."""

    def __init__(self) -> None:
        self._sums: dict[str, tuple[int, int]] = {}

    def add(self, chunk: Chunk) -> None:
        """Add a chunk."""
        documents, size = self._sums.get(chunk.pack, (0, 0))
        self._sums[chunk.pack] = (documents + chunk.documents, size + chunk.bytes)

    @property
    def packs(self) -> list[UsedPack]:
        """The packs, in the order in which they were first used."""
        return [UsedPack(pack, *sums) for pack, sums in self._sums.items()]

    async def write(self, records: Checkpoints) -> list[Digest]:
        """Write the packs down in shares, a record each, and return the digests of the records."""
        packs = self.packs
        size = max(FEWEST_PACKS, math.ceil(len(packs) / MOST_SHARES))
        shares = [PackShare(tuple(packs[start : start + size])) for start in range(0, len(packs), size)]
        for number, share in enumerate(shares):
            await records.write(_part(number), share)
        return [digest_of(share) for share in shares]


async def read_share(records: Checkpoints, number: int, digest: str, on: str) -> tuple[UsedPack, ...]:
    """Return the packs of a share. Raises IntegrityError if its record is gone or another."""
    another = altered("its record of the packs is not what this restore wrote", on)
    share = await records.read_exactly(_part(number), PackShare, digest, otherwise=another)
    if share is None:
        raise another
    return share.packs


async def share_of(blobs: SnapshotReader, manifest: Manifest, number: int, of: int) -> list[UsedPack]:
    """Return one of several shares of a snapshot's packs, from its whole tree; no record is needed.

    Raises IntegrityError if the tree can't be read.
    """
    count = PackCount()
    with packs_required():
        async with aclosing(TreeReader(blobs, manifest.folder).chunks(manifest.tree)) as batches:
            async for batch in batches:
                for chunk in batch:
                    if int(chunk.pack[:_NUMBER_DIGITS], 16) % of == number:
                        count.add(chunk)
    return count.packs


def _part(number: int) -> str:
    return f"packs-{number}"
