"""Replace missing or damaged blobs, from wherever the same bytes still exist.

Nothing is taken on trust: a chunk is replaced only if the new bytes hash to its name, a manifest only if its checksum
is right and it belongs there. Until that is known, the damaged blob stays.
"""

import asyncio
import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

import msgspec

from indexvault.bounds import decode
from indexvault.errors import ConflictError, IntegrityError, NotFoundError
from indexvault.snapshots.announcements import announced
from indexvault.snapshots.catalogue import read_manifest
from indexvault.snapshots.chunks import compress
from indexvault.snapshots.known import note_snapshot
from indexvault.snapshots.manifest import MANIFEST_LIMIT, Manifest, open_manifest
from indexvault.snapshots.names import (
    SERVICE_OBJECTS,
    SnapshotReference,
    manifest_name,
    parse_chunk_name,
    parse_manifest_name,
)
from indexvault.snapshots.reader import read_chunk
from indexvault.snapshots.service_manifest import ServiceManifest, read_service_manifest, summarise_service
from indexvault.snapshots.store import SnapshotReader, Store
from indexvault.snapshots.summary import Summary, summarise, to_metadata
from indexvault.snapshots.verify import Finding, VerifyReport


class Source(Protocol):
    """A place where bytes may still exist."""

    @property
    def name(self) -> str:
        """The place, in words."""
        ...

    async def chunk(self, manifest: Manifest, position: int) -> bytes | None:
        """Return the uncompressed bytes of a chunk of the manifest, or None if this source does not have them."""
        ...

    async def manifest(self, reference: SnapshotReference) -> bytes | None:
        """Return the bytes of this snapshot's manifest, proved, or None if this source does not have them."""
        ...


class ReplicaSource:
    """Another store that holds the same snapshots."""

    def __init__(self, name: str, blobs: SnapshotReader) -> None:
        self.name = name
        self._blobs = blobs

    async def chunk(self, manifest: Manifest, position: int) -> bytes | None:
        """See `Source.chunk`."""
        try:
            return await read_chunk(self._blobs, manifest.folder, manifest.chunks[position])
        except (NotFoundError, IntegrityError):
            return None

    async def manifest(self, reference: SnapshotReference) -> bytes | None:
        """See `Source.manifest`."""
        try:
            if reference.index == SERVICE_OBJECTS:
                await read_service_manifest(self._blobs, reference)
            else:
                await read_manifest(self._blobs, reference)
            name = manifest_name(reference.service, reference.index, reference.id or "")
            return await self._blobs.read(name, MANIFEST_LIMIT)
        except (NotFoundError, IntegrityError):
            return None


class Repaired(msgspec.Struct, frozen=True):
    """A blob that was replaced, and the source of its bytes."""

    blob: str
    source: str
    snapshots: tuple[str, ...]


class Unrepaired(msgspec.Struct, frozen=True):
    """A blob that is still missing or damaged, and why in words."""

    blob: str
    why: str
    snapshots: tuple[str, ...]


class RepairReport(msgspec.Struct, frozen=True):
    """The result of a repair."""

    repaired: tuple[Repaired, ...]
    left: tuple[Unrepaired, ...]


async def repair_index(store: Store, found: VerifyReport, sources: Sequence[Source], now: datetime) -> RepairReport:
    """Repair what a verification found, manifests before chunks, asking the sources in their order.

    Raises RemoteError if the store or a source can't be reached. What an immutability policy protects stays damaged and
    is reported.
    """
    repairer = _Repairer(store, sources, now)
    manifests_first = sorted(found.damage, key=lambda finding: parse_manifest_name(finding.blob) is None)
    for finding in manifests_first:
        await repairer.repair(finding)
    return RepairReport(repaired=tuple(repairer.repaired), left=tuple(repairer.left))


class _Repairer:
    def __init__(self, store: Store, sources: Sequence[Source], now: datetime) -> None:
        self._store = store
        self._sources = sources
        self._now = now
        self.repaired: list[Repaired] = []
        self.left: list[Unrepaired] = []

    async def repair(self, finding: Finding) -> None:
        reference = parse_manifest_name(finding.blob)
        try:
            source = await (self._chunk(finding) if reference is None else self._manifest(finding, reference))
        except ConflictError as error:
            self.left.append(Unrepaired(finding.blob, error.what, finding.snapshots))
            return
        if source is None:
            asked = ", ".join(each.name for each in self._sources) or "nowhere else to look"
            self.left.append(Unrepaired(finding.blob, f"its bytes could not be had ({asked})", finding.snapshots))
        else:
            self.repaired.append(Repaired(finding.blob, source, finding.snapshots))

    async def _chunk(self, finding: Finding) -> str | None:
        place = parse_chunk_name(finding.blob)
        if place is None:
            return None
        folder, sha256 = place
        for snapshot in finding.snapshots:
            reference = SnapshotReference(service=folder.service, index=folder.index, id=snapshot)
            manifest = await read_manifest(self._store.snapshots, reference)
            position = next(at for at, chunk in enumerate(manifest.chunks) if chunk.sha256 == sha256)
            for source in self._sources:
                data = await source.chunk(manifest, position)
                if data is not None and hashlib.sha256(data).hexdigest() == sha256:
                    await self._replace_chunk(finding, data)
                    return source.name
        return None

    async def _replace_chunk(self, finding: Finding, data: bytes) -> None:
        stored = await asyncio.to_thread(compress, data)
        await self._remove(finding)
        await self._store.snapshots.create(finding.blob, stored, content_type="application/gzip")

    async def _remove(self, finding: Finding) -> None:
        """Remove a damaged blob. One that is missing is put back without any right to delete."""
        if finding.kind != "missing":
            await self._store.snapshots.delete(finding.blob)

    async def _manifest(self, finding: Finding, reference: SnapshotReference) -> str | None:
        for source, data in await self._copies(reference):
            if reference.index == SERVICE_OBJECTS:
                service_manifest = decode(data, ServiceManifest)
                await self._replace_manifest(finding, data, summarise_service(service_manifest, len(data)))
            else:
                manifest = open_manifest(data, finding.blob)
                # Without its manifest, even for a moment, a sweep would take its chunks for unnamed.
                async with announced(self._store.runs, manifest, self._now):
                    await self._replace_manifest(finding, data, summarise(manifest))
            return source.name
        return None

    async def _copies(self, reference: SnapshotReference) -> list[tuple[Source, bytes]]:
        """Return the sound copies of a manifest, those that are not authentic last: a forged one can be sound."""
        trusted: list[tuple[Source, bytes]] = []
        others: list[tuple[Source, bytes]] = []
        for source in self._sources:
            data = await source.manifest(reference)
            if data is None:
                continue
            judged = await self._store.snapshots.authority.of_manifest(
                reference.service, reference.index, reference.id or "", data
            )
            (others if judged == "unauthentic" else trusted).append((source, data))
        return trusted + others

    async def _replace_manifest(self, finding: Finding, data: bytes, summary: Summary) -> None:
        name = finding.blob
        await self._remove(finding)
        metadata = self._store.snapshots.authority.signed_metadata(name, data, to_metadata(summary))
        await self._store.snapshots.create(name, data, metadata=metadata, content_type="application/json")
        await note_snapshot(self._store.runs, summary)
