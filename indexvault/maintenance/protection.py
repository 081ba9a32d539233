"""Say in words what an account keeps of blobs that were deleted."""

import logging

from indexvault.errors import IndexvaultError
from indexvault.snapshots.store import Protection, Store

_LOG = logging.getLogger(__name__)

ADVICE = (
    "Protect the container as a whole (a container-level policy, which refuses the deletion), or add a lifecycle rule"
    " that deletes previous versions: see docs/keeping-snapshots.md"
)


async def protection_of(store: Store, prefix: str) -> Protection | None:
    """Return what becomes of deleted blobs under a prefix, or None if the store does not say. That stops no pruning."""
    try:
        return await store.snapshots.protection(prefix)
    except IndexvaultError as error:
        _LOG.warning("which versions of deleted blobs store %s keeps is not known: %s", store.name, error)
        return None


def kept_versions(protection: Protection) -> str | None:
    """Return what is kept of deleted blobs and until when, or None if nothing is."""
    if not protection.versions:
        return None
    held = f"{protection.versions:,} versions of deleted or replaced blobs"
    said = f"{held} ({protection.bytes:,} bytes) stay and are billed"
    if protection.until is not None:
        said += f": a policy keeps them until {protection.until:%Y-%m-%d %H:%MZ} at the latest"
    if protection.held:
        said += f"; a legal hold keeps {protection.held:,} of them until it is cleared"
    if protection.until is None and not protection.held:
        said += " until somebody or a lifecycle rule deletes them"
    return said


def kind_in_words(protection: Protection) -> str:
    """Return what becomes of a blob of the container that is deleted."""
    return {
        "none": "no immutability policy protects the container",
        "container": "a container-level policy or legal hold refuses deletions until it has passed",
        "version": "policies hold for versions: a deletion leaves a version that stays and is billed",
    }[protection.kind]
