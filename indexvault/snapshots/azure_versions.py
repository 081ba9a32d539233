"""Read from a container's properties and listings what becomes of blobs that are deleted."""

from typing import Literal

import msgspec
from azure.storage.blob import BlobProperties as ListedBlob
from azure.storage.blob import ContainerProperties

from indexvault.snapshots.store import Protection


def protection_kind(container: ContainerProperties) -> Literal["none", "container", "version"]:
    """Return which kind of immutability a container has.

    Source: Get Container Properties (REST API), `x-ms-immutable-storage-with-versioning-enabled`, 2026-09.
    """
    if container.immutable_storage_with_versioning_enabled:
        return "version"
    return "container" if container.has_immutability_policy or container.has_legal_hold else "none"


def with_version(found: Protection, blob: ListedBlob) -> Protection:
    """Count a listed blob if it is a version that is not current."""
    if not blob.version_id or blob.is_current_version:
        return found
    until = [each for each in (found.until, blob.immutability_policy.expiry_time) if each is not None]
    return msgspec.structs.replace(
        found,
        versions=found.versions + 1,
        bytes=found.bytes + (blob.size or 0),
        until=max(until, default=None),
        held=found.held + bool(blob.has_legal_hold),
    )
