"""An index whose documents say when they were written, and how its snapshots are held against it."""

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from indexvault.backup.job import BackupReport
from indexvault.search.batch import batch, delete_action
from indexvault.search.scan import KeyRange, scan_range
from indexvault.settings.model import ChangesSettings
from indexvault.snapshots.catalogue import resolve_manifest
from indexvault.snapshots.chunks import content_digest
from indexvault.snapshots.manifest import Manifest
from indexvault.snapshots.names import SnapshotReference
from tests.world import EAST, LATER, World, upload_batch

INDEX = "live"
CHANGES = ChangesSettings(field="written")


def definition(**key: bool) -> dict[str, Any]:
    return {
        "name": INDEX,
        "fields": [
            {"name": "id", "type": "Edm.String", "key": True, "searchable": False, "filterable": True, "sortable": True}
            | key,
            {"name": "written", "type": "Edm.DateTimeOffset", "filterable": True, "sortable": True},
            {"name": "version", "type": "Edm.Int32", "filterable": True, "sortable": True},
            {"name": "text", "type": "Edm.String", "searchable": True},
        ],
    }


def at(moment: datetime | None) -> str | None:
    return None if moment is None else f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03}Z"


def document(number: int, moment: datetime | None, version: int = 0) -> dict[str, Any]:
    return {"id": f"{number:06}", "written": at(moment), "version": version, "text": "x" * 200}


async def write(world: World, documents: Iterable[dict[str, Any]]) -> None:
    lines = [json.dumps(each).encode() for each in documents]
    for start in range(0, len(lines), 1000):
        await world.east.index_documents(INDEX, upload_batch(lines[start : start + 1000]))


async def delete(world: World, numbers: Iterable[int]) -> None:
    actions = [delete_action("id", f"{number:06}") for number in numbers]
    if actions:
        await world.east.index_documents(INDEX, batch(actions))


async def by_changes(world: World, changes: ChangesSettings = CHANGES, **more: Any) -> BackupReport:
    return await world.back_up(INDEX, changes=changes, **more)


async def manifest_of(world: World, snapshot: str = "") -> Manifest:
    reference = SnapshotReference(service=EAST, index=INDEX, id=snapshot or None)
    return await resolve_manifest(world.store.snapshots, reference, now=LATER)


async def digest_of_index(world: World) -> str:
    """Return the content digest that a full reading of the index has now, from its documents themselves."""
    pages = scan_range(world.east, INDEX, "id", KeyRange(None, None), average_document_bytes=300)
    return content_digest([document.line async for page in pages for document in page])
