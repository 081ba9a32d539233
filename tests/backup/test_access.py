import json
from collections.abc import Sequence
from typing import Any

import pytest

from emulator.service import EmulatedService
from indexvault.errors import UnreadableIndexError
from indexvault.snapshots.catalogue import list_snapshots, resolve_manifest
from indexvault.snapshots.names import SnapshotReference
from tests.memory_store import MemoryStore
from tests.world import EAST, LATER, World, open_world, upload_batch

READER = "reader-key"
"""May read documents and definitions, but not documents that are kept from it."""
SERVICES = [
    EmulatedService(
        name=EAST, tier="standard", region="eastus", api_key="admin", role_keys={READER: "data-reader+reader"}
    )
]
PAPERS: Sequence[dict[str, Any]] = [
    {"id": f"{number:02}", "readers": ["somebody"] if number % 3 else ["all"]} for number in range(30)
]


def definition(**changes: Any) -> bytes:
    fields = [
        {"name": "id", "type": "Edm.String", "key": True, "filterable": True, "sortable": True},
        {"name": "readers", "type": "Collection(Edm.String)", "filterable": True, "permissionFilter": "userIds"},
    ]
    return json.dumps({"name": "papers", "fields": fields, "permissionFilterOption": "enabled"} | changes).encode()


async def fill(world: World, **changes: Any) -> None:
    await world.east.create_index("papers", definition(**changes), preview=True)
    await world.east.index_documents("papers", upload_batch(json.dumps(paper).encode() for paper in PAPERS))


async def test_protected_documents_are_read_where_the_caller_may() -> None:
    async with open_world(MemoryStore("local"), services=SERVICES) as world:
        await fill(world)
        report = await world.back_up("papers")
    assert (report.state, report.documents, report.losses) == ("complete", len(PAPERS), [])


async def test_where_it_may_not_the_snapshot_is_lossy_and_says_how_many_are_missing() -> None:
    async with open_world(MemoryStore("local"), services=SERVICES) as world:
        await fill(world)
        await world.ask_east_with(key=READER)
        report = await world.back_up("papers")
        manifest = await resolve_manifest(
            world.store.snapshots, SnapshotReference(service=EAST, index="papers"), now=LATER
        )
    assert (report.state, report.documents) == ("lossy", 10)
    assert [loss.field for loss in manifest.losses] == ["(documents)"]
    assert "10 of the 30" in manifest.losses[0].reason


async def test_an_index_under_purview_is_not_read_with_a_key() -> None:
    async with open_world(MemoryStore("local"), services=SERVICES) as world:
        await world.east.create_index("papers", definition(purviewEnabled=True), preview=True)
        with pytest.raises(UnreadableIndexError, match="Purview") as raised:
            await world.back_up("papers")
        assert "Entra" in raised.value.do
        assert await list_snapshots(world.store.snapshots) == []
