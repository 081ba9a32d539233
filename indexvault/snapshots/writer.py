"""Write a manifest, which is the commit: after the packs that it names, and create-only as they are."""

import asyncio
from collections.abc import Awaitable, Callable

import msgspec

from indexvault.errors import ConflictError, IntegrityError
from indexvault.model import Clock
from indexvault.snapshots.announcements import Announced, write_announced
from indexvault.snapshots.catalogue import read_manifest
from indexvault.snapshots.manifest import Manifest, seal
from indexvault.snapshots.names import SnapshotReference, manifest_name
from indexvault.snapshots.store import SnapshotWriter, Store
from indexvault.snapshots.summary import Summary, summarise, to_metadata
from indexvault.snapshots.used_packs import UsedPacks, require_packs


async def commit(
    blobs: SnapshotWriter, manifest: Manifest, used: UsedPacks, *, fence: Callable[[], Awaitable[None]] | None = None
) -> Summary:
    """Make the snapshot exist: check that every pack it uses exists, then write its manifest.

    `fence` is called right before the manifest is written; if it raises, no snapshot is made. May be called again for
    the same run. Raises IntegrityError, and writes nothing, if a pack is missing or the manifest
    contradicts itself; ConflictError if another run's snapshot has this id.
    """
    data = await asyncio.to_thread(seal, manifest, blobs.authority)
    await require_packs(blobs, manifest, used)
    return await _write_manifest(blobs, manifest, data, fence)


async def commit_announced(
    store: Store,
    manifest: Manifest,
    used: UsedPacks,
    *,
    clock: Clock,
    fence: Callable[[], Awaitable[None]] | None = None,
    shared_with: SnapshotReference | None = None,
    earlier: Announced | None = None,
) -> Summary:
    """Commit as `commit` does, announced to sweeps, now or `earlier`. Raises as `commit` and `announced` do.

    With `shared_with`, the packs under segments that were taken over from that snapshot are not in `used`. It must
    still be there once this one is announced: so no sweep that has begun takes them for unused, and later ones see the
    announcement. IntegrityError is raised if it is not.
    """
    blobs = store.snapshots

    async def check() -> None:
        await require_packs(blobs, manifest, used)
        if shared_with is not None:
            name = manifest_name(shared_with.service, shared_with.index, shared_with.id or "")
            if await blobs.properties(name) is None:
                raise IntegrityError(
                    "the snapshot is gone that this one shares its segments with; it was not written",
                    on=name,
                    do="Run the backup again: it reads the whole index, or builds on another snapshot",
                )

    data = await asyncio.to_thread(seal, manifest, blobs.authority)
    return await write_announced(
        store,
        manifest,
        used,
        clock=clock,
        check=check,
        write=lambda: _write_manifest(blobs, manifest, data, fence),
        earlier=earlier,
    )


async def _write_manifest(
    blobs: SnapshotWriter, manifest: Manifest, data: bytes, fence: Callable[[], Awaitable[None]] | None
) -> Summary:
    name = manifest_name(manifest.service, manifest.index, manifest.id)
    summary = summarise(manifest)
    if fence is not None:
        await fence()
    metadata = blobs.authority.signed_metadata(name, data, to_metadata(summary))
    if not await blobs.create(name, data, metadata=metadata, content_type="application/json"):
        reference = SnapshotReference(service=manifest.service, index=manifest.index, id=manifest.id)
        there = await read_manifest(blobs, reference)
        is_ours = (there.run, there.content_digest) == (manifest.run, manifest.content_digest)
        if not is_ours or there.authenticity == "unauthentic":
            raise ConflictError(
                f"a snapshot with this id was written by run {there.run}",
                on=name,
                do="Start the backup again; it gets an id of its own",
            )
        return summarise(there)
    return msgspec.structs.replace(summary, authenticity="authentic") if blobs.authority else summary
