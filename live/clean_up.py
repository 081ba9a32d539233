"""Remove what runs have made: indexes with the prefix and the mark, and snapshots of services with a run's name."""

from collections.abc import AsyncIterator, Collection, Iterable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import msgspec

from indexvault.errors import ConflictError, IndexvaultError
from indexvault.search.transport import PREVIEW, STABLE
from indexvault.snapshots.names import service_prefix
from indexvault.snapshots.store import RunBlobs, Store
from live.record import Made
from live.site import remove_index
from live.wire import Wire

_MOST_PAGES = 1000
_READ = 16 * 1024 * 1024
_BY_SERVICE = (
    "announcements/", "holds/", "known/", "locks/", "moves/", "pins/", "restores/", "reveals/", "sweeps/",
    "tombstones/", "unfinished/", "verified/",
)  # fmt: skip
_BY_RUN = ("open/", "records/", "reports/", "runs/")
_CLOCKS = timedelta(minutes=15)
"""How far the clocks of this machine and of a store may be apart."""


class CleanedUp(msgspec.Struct, frozen=True, kw_only=True):
    """What was removed, and what stayed: names that have the prefix but not the mark, or could not be deleted."""

    indexes: list[str]
    blobs: int
    kept: list[str]


async def clean_service(wire: Wire, prefix: str, made: Iterable[Made] = ()) -> CleanedUp:
    """Delete every index that has the prefix and the mark, those of the record among them."""
    names = {each.name for each in made if each.kind == "index"} | await _index_names(wire)
    removed, kept = [], []
    for name in sorted(each for each in names if each.startswith(prefix)):
        outcome = await remove_index(wire, name, prefix)
        if outcome == "removed":
            removed.append(name)
        elif outcome == "kept":
            kept.append(name)
    return CleanedUp(indexes=removed, blobs=0, kept=kept)


async def clean_store(store: Store, services: Collection[str], since: datetime) -> CleanedUp:
    """Delete all blobs of the snapshots of services that runs have named after themselves."""
    blobs, kept = 0, []
    for service in sorted(services):
        for name in [blob.name async for blob in store.snapshots.list(service_prefix(service))]:
            with suppress(ConflictError):
                blobs += await store.snapshots.delete(name)
                continue
            kept.append(name)
        for name in [name async for name in _run_blobs(store.runs, service, since)]:
            await store.runs.break_lease(name)
            blobs += await store.runs.delete(name)
    return CleanedUp(indexes=[], blobs=blobs, kept=kept)


async def _index_names(wire: Wire) -> set[str]:
    """Return the names of all indexes, by the stable list and the preview's."""
    found: set[str] = set()
    for version in (STABLE, PREVIEW):
        page = await wire.ask("GET", "indexes", query="$select=name", version=version)
        for _ in range(_MOST_PAGES):
            body: Any = page.json if page.ok else {}
            found |= {entry["name"] for entry in body.get("value", [])}
            if not (link := body.get("@odata.nextLink")):
                break
            page = await wire.follow(link)
    return found


async def _run_blobs(runs: RunBlobs, service: str, since: datetime) -> AsyncIterator[str]:
    """Yield the names of all blobs of the run half that belong to a service.

    Runs are not named after it: theirs are the blobs since the first run began of runs that have one which names it.
    """
    for prefix in _BY_SERVICE:
        async for blob in runs.list(f"{prefix}{service_prefix(service)}"):
            yield blob.name
    recent = [
        blob.name
        for prefix in _BY_RUN
        for blob in [each async for each in runs.list(prefix)]
        if blob.modified >= since - _CLOCKS
    ]
    quoted = f'"{service}"'.encode()
    ours: set[str] = set()
    for name in recent:
        with suppress(IndexvaultError):
            found = await runs.read(name, _READ)
            if found is not None and (quoted in found.data or f'"{service}/'.encode() in found.data):
                ours.add(_run(name))
    for name in recent:
        if _run(name) in ours:
            yield name


def _run(name: str) -> str:
    return name.split("/")[1].removesuffix(".json")
