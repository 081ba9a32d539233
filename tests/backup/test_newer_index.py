"""An index that the stable api-version refuses, since it was made with a newer one."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from emulator.service import EmulatedService
from indexvault.backup.live_index import LiveIndex
from indexvault.search.definition_content import same_content
from indexvault.search.transport import PREVIEW
from indexvault.snapshots.catalogue import resolve_manifest
from indexvault.snapshots.diff import DiffTally
from indexvault.snapshots.names import SnapshotReference
from tests.memory_store import MemoryStore
from tests.world import EAST, KEYS, LATER, WEST, World, open_world, upload_batch

LABELLED: dict[str, Any] = {
    "name": "papers",
    "fields": [
        {"name": "id", "type": "Edm.String", "key": True, "filterable": True, "sortable": True},
        {"name": "label", "type": "Edm.String", "sensitivityLabel": True},
    ],
}
PAPERS = [{"id": f"{number:02}", "label": f"l{number}"} for number in range(30)]


def services(mode: str) -> list[EmulatedService]:
    return [
        EmulatedService(name=name, region=region, api_key=KEYS[name], newer_indexes=mode)  # type: ignore[arg-type]
        for name, region in ((EAST, "eastus"), (WEST, "westus2"))
    ]


@pytest.fixture(params=["refused", "refused in lists"])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    async with open_world(MemoryStore("local"), services=services(request.param)) as opened:
        await opened.east.create_index("papers", json.dumps(LABELLED).encode(), preview=True)
        await opened.east.index_documents("papers", upload_batch(json.dumps(paper).encode() for paper in PAPERS))
        yield opened


async def test_it_is_read_with_the_preview_and_the_manifest_says_so(world: World) -> None:
    report = await world.back_up("papers")
    manifest = await resolve_manifest(world.store.snapshots, SnapshotReference(service=EAST, index="papers"), now=LATER)
    assert (report.state, report.documents) == ("complete", len(PAPERS))
    assert [each.api_version for each in manifest.definition.versions] == [PREVIEW]
    assert report.reading is not None
    assert PREVIEW in report.reading.reason


async def test_it_is_listed(world: World) -> None:
    assert await world.east.index_names() == ["papers"]


async def test_it_is_restored_with_that_version_and_proved(world: World) -> None:
    made = await world.back_up("papers")
    found = await world.preflight(made)
    [said] = [check for check in found.checks if check.name == "api_version"]
    assert said.outcome == "warning"
    assert PREVIEW in said.what
    report = await world.restore(made)
    assert report.documents == len(PAPERS)
    present = await world.west.index_definition("restored", preview=True)
    assert b'"sensitivityLabel":true' in bytes(present.body)
    again = await world.restore(made, mode="sync")
    assert again.documents == len(PAPERS)


async def test_its_hidden_fields_are_revealed_and_hidden_again(world: World) -> None:
    before = await world.east.index_definition("papers", preview=True)
    hidden = {"name": "notes", "type": "Edm.String", "retrievable": False}
    changed = LABELLED | {"fields": [*LABELLED["fields"], hidden]}
    await world.east.update_index("papers", json.dumps(changed).encode(), before=before, preview=True)
    before = await world.east.index_definition("papers", preview=True)
    report = await world.back_up("papers", hidden_fields="reveal")
    assert (report.state, report.documents) == ("complete", len(PAPERS))
    assert same_content((await world.east.index_definition("papers", preview=True)).body, before.body)
    made = await world.restore(report, index="shown")
    assert made.documents == len(PAPERS)


async def test_it_is_compared_with_a_snapshot(world: World) -> None:
    await world.back_up("papers")
    manifest = await resolve_manifest(world.store.snapshots, SnapshotReference(service=EAST, index="papers"), now=LATER)
    await world.east.index_documents("papers", upload_batch([b'{"id":"00","label":"other"}']))
    live = await LiveIndex.open(world.east, "papers")
    changes = [each async for each in live.changes_since(world.store.snapshots, manifest, DiffTally())]
    assert [(each.kind, each.key) for each in changes] == [("changed", "00")]


async def test_it_is_replaced_in_place_and_behind_an_alias(world: World) -> None:
    made = await world.back_up("papers")
    await world.restore(made)
    await world.restore(made, mode="replace", in_place=True)
    await world.west.point_alias("reading", "restored", before=None)
    await world.restore(made, index="reading", mode="replace", delete_old=True)
    [left] = await world.west.index_names()
    assert await world.west.alias_target("reading") == left != "restored"
