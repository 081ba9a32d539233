"""List, find and read snapshots, from the blobs alone: there is no database that could disagree with them.

A snapshot exists if its manifest does. Listings read metadata and no manifests, so thousands take seconds.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import datetime

import msgspec

from indexvault.errors import IntegrityError, NotFoundError, SettingsError
from indexvault.snapshots.authority import SIGNATURE, Authority, first_trusted
from indexvault.snapshots.manifest import MANIFEST_LIMIT, Manifest, open_manifest
from indexvault.snapshots.names import (
    SERVICE_OBJECTS,
    SnapshotReference,
    manifest_name,
    manifests_prefix,
    parse_manifest_name,
    parse_segment,
    service_prefix,
)
from indexvault.snapshots.service_manifest import read_service_summary
from indexvault.snapshots.store import BlobProperties, SnapshotReader
from indexvault.snapshots.summary import (
    Summary,
    damaged_summary,
    from_metadata,
    is_in_future,
    summarise,
    to_metadata,
)
from indexvault.suggestions import suggestion

_NAMED_IN_ERRORS = 5

_QUICKLY_READ = 1024 * 1024
"""Bytes of a manifest that takes milliseconds to read. A larger one is read in a thread."""


async def list_snapshots(blobs: SnapshotReader, service: str | None = None, index: str | None = None) -> list[Summary]:
    """Return the snapshots of an index, a service or the whole store, by service and index, the newest first.

    Reads a manifest only if its metadata holds no summary, as after a copy that dropped it. If that manifest can't be
    read either, its state is `damaged`. Blobs that are not named like manifests are ignored.
    """
    found = [
        summary
        async for service_name, index_name in _indexes(blobs, service, index)
        async for summary in _summaries(blobs, service_name, index_name)
    ]
    found.sort(key=lambda summary: (summary.created, summary.id), reverse=True)
    found.sort(key=lambda summary: (summary.service, summary.index))
    return found


def choose(newest_first: Sequence[Summary], reference: SnapshotReference, now: datetime) -> Summary | None:
    """Return the snapshot of an index that a reference means, or None if none matches.

    `@latest` and `@<time>` skip damaged snapshots, not lossy ones. They mean an unsettled one only where there is no
    other: it never stands in for one that accounts for every document. Of a `proved` reference only those are meant
    whose run read the whole index and left nothing open. Those dated in the future by a clock that was
    wrong (`is_in_future`) and those that are not authentic are found by their ids only. Raises NotFoundError, naming
    them, if a part of an id is that of several.
    """
    if reference.is_by_id:
        named = [summary for summary in newest_first if reference.names(summary.id)]
        if len(named) > 1:
            raise NotFoundError(
                f"{len(named)} snapshots have an id like this",
                on=str(reference),
                do=f"Name one of {_ids(named, now)}",
            )
        if named and reference.proved and not named[0].is_proved:
            raise _unproved(named[0])
        return named[0] if named else None
    until = reference.until(now)
    meant = [
        summary
        for summary in newest_first
        if summary.state != "damaged"
        and summary.is_trusted
        and not is_in_future(summary.created, now)
        and (until is None or summary.created <= until)
        and (summary.is_proved or not reference.proved)
    ]
    return next((summary for summary in meant if summary.state != "unsettled"), meant[0] if meant else None)


async def resolve(blobs: SnapshotReader, reference: SnapshotReference, *, now: datetime) -> Summary:
    """Find the snapshot that a reference means, as `choose` says.

    Raises NotFoundError, naming what there is, if no snapshot matches or a part of an id matches several, and
    IntegrityError if the one meant by its id is damaged.
    """
    known = await list_snapshots(blobs, reference.service, reference.index)
    found = choose(known, reference, now)
    if found is None:
        raise await not_found(blobs, reference, known, now)
    if found.state == "damaged":
        await read_manifest(blobs, found)
    return found


async def resolve_manifest(blobs: SnapshotReader, reference: SnapshotReference, *, now: datetime) -> Manifest:
    """Find the snapshot that a reference means, and read its manifest. Raises as `resolve` and `read_manifest` do.

    Raises IntegrityError too if the summary of a snapshot that was not meant by its id is signed and its manifest not.
    """
    if reference.id is not None and not reference.proved:
        return await read_manifest(blobs, reference)
    found = await resolve(blobs, reference, now=now)
    manifest = await read_manifest(blobs, found)
    if manifest.authenticity == "unauthentic" and not reference.is_by_id:
        raise IntegrityError(
            "its summary is authentic and its manifest is not: it was replaced",
            on=str(found.reference),
            do="Delete the manifest and repair it from a replica, or name another snapshot by its id",
        )
    return manifest


def _unproved(summary: Summary) -> NotFoundError:
    proved = f"; the full reading it builds on is {summary.proved}" if summary.proved else ""
    return NotFoundError(
        f"it is {summary.state} and not proved{proved}",
        on=str(summary.reference),
        do="Name @proved for the newest one that is, or leave out --proved",
    )


async def read_manifest(blobs: SnapshotReader, snapshot: Summary | SnapshotReference) -> Manifest:
    """Read and prove the manifest of a snapshot by its id.

    Raises NotFoundError, naming what there is, if it is gone; IntegrityError if it is damaged or another snapshot's;
    SettingsError for a reference without an id, and for a snapshot of a service's other objects, which
    `service_manifest` reads.
    """
    reference = snapshot.reference if isinstance(snapshot, Summary) else snapshot
    if reference.index == SERVICE_OBJECTS:
        raise SettingsError(
            "this is a snapshot of a service's objects and not of an index",
            on=str(reference),
            do="Name an index's snapshot; `indexvault show` tells what this one holds",
        )
    if reference.id is None:
        raise SettingsError("this names no single snapshot", on=str(reference), do="Resolve it first")
    name = manifest_name(reference.service, reference.index, reference.id)
    try:
        return await first_trusted(
            blobs, lambda one: _read_manifest(one, reference, name, blobs.authority), lambda found: found.authenticity
        )
    except NotFoundError:
        known = await list_snapshots(blobs, reference.service, reference.index)
        raise await not_found(blobs, reference, known) from None


async def _read_manifest(
    blobs: SnapshotReader, reference: SnapshotReference, name: str, authority: Authority
) -> Manifest:
    data = await blobs.read(name, MANIFEST_LIMIT)
    if len(data) <= _QUICKLY_READ:
        manifest = open_manifest(data, name)
    else:
        manifest = await asyncio.to_thread(open_manifest, data, name)
    if (manifest.service, manifest.index, manifest.id) != (reference.service, reference.index, reference.id):
        raise IntegrityError(
            f"it is the manifest of {manifest.service}/{manifest.index}@{manifest.id}",
            on=name,
            do="Move it back under its own name, or use another snapshot",
        )
    authenticity = await authority.of_manifest(manifest.service, manifest.index, manifest.id, data)
    return msgspec.structs.replace(manifest, authenticity=authenticity)


async def _indexes(blobs: SnapshotReader, service: str | None, index: str | None) -> AsyncIterator[tuple[str, str]]:
    if service is not None and index is not None:
        yield service, index
        return
    services = [service] if service is not None else [found async for found in _names(blobs, "")]
    for service_name in services:
        async for index_name in _names(blobs, service_prefix(service_name)):
            if index is None or index_name == index:
                yield service_name, index_name


async def _names(blobs: SnapshotReader, prefix: str) -> AsyncIterator[str]:
    async for segment in blobs.folders(prefix):
        name = parse_segment(segment)
        if name is not None:
            yield name


async def _summaries(blobs: SnapshotReader, service: str, index: str) -> AsyncIterator[Summary]:
    async for blob in blobs.list(manifests_prefix(service, index)):
        reference = parse_manifest_name(blob.name)
        if reference is None:
            continue
        summary = from_metadata(reference, blob.metadata)
        if summary is None:
            yield await _read_summary(blobs, reference)
        else:
            yield await _judged(blobs.authority, summary, blob)


async def _judged(authority: Authority, summary: Summary, blob: BlobProperties) -> Summary:
    authenticity = await authority.of_listed(
        summary.service,
        summary.index,
        summary.id,
        name=blob.name,
        signature=blob.metadata.get(SIGNATURE, ""),
        summary=to_metadata(summary),
    )
    return msgspec.structs.replace(summary, authenticity=authenticity)


async def _read_summary(blobs: SnapshotReader, reference: SnapshotReference) -> Summary:
    try:
        if reference.index == SERVICE_OBJECTS:
            return await read_service_summary(blobs, reference)
        return summarise(await read_manifest(blobs, reference))
    except IntegrityError:
        return damaged_summary(reference)


async def not_found(
    blobs: SnapshotReader, reference: SnapshotReference, known: Sequence[Summary] = (), now: datetime | None = None
) -> NotFoundError:
    """Return the error for a reference that means none of the `known` snapshots of its index, naming what there is."""
    if known:
        return NotFoundError("there is no such snapshot", on=str(reference), do=f"There are {_ids(known, now)}")
    indexes = [name async for name in _names(blobs, service_prefix(reference.service))]
    if indexes and reference.index == SERVICE_OBJECTS:
        return NotFoundError(
            "the service as a whole has not been backed up",
            on=f"service {reference.service}",
            do=f"Back all of it up with `indexvault backup {reference.service}` without an index, or restore its"
            f" indexes one by one, such as {reference.service}/{indexes[0]}@latest",
        )
    if indexes:
        return NotFoundError(
            "this index has no snapshot",
            on=str(reference),
            do=f"There are snapshots of {', '.join(indexes)}{suggestion(reference.index, indexes)}",
        )
    services = [name async for name in _names(blobs, "")]
    there = (
        f"There are snapshots of {', '.join(services)}{suggestion(reference.service, services)}"
        if services
        else "The store holds no snapshot at all"
    )
    return NotFoundError("this service has no snapshot", on=str(reference), do=there)


def _ids(known: Sequence[Summary], now: datetime | None) -> str:
    ids = ", ".join(f"{summary.id} ({_state(summary, now)})" for summary in known[:_NAMED_IN_ERRORS])
    return ids + (f" and {len(known) - _NAMED_IN_ERRORS} older ones" if len(known) > _NAMED_IN_ERRORS else "")


def _state(summary: Summary, now: datetime | None) -> str:
    if not summary.is_trusted:
        return f"{summary.state}, not authentic: only by its id"
    in_future = now is not None and is_in_future(summary.created, now)
    return f"{summary.state}, in the future: only by its id" if in_future else summary.state
