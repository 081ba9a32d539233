"""The manifest of a service's objects other than indexes: aliases, data sources, indexers, skillsets and so on.

It is kept like an index's manifest, under the index name `$service`, and is one JSON object with a checksum, as an
index's manifest is. It has no chunks: each object's definition is in it byte for byte.
"""

import asyncio
from collections.abc import Sequence
from typing import Literal

import msgspec

from indexvault.bounds import decode
from indexvault.errors import UNDECODABLE, ConflictError, IntegrityError
from indexvault.model import Authenticity, definition_fault
from indexvault.snapshots.authority import Authority, first_trusted
from indexvault.snapshots.checksum import has_checksum
from indexvault.snapshots.chunks import content_digest
from indexvault.snapshots.labels import Description, Tags
from indexvault.snapshots.manifest import (
    FORMAT,
    MANIFEST_LIMIT,
    AwareTime,
    Definition,
    Withheld,
    without_authenticity,
)
from indexvault.snapshots.names import SERVICE_OBJECTS, SnapshotReference, id_time, is_snapshot_id, manifest_name
from indexvault.snapshots.store import SnapshotReader, SnapshotWriter
from indexvault.snapshots.summary import Summary, to_metadata


class ServiceObject(msgspec.Struct, frozen=True):
    """An object of a service. `kind` is its collection's name in the service's paths, such as `skillsets`."""

    kind: str
    name: str
    definition: Definition


class SkippedKind(msgspec.Struct, frozen=True):
    """A kind of object that the service does not know in one api-version, and its answer in words."""

    kind: str
    api_version: str
    reason: str


class NotKept(msgspec.Struct, frozen=True):
    """What the service has of a kind, and the snapshot has not, in words.

    With a `name`, it is content of one object that no definition holds; without one, objects that are counted and were
    not listed.
    """

    kind: str
    name: str | None
    reason: str


class ServiceManifest(msgspec.Struct, frozen=True, kw_only=True):
    """One snapshot of a service's objects, sorted by kind and name.

    `withheld` are the secrets that were taken out of them; the first versions left such an object out whole. The state
    is `lossy` if what was taken out was content of an object, or if the service counts more objects than it lists.
    `indexes` are the names of the service's indexes at that time; snapshots of earlier versions don't say (None).
    `description`, `tags`, `expires` and `authenticity` are as in `manifest.Manifest`.
    """

    format: str = FORMAT
    id: str
    service: str
    state: Literal["complete", "lossy"]
    created: AwareTime
    tool: str
    run: str
    objects: tuple[ServiceObject, ...]
    withheld: tuple[Withheld, ...] = ()
    skipped: tuple[SkippedKind, ...] = ()
    not_kept: tuple[NotKept, ...] = ()
    indexes: tuple[str, ...] | None = None
    description: Description = ""
    tags: Tags = {}
    expires: AwareTime | None = None
    authenticity: Authenticity | None = None

    @property
    def reference(self) -> SnapshotReference:
        """The snapshot by its id."""
        return SnapshotReference(service=self.service, index=SERVICE_OBJECTS, id=self.id)


def objects_digest(objects: Sequence[ServiceObject]) -> str:
    """Return the content digest of objects: equal for two snapshots that hold the same definitions."""
    return content_digest(bytes(version.body) for each in objects for version in each.definition.versions)


def summarise_service(manifest: ServiceManifest, size: int) -> Summary:
    """Return what a listing shows. Objects count as documents; `size` is the manifest's own size in bytes."""
    return Summary(
        id=manifest.id,
        service=manifest.service,
        index=SERVICE_OBJECTS,
        state=manifest.state,
        created=manifest.created,
        format=manifest.format,
        tool=manifest.tool,
        run=manifest.run,
        documents=len(manifest.objects),
        chunks=0,
        losses=len(manifest.withheld) + len(manifest.not_kept) if manifest.state == "lossy" else 0,
        bytes=size,
        stored=size,
        added_chunks=0,
        added_bytes=size,
        added_stored=size,
        content_digest=objects_digest(manifest.objects),
        description=manifest.description,
        tags=manifest.tags,
        expires=manifest.expires,
        authenticity=manifest.authenticity,
    )


async def commit_service(blobs: SnapshotWriter, manifest: ServiceManifest) -> Summary:
    """Make the snapshot exist. May be called again. Raises ConflictError if another run's snapshot has this id."""
    manifest = msgspec.structs.replace(manifest, authenticity=None)
    body = without_authenticity(msgspec.json.encode(manifest))
    data = await asyncio.to_thread(blobs.authority.sealed, body)
    name = manifest_name(manifest.service, SERVICE_OBJECTS, manifest.id)
    summary = summarise_service(manifest, len(data))
    metadata = blobs.authority.signed_metadata(name, data, to_metadata(summary))
    if not await blobs.create(name, data, metadata=metadata, content_type="application/json"):
        there, size = await _read(blobs, name)
        if there.run != manifest.run or there.authenticity == "unauthentic":
            raise ConflictError(
                f"a snapshot with this id was written by run {there.run}", on=name, do="Run the backup again"
            )
        return summarise_service(there, size)
    return msgspec.structs.replace(summary, authenticity="authentic") if blobs.authority else summary


async def read_service_manifest(blobs: SnapshotReader, reference: SnapshotReference) -> ServiceManifest:
    """Read and prove the manifest of a snapshot by its id.

    Raises NotFoundError if there is none, IntegrityError if it is damaged or another snapshot's.
    """
    name = manifest_name(reference.service, SERVICE_OBJECTS, reference.id or "")
    manifest, _size = await _read(blobs, name)
    if (manifest.service, manifest.id) != (reference.service, reference.id):
        raise IntegrityError(f"it is the manifest of {manifest.reference}", on=name, do="Use another snapshot")
    return manifest


async def read_service_summary(blobs: SnapshotReader, reference: SnapshotReference) -> Summary:
    """Return the summary of a snapshot from its manifest, for when the metadata holds none."""
    manifest, size = await _read(blobs, manifest_name(reference.service, SERVICE_OBJECTS, reference.id or ""))
    return summarise_service(manifest, size)


async def _read(blobs: SnapshotReader, name: str) -> tuple[ServiceManifest, int]:
    return await first_trusted(
        blobs, lambda one: _read_copy(one, name, blobs.authority), lambda found: found[0].authenticity
    )


async def _read_copy(blobs: SnapshotReader, name: str, authority: Authority) -> tuple[ServiceManifest, int]:
    data = await blobs.read(name, MANIFEST_LIMIT)
    if not has_checksum(data):
        raise IntegrityError("its checksum does not match its bytes", on=name, do="Use another snapshot")
    try:
        data.decode()
        manifest = decode(data, ServiceManifest)
    except UNDECODABLE as error:
        raise IntegrityError(f"it is not a manifest: {error}", on=name, do="Use another snapshot") from None
    if manifest.format != FORMAT and not manifest.format.startswith(f"{FORMAT}."):
        raise IntegrityError(
            f"its format is {manifest.format[:40]!r}, and this version reads {FORMAT}",
            on=name,
            do="Use the version of indexvault that wrote it, or a newer one",
        )
    if not is_snapshot_id(manifest.id) or id_time(manifest.id) != manifest.created.replace(microsecond=0):
        raise IntegrityError("its id does not carry the time it was created", on=name, do="Use another snapshot")
    for each in manifest.objects:
        for version in each.definition.versions:
            if (reason := definition_fault(version.body)) is not None:
                raise IntegrityError(
                    f"the definition of {each.name} can't be used: {reason}", on=name, do="Use another snapshot"
                )
    authenticity = await authority.of_manifest(manifest.service, SERVICE_OBJECTS, manifest.id, data)
    return msgspec.structs.replace(manifest, authenticity=authenticity), len(data)
