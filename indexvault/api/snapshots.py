"""`/snapshots`: list snapshots, show one."""

import itertools
from typing import Annotated

import msgspec

from indexvault.api.endpoint import Call, DocumentedAnswer, Endpoint, Nothing, Reply
from indexvault.api.parameters import IndexName, ServiceName, SnapshotPoint, TagFilters
from indexvault.api.snapshot_views import (
    ListedSnapshot,
    SnapshotList,
    SnapshotView,
    list_stock,
    view_snapshot,
    with_keepers,
)
from indexvault.api.stores import ask_stores
from indexvault.errors import NotFoundError, SettingsError
from indexvault.maintenance.holds import list_holds
from indexvault.maintenance.pins import list_pins
from indexvault.maintenance.stock import take_stock
from indexvault.maintenance.unchanged import list_unchanged
from indexvault.settings.load import service_settings
from indexvault.snapshots.catalogue import resolve_manifest
from indexvault.snapshots.labels import has_tags
from indexvault.snapshots.names import SnapshotReference
from indexvault.snapshots.sharing import read_sharing
from indexvault.snapshots.store import Store


class SnapshotsQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which snapshots: of all services, of one, or of one index of it; with `tag` only those that have these tags."""

    service: ServiceName | None = None
    index: IndexName | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 200
    tag: TagFilters | None = None


class SnapshotPath(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which snapshot."""

    service: ServiceName
    index: IndexName
    id: SnapshotPoint


class SnapshotQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whether to compare the snapshot with the others of its index, which reads all their manifests.

    With `proved` only a snapshot is meant whose run read the whole index: none that is presumed.
    """

    sharing: bool = False
    proved: bool = False


async def list_all(call: Call[None, SnapshotsQuery, Nothing]) -> Reply:
    """Answer with the snapshots of every store, those included whose manifest has vanished, and what needs them."""
    asked, clients, now = call.query, call.resources.clients, call.resources.clock()
    if asked.service is not None:
        service_settings(clients.settings, asked.service)
    wanted = asked.tag.split(",") if asked.tag is not None else []

    async def ask(store: Store) -> list[ListedSnapshot]:
        try:
            return list_stock(await take_stock(clients, store.name, asked.service, asked.index, certain=False), now)
        except NotFoundError:  # a store without a container, of which nothing is known
            return []

    listings, unread = await ask_stores(call.resources, ask)
    found = [each for each in itertools.chain(*listings) if has_tags(each.tags, wanted)]
    found.sort(key=lambda summary: (summary.service, summary.index))
    listed = found[: asked.limit]
    kept = await with_keepers(call.resources, listed)
    return Reply(200, SnapshotList(kept, len(found) > asked.limit, unread))


async def show_snapshot(call: Call[None, SnapshotQuery, SnapshotPath]) -> Reply:
    """Answer with one snapshot, its manifest checked against its own checksum, and with the runs that need it."""
    path = call.path
    store = call.resources.clients.reading_store(path.service)
    reference = read_reference(f"{path.service}/{path.index}@{path.id}")
    if call.query.proved:
        reference = msgspec.structs.replace(reference, proved=True)
    manifest = await resolve_manifest(store.snapshots, reference, now=call.resources.clock())
    shares = await read_sharing(store.snapshots, manifest) if call.query.sharing else None
    found = SnapshotReference(service=manifest.service, index=manifest.index, id=manifest.id)
    here = {(manifest.service, manifest.index)}
    held, pinned = await list_holds(call.resources, here), await list_pins(call.resources, here)
    unchanged = await list_unchanged(call.resources, here)
    view = view_snapshot(manifest, shares, held.get(found, []), pinned.get(found), unchanged.get(found))
    return Reply(200, view)


def read_reference(text: str) -> SnapshotReference:
    """Parse a reference whose form has been validated.

    Raises NotFoundError for a time that is not in the calendar: no snapshot can have it.
    """
    try:
        return SnapshotReference.parse(text)
    except SettingsError as error:
        raise NotFoundError(error.what, on=f"snapshot {text}", do=error.do) from None


ENDPOINTS = (
    Endpoint(
        name="list_snapshots",
        method="GET",
        route="snapshots",
        summary="The snapshots of all services, of one service or of one index",
        handle=list_all,
        query=SnapshotsQuery,
        answers={200: DocumentedAnswer("The snapshots.", SnapshotList)},
    ),
    Endpoint(
        name="show_snapshot",
        method="GET",
        route="snapshots/{service}/{index}/{id}",
        summary="What one snapshot holds",
        handle=show_snapshot,
        query=SnapshotQuery,
        path=SnapshotPath,
        answers={200: DocumentedAnswer("The snapshot.", SnapshotView)},
    ),
)
