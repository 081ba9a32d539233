"""What a snapshot shares with the others of its index, and what only it needs."""

from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from itertools import batched

import msgspec

from indexvault.errors import IntegrityError, NotFoundError
from indexvault.snapshots.catalogue import list_snapshots, read_manifest
from indexvault.snapshots.manifest import Manifest
from indexvault.snapshots.names import PackFolder
from indexvault.snapshots.seen_members import SeenMembers
from indexvault.snapshots.store import SnapshotReader
from indexvault.snapshots.summary import Summary
from indexvault.snapshots.tree import Entries, as_chunks, as_nodes
from indexvault.snapshots.tree_reader import NODES_AT_ONCE, TreeReader


class Sharing(msgspec.Struct, frozen=True):
    """Chunks that a snapshot shares with others, chunks that it alone names (`own`), and the stored bytes of both.

    `with_snapshots` counts the snapshots that it shares any with. Its own chunks go when it is removed.
    """

    shared: int
    shared_stored: int
    with_snapshots: int
    own: int
    own_stored: int


async def read_sharing(blobs: SnapshotReader, manifest: Manifest) -> Sharing:
    """Compare one snapshot with all others of its index in a store.

    Those that can't be read are ignored. Reads each segment of all trees once, and those of the snapshot twice. Raises
    IntegrityError and NotFoundError if its own tree can't be read.
    """
    same = [
        summary
        for summary in await list_snapshots(blobs, manifest.service, manifest.index)
        if summary.id != manifest.id and summary.generation == manifest.generation
    ]
    reader = TreeReader(blobs, manifest.folder)
    mine = SeenMembers()
    async with aclosing(reader.chunks(manifest.tree)) as batches:
        async for chunks in batches:
            for chunk in chunks:
                mine.add(chunk)
    comparison = _Comparison(reader, mine)
    number = 0
    async with aclosing(_readable(blobs, same)) as others:
        async for other in others:
            number += await comparison.shares(other.tree.level, other.tree.entries)
    return Sharing(
        shared=len(comparison.shared),
        shared_stored=comparison.stored,
        with_snapshots=number,
        own=manifest.tree.count - len(comparison.shared),
        own_stored=manifest.stored - comparison.stored,
    )


class _Comparison:
    """Looks in other trees for the chunks of one. `stored` are the bytes of those that were found."""

    def __init__(self, reader: TreeReader, mine: SeenMembers) -> None:
        self._reader = reader
        self._mine = mine
        self._known: dict[bytes, bool] = {}
        self.shared = SeenMembers()
        self.stored = 0

    async def shares(self, level: int, entries: Entries) -> bool:
        """Return whether there is a chunk of the one snapshot under entries of another."""
        found = False
        if not level:
            for chunk in as_chunks(entries):
                if chunk in self._mine:
                    found = True
                    if self.shared.add(chunk):
                        self.stored += chunk.stored
            return found
        new = []
        for node in as_nodes(entries):
            known = self._known.get(bytes.fromhex(node.sha256))
            if known is None:
                new.append(node)
            found = found or bool(known)
        for nodes in batched(new, NODES_AT_ONCE, strict=False):
            for node, below in zip(nodes, await self._reader.try_open(nodes, level), strict=True):
                if isinstance(below, IntegrityError | NotFoundError):
                    continue
                here = self._known[bytes.fromhex(node.sha256)] = await self.shares(level - 1, below)
                found = found or here
        return found


async def stored_only_in(blobs: SnapshotReader, going: Iterable[Summary], staying: Iterable[Summary]) -> int:
    """Return the stored bytes of the chunks that some snapshots use and others don't.

    What can't be read is ignored. The bytes are free once no pack holds them any more: those of a pack that others use
    too are when it is rewritten.
    """
    generations: dict[PackFolder, _Generation] = {}

    async def add(summaries: Iterable[Summary]) -> int:
        stored = 0
        async with aclosing(_readable(blobs, summaries)) as manifests:
            async for manifest in manifests:
                folder = manifest.folder
                generation = generations.setdefault(folder, _Generation(TreeReader(blobs, folder)))
                stored += await generation.add(manifest)
        return stored

    asked = list(going)
    if asked:
        await add(staying)
    return await add(asked)


class _Generation:
    """The chunks of a generation's snapshots, as far as they were added."""

    def __init__(self, reader: TreeReader) -> None:
        self._reader = reader
        self._segments: set[bytes] = set()
        self._chunks = SeenMembers()

    async def add(self, manifest: Manifest) -> int:
        """Add a snapshot's chunks. Return the stored bytes of those that are new."""
        stored = 0
        unseen = self._reader.unseen(manifest.tree, self._segments, lambda _node, _failure: None)
        async with aclosing(unseen) as found:
            async for level, entries in found:
                if not level:
                    stored += sum(chunk.stored for chunk in as_chunks(entries) if self._chunks.add(chunk))
        return stored


async def _readable(blobs: SnapshotReader, snapshots: Iterable[Summary]) -> AsyncGenerator[Manifest]:
    """Yield the manifests of snapshots, without those that can't be read."""
    for summary in snapshots:
        if summary.state != "damaged":
            try:
                manifest = await read_manifest(blobs, summary)
            except (IntegrityError, NotFoundError):
                continue
            yield manifest
