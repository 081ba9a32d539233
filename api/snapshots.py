"""`/snapshots`: which there are, and what one of them holds."""

from typing import Annotated

import msgspec

from api.endpoint import Answer, Call, Endpoint, Nothing, Reply
from api.names import IndexName, ServiceName, SnapshotPoint
from api.runs import prepared_stores
from errors import NotFoundError, SettingsError
from settings.read import service_settings
from snapshots.catalogue import list_snapshots, read_manifest, resolve
from snapshots.manifest import Counts, Definition, Loss, SynonymMap
from snapshots.names import SnapshotReference
from snapshots.summary import Summary, summarise


class SnapshotsQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which snapshots: of all services, of one, or of one index of it."""

    service: ServiceName | None = None
    index: IndexName | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 200


class SnapshotPath(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which snapshot."""

    service: ServiceName
    index: IndexName
    id: SnapshotPoint


class SnapshotList(msgspec.Struct, frozen=True):
    """Snapshots by service and index, the newest first. `more` says that the limit left some out."""

    snapshots: list[Summary]
    more: bool


class SnapshotView(msgspec.Struct, frozen=True):
    """One snapshot: its summary, what it lacks, the counts it was proved by, and the definitions in it."""

    summary: Summary
    losses: list[Loss]
    counts: Counts
    definition: Definition
    synonym_maps: list[SynonymMap]


async def list_all(call: Call[None, SnapshotsQuery, Nothing]) -> Reply:
    """Answer with the snapshots there are."""
    asked = call.query
    if asked.service is not None:
        service_settings(call.resources.connections.settings, asked.service)
    found = [
        summary
        for store in await prepared_stores(call.resources)
        for summary in await list_snapshots(store.snapshots, asked.service, asked.index)
    ]
    found.sort(key=lambda summary: (summary.service, summary.index))
    return Reply(200, SnapshotList(found[: asked.limit], len(found) > asked.limit))


async def show_snapshot(call: Call[None, Nothing, SnapshotPath]) -> Reply:
    """Answer with one snapshot, proved as far as its manifest goes."""
    path = call.path
    store = call.resources.connections.reading_store(path.service)
    await store.prepare()
    reference = read_reference(f"{path.service}/{path.index}@{path.id}")
    manifest = await read_manifest(store.snapshots, await resolve(store.snapshots, reference))
    return Reply(
        200,
        SnapshotView(
            summary=summarise(manifest),
            losses=list(manifest.losses),
            counts=manifest.counts,
            definition=manifest.definition,
            synonym_maps=list(manifest.synonym_maps),
        ),
    )


def read_reference(text: str) -> SnapshotReference:
    """Read how a request names a snapshot, after its form was checked.

    Raises NotFoundError for a time that the calendar does not have: no snapshot can be from then.
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
        summary="The snapshots of all services, of one, or of one index",
        handle=list_all,
        query=SnapshotsQuery,
        answers={200: Answer("The snapshots.", SnapshotList)},
    ),
    Endpoint(
        name="show_snapshot",
        method="GET",
        route="snapshots/{service}/{index}/{id}",
        summary="What one snapshot holds",
        handle=show_snapshot,
        path=SnapshotPath,
        answers={200: Answer("The snapshot.", SnapshotView)},
    ),
)
