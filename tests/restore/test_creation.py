"""Definitions that can be read and not created: the preflight says so, with a patch that makes the restore succeed."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from emulator.service import EmulatedService
from indexvault.backup.job import BackupReport
from indexvault.errors import ConflictError, IndexvaultError
from indexvault.restore.report import PreflightReport
from tests import hotels
from tests.memory_store import MemoryStore
from tests.world import EAST, KEYS, WEST, World, open_world, upload_batch

CLASSIC = {"similarity": {"@odata.type": "#Microsoft.Azure.Search.ClassicSimilarity"}}
KEY = {"encryptionKey": {"keyVaultKeyName": "k", "keyVaultKeyVersion": "1", "keyVaultUri": "https://v.vault.azure.net"}}
GROUPS = {
    "name": "groups",
    "type": "Collection(Edm.String)",
    "filterable": True,
    "retrievable": True,
    "permissionFilter": "groupIds",
}
PREVIEW = {"permissionFilterOption": "disabled", "fields": [*hotels.DEFINITION["fields"], GROUPS]}


@pytest.fixture
async def world() -> AsyncIterator[World]:
    services = [
        EmulatedService(name=EAST, api_key=KEYS[EAST], makes_classic_indexes=True),
        EmulatedService(name=WEST, api_key=KEYS[WEST], tier="free", knows_preview=False),
    ]
    async with open_world(MemoryStore("local"), services=services) as opened:
        yield opened


async def backed_up(world: World, **members: Any) -> BackupReport:
    body: dict[str, Any] = hotels.DEFINITION | members
    await world.east.create_index("hotels", msgspec.json.encode(body), preview=True)
    documents = hotels.hotels(20)
    if any(field["name"] == "groups" for field in body["fields"]):
        documents = [each | {"groups": ["all"]} for each in documents]
    await world.east.index_documents("hotels", upload_batch(msgspec.json.encode(each) for each in documents))
    return await world.back_up("hotels")


def failed(report: PreflightReport) -> dict[str, str]:
    return {check.name: check.what for check in report.checks if check.outcome == "failed"}


@pytest.mark.parametrize(
    ("members", "check", "told"),
    [
        (CLASSIC, "similarity", "ClassicSimilarity"),
        (KEY, "encryption", "customer-managed key"),
        (PREVIEW, "api_version", "preview"),
        (CLASSIC | KEY | PREVIEW, "similarity", "ClassicSimilarity"),
    ],
    ids=["similarity", "encryption", "preview", "all"],
)
async def test_the_patch_that_the_preflight_offers_makes_the_restore_succeed(
    world: World, members: dict[str, Any], check: str, told: str
) -> None:
    made = await backed_up(world, **members)
    report = await world.preflight(made)
    assert told in failed(report)[check]
    with pytest.raises(IndexvaultError, match=check):
        await world.restore(made)
    assert await world.west.index_names() == []
    patch = msgspec.json.encode(report.patch).decode()
    assert failed(await world.preflight(made, patch=patch)) == {}
    assert (await world.restore(made, patch=patch)).documents == 20


async def test_the_offered_patch_holds_the_one_that_was_given(world: World) -> None:
    made = await backed_up(world, **CLASSIC)
    given = '{"fields":{"stars":{"facetable":false}},"corsOptions":null}'
    report = await world.preflight(made, patch=given)
    assert report.patch == msgspec.json.decode(given) | {
        "similarity": {"@odata.type": "#Microsoft.Azure.Search.BM25Similarity"}
    }


async def test_no_patch_is_offered_where_none_is_needed(world: World) -> None:
    made = await backed_up(world)
    assert (await world.preflight(made)).patch is None


async def test_an_index_behind_an_alias_is_not_replaced_in_place(world: World) -> None:
    made = await backed_up(world)
    await world.fill(hotels.DEFINITION, hotels.hotels(5), service=WEST)
    await world.west.point_alias("guests", "hotels", before=None)
    asked = {"index": "hotels", "mode": "replace", "in_place": True}
    assert "guests" in failed(await world.preflight(made, **asked))["aliases"]
    with pytest.raises(ConflictError, match="guests"):
        await world.restore(made, **asked)
    assert await world.west.count("hotels") == 5


async def test_an_old_index_that_another_alias_leads_to_is_not_promised_to_be_deleted(world: World) -> None:
    made = await backed_up(world)
    await world.fill(hotels.DEFINITION, hotels.hotels(5), service=WEST)
    for alias in ("guests", "visitors"):
        await world.west.point_alias(alias, "hotels", before=None)
    asked = {"index": "guests", "mode": "replace"}
    assert "visitors" in failed(await world.preflight(made, delete_old=True, **asked))["aliases"]
    assert failed(await world.preflight(made, **asked)) == {}
