"""Which packs a snapshot's tree uses, and whether they are there."""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Sequence
from contextlib import aclosing

from indexvault.errors import IntegrityError, NotFoundError
from indexvault.snapshots.chunks import Chunk
from indexvault.snapshots.live_members import LiveMembers
from indexvault.snapshots.manifest import Manifest
from indexvault.snapshots.names import PackFolder, PackKind, parse_pack_name
from indexvault.snapshots.store import BlobProperties, SnapshotReader
from indexvault.snapshots.tree import Entry
from indexvault.snapshots.tree_reader import TreeReader

_KINDS: Sequence[PackKind] = ("packs", "segments")


class UsedPacks:
    """The packs of chunks and of segments that a tree uses, and the bytes that each has at least."""

    def __init__(self) -> None:
        self.chunks: dict[str, int] = {}
        self.segments: dict[str, int] = {}

    def add(self, entries: Iterable[Entry]) -> None:
        """Note where entries of a tree lie."""
        for entry in entries:
            sizes = self.chunks if isinstance(entry, Chunk) else self.segments
            pack, until = entry.pack, entry.offset + entry.stored
            if until > sizes.get(pack, 0):
                sizes[pack] = until

    def names(self, folder: PackFolder) -> set[str]:
        """Return the names of the blobs."""
        return {folder.pack(pack) for pack in self.chunks} | {folder.segments(pack) for pack in self.segments}

    def sizes(self, folder: PackFolder) -> dict[str, int]:
        """Return the bytes that each blob has at least, by name."""
        chunks = {folder.pack(pack): size for pack, size in self.chunks.items()}
        return chunks | {folder.segments(pack): size for pack, size in self.segments.items()}


async def used_packs(blobs: SnapshotReader, manifest: Manifest) -> UsedPacks:
    """Return the packs that a snapshot uses, from its whole tree.

    Raises IntegrityError and NotFoundError if a segment of it can't be read.
    """
    used = UsedPacks()
    async with aclosing(TreeReader(blobs, manifest.folder).unseen(manifest.tree, set())) as found:
        async for _level, entries in found:
            used.add(entries)
    return used


async def require_packs(
    blobs: SnapshotReader, manifest: Manifest, used: UsedPacks, *, without: Collection[str] = ()
) -> None:
    """Compare the packs with a listing, since one may have been removed since the run began.

    `without` are blobs that are being removed, and count as gone. Of a pack that was rewritten, what the snapshot needs
    must have a new place that is there. Raises IntegrityError naming the first blob that is gone or too short.
    """
    folder = manifest.folder
    others = WithoutBlobs(blobs, frozenset(without)) if without else blobs
    missing = used.sizes(folder)
    prefixes = [folder.prefix("packs")] * bool(used.chunks) + [folder.prefix("segments")] * bool(used.segments)
    for prefix in prefixes:
        async for blob in others.list(prefix):
            if (least := missing.get(blob.name)) is not None and blob.size >= least:
                del missing[blob.name]
    if missing and not await are_rewritten(others, manifest, missing):
        raise IntegrityError(
            f"the pack is gone or too short, and {len(missing) - 1} others with it; the snapshot was not written",
            on=min(missing),
            do="Run the backup again: it stores what is missing",
        )


async def are_rewritten(blobs: SnapshotReader, manifest: Manifest, names: Collection[str]) -> bool:
    """Return whether everything that a snapshot has in some packs has another place, by the records of locations.

    The snapshot's segments are read; of its chunks, as of all others, only that their packs are there.
    """
    others = WithoutBlobs(blobs, frozenset(names))
    live = LiveMembers(others, manifest.service, manifest.index)
    folder = manifest.folder
    try:
        await live.walk(manifest.generation, manifest.tree)
        records = [parse_pack_name(blob.name) async for blob in others.list(folder.prefix("locations"))]
        await live.resolve(name for name in records if name is not None)
    except (IntegrityError, NotFoundError):
        return False
    # After the records: a pack that one names was there before it.
    sizes = {blob.name: blob.size for kind in _KINDS async for blob in others.list(folder.prefix(kind))}
    return live.are_there(sizes)


class WithoutBlobs:
    """A store as it will be without some blobs."""

    def __init__(self, blobs: SnapshotReader, without: frozenset[str]) -> None:
        self._blobs = blobs
        self._without = without
        self.authority = blobs.authority

    async def read(self, name: str, limit: int) -> bytes:
        """See `SnapshotReader.read`."""
        self._require(name)
        return await self._blobs.read(name, limit)

    async def read_range(self, name: str, offset: int, length: int) -> bytes:
        """See `SnapshotReader.read_range`."""
        self._require(name)
        return await self._blobs.read_range(name, offset, length)

    async def first_sound[Found](self, read: Callable[[SnapshotReader], Awaitable[Found]]) -> Found:
        """See `SnapshotReader.first_sound`."""
        return await self._blobs.first_sound(lambda one: read(WithoutBlobs(one, self._without)))

    async def properties(self, name: str) -> BlobProperties | None:
        """See `SnapshotReader.properties`."""
        return None if name in self._without else await self._blobs.properties(name)

    async def list(self, prefix: str) -> AsyncIterator[BlobProperties]:
        """See `SnapshotReader.list`."""
        async for blob in self._blobs.list(prefix):
            if blob.name not in self._without:
                yield blob

    async def folders(self, prefix: str) -> AsyncIterator[str]:
        """See `SnapshotReader.folders`."""
        async for folder in self._blobs.folders(prefix):
            yield folder

    def _require(self, name: str) -> None:
        if name in self._without:
            raise NotFoundError("the pack is being removed", on=name, do="Read it where it was rewritten to")
