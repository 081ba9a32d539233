"""What must hold after every command, whatever happened: docs/guarantees.md and the design's invariants.

Nothing is asked of the product here but to decode what it stored: what indexes hold comes from the emulator's storage,
and what blobs held from a copy made when they were first seen.
"""

from collections.abc import Mapping
from contextlib import aclosing
from typing import Any

import msgspec
import orjson

from indexvault.errors import IndexvaultError
from indexvault.snapshots.catalogue import read_manifest
from indexvault.snapshots.chunks import document_lines
from indexvault.snapshots.manifest import Manifest
from indexvault.snapshots.names import SnapshotReference, parse_manifest_name
from indexvault.snapshots.reader import as_bytes, read_chunks, try_chunks
from indexvault.snapshots.tree_reader import TreeReader
from tests.memory_store import MemoryStore
from tests.soak.truth import Document, Dump, Ledger, as_shown


class ViolationError(BaseException):
    """An invariant does not hold. No handler of the product may swallow it.

    `rule` names the invariant in a few words, so that the same violation is known again.
    """

    def __init__(self, rule: str, detail: str) -> None:
        super().__init__(f"{rule}: {detail}")
        self.rule = rule


def require(held: bool, rule: str, detail: str) -> None:  # noqa: FBT001 - reads as an assertion
    """Raise ViolationError unless an invariant holds."""
    if not held:
        raise ViolationError(rule, detail)


async def read_snapshot(store: MemoryStore, reference: SnapshotReference) -> tuple[Manifest, Dump]:
    """Return a snapshot's manifest and documents. Raises ViolationError for a document that is there twice."""
    manifest = await read_manifest(store.snapshots, reference)
    documents: Dump = {}
    chunks = TreeReader(store.snapshots, manifest.folder).chunks(manifest.tree)
    async with aclosing(read_chunks(store.snapshots, manifest.folder, chunks, as_bytes)) as reading:
        async for _chunk, data in reading:
            for line in document_lines(data):
                document: Document = orjson.loads(line)
                key = document[manifest.key_field]
                require(key not in documents, "a document is in a snapshot once", f"{reference}: {key!r}")
                documents[key] = document
    return manifest, documents


def snapshots_in(store: MemoryStore) -> dict[str, SnapshotReference]:
    """Return the references of all snapshots of indexes in a store by the names of their manifests."""
    found = {name: parse_manifest_name(name) for name in store.snapshots._blobs}
    return {name: known for name, known in found.items() if known is not None and not known.index.startswith("$")}


def claimed(documents: Dump, ledger: Ledger, since: int, until: int, *, what: str, is_whole: bool = True) -> None:
    """Check the claim: what was there throughout is there, in a version it had, and nothing else is.

    Of a snapshot that is not whole only the second is claimed.
    """
    held = ledger.held(since, until)
    throughout = sorted(key for key, (stayed, _versions) in held.items() if stayed) if is_whole else []
    missing = [key for key in throughout if key not in documents]
    require(not missing, "what was there throughout is there", f"{what}: {len(missing)} are missing: {missing[:3]}")
    for key, document in documents.items():
        _stayed, versions = held.get(key, (False, []))
        require(
            any(as_shown(version, document) == document for version in versions),
            "a document is in a version it had",
            f"{what}: {key!r} is {document}, and was {versions}",
        )


def same(found: Mapping[str, Any] | None, expected: Dump, *, what: str) -> None:
    """Check that an index holds exactly these documents, each with all that is expected of it."""
    require(found is not None, "a proved target is there", what)
    assert found is not None
    lacks, extra = sorted(expected.keys() - found.keys()), sorted(found.keys() - expected.keys())
    require(
        not lacks and not extra,
        "a proved target holds its documents",
        f"{what}: {len(lacks)} are missing ({lacks[:3]}), {len(extra)} are extra ({extra[:3]})",
    )
    for key, document in expected.items():
        shown = as_shown(found[key], document)
        require(shown == document, "a proved target equals its snapshot", f"{what}: {key!r} is {shown}, not {document}")


class Memory:
    """What a store's snapshot half has held so far: every blob as it was first seen."""

    def __init__(self, store: MemoryStore) -> None:
        self.store = store
        self.first: dict[str, Any] = {}
        self.damaged: set[str] = set()

    def check(self) -> None:
        """Check that no blob has been changed since it was first seen, but for those that the harness damaged."""
        for name, blob in self.store.snapshots._blobs.items():
            first = self.first.setdefault(name, blob).data
            if name in self.damaged and blob.data == first:
                self.damaged.discard(name)
            require(blob.data == first or name in self.damaged, "nothing in the snapshot half is overwritten", name)
        self.damaged &= self.store.snapshots._blobs.keys() | self.first.keys()

    async def flaws(self, service: str, index: str) -> list[str]:
        """Return what is missing or damaged of the snapshots of an index that the store lists."""
        found = []
        for name, reference in snapshots_in(self.store).items():
            if (reference.service, reference.index) == (service, index):
                found += await self.flaws_of(name)
        return found

    def vanished(self, service: str, index: str) -> list[str]:
        """Return the manifests of an index that the harness has removed."""
        known = {name: parse_manifest_name(name) for name in self.damaged - self.store.snapshots._blobs.keys()}
        return [
            name
            for name, reference in known.items()
            if reference is not None and (reference.service, reference.index) == (service, index)
        ]

    async def flaws_of(self, manifest_name: str) -> list[str]:
        """Return what is missing or damaged of one snapshot."""
        blobs = self.store.snapshots._blobs
        if blobs[manifest_name].data != self.first[manifest_name].data:
            return [manifest_name]
        try:
            reference = parse_manifest_name(manifest_name)
            assert reference is not None
            manifest = await read_manifest(self.store.snapshots, reference)
        except IndexvaultError as error:
            return [f"{manifest_name}: {error}"]
        flaws: list[str] = []
        chunks = TreeReader(self.store.snapshots, manifest.folder).chunks(manifest.tree)
        try:
            async with aclosing(try_chunks(self.store.snapshots, manifest.folder, chunks, as_bytes)) as reading:
                async for _chunk, found in reading:
                    if isinstance(found, IndexvaultError):
                        flaws.append(found.on)
        except IndexvaultError as error:
            flaws.append(error.on)
        return list(dict.fromkeys(flaws))


def decoded(data: bytes) -> Any:
    """Return a record of the runs container as plain data, or None if it is none."""
    try:
        return msgspec.json.decode(data)
    except msgspec.DecodeError:
        return None
