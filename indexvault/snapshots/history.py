"""Follow one document from snapshot to snapshot."""

import asyncio
from typing import Literal

import msgspec

from indexvault.errors import IntegrityError, NotFoundError
from indexvault.snapshots.catalogue import list_snapshots, not_found, read_manifest
from indexvault.snapshots.chunk_documents import document_reader
from indexvault.snapshots.chunks import Chunk
from indexvault.snapshots.manifest import Manifest
from indexvault.snapshots.names import PackFolder, SnapshotReference
from indexvault.snapshots.reader import read_chunk
from indexvault.snapshots.store import SnapshotReader
from indexvault.snapshots.summary import Summary
from indexvault.snapshots.tree_reader import TreeReader


class Event(msgspec.Struct, frozen=True):
    """A difference between a document in a snapshot and in the snapshot before.

    `line` is the document in this snapshot. `unreadable` means that the snapshot, or the chunk that the document would
    be in, is damaged; `detail` says how.
    """

    kind: Literal["appeared", "changed", "vanished", "unreadable"]
    snapshot: Summary
    line: bytes | None = None
    detail: str = ""


class History(msgspec.Struct, frozen=True):
    """The events of a document, the oldest first, and the numbers of snapshots and chunks that were read."""

    events: tuple[Event, ...]
    snapshots: int
    chunks_read: int


async def find_key(blobs: SnapshotReader, service: str, index: str, key: str) -> History:
    """Follow a document through all snapshots of an index.

    Reads the segments above the key and each chunk that it ever was in, once each. Raises NotFoundError if the index
    has no snapshot.
    """
    snapshots = sorted(await list_snapshots(blobs, service, index), key=lambda each: (each.created, each.id))
    if not snapshots:
        raise await not_found(blobs, SnapshotReference(service=service, index=index))
    seeker = _Seeker(blobs, key)
    events: list[Event] = []
    last: bytes | None = None
    for snapshot in snapshots:
        try:
            line = await seeker.line(await read_manifest(blobs, snapshot))
        except (IntegrityError, NotFoundError) as error:
            events.append(Event("unreadable", snapshot, detail=f"{error.on}: {error.what}"))
            continue
        if line != last:
            kind: Literal["appeared", "changed", "vanished"] = "changed"
            if line is None or last is None:
                kind = "vanished" if line is None else "appeared"
            events.append(Event(kind, snapshot, line))
            last = line
    return History(events=tuple(events), snapshots=len(snapshots), chunks_read=seeker.chunks_read)


class _Seeker:
    """Finds one key in snapshots, reading no segment and no chunk twice."""

    def __init__(self, blobs: SnapshotReader, key: str) -> None:
        self._blobs = blobs
        self._key = key
        self._trees: dict[PackFolder, TreeReader] = {}
        self._found: dict[PackFolder, dict[str, Chunk | None]] = {}
        self._lines: dict[str, bytes | None] = {}
        self.chunks_read = 0

    async def line(self, manifest: Manifest) -> bytes | None:
        folder = manifest.folder
        tree = self._trees.setdefault(folder, TreeReader(self._blobs, folder))
        chunk = await tree.find(manifest.tree, self._key, self._found.setdefault(folder, {}))
        if chunk is None:
            return None
        if chunk.sha256 not in self._lines:
            data = await read_chunk(self._blobs, folder, chunk)
            self.chunks_read += 1
            documents = await asyncio.to_thread(document_reader(manifest.key_field, manifest.folder), chunk, data)
            self._lines[chunk.sha256] = next((line for key, line in documents if key == self._key), None)
        return self._lines[chunk.sha256]
