"""Indexes that use what a version of the API does not know."""

import aiohttp
import pytest

from emulator.server import running
from emulator.service import EmulatedService
from tests.emulator.calls import NEWEST, PREVIEW, Caller, plain

PROTECTED = plain("guarded") | {"permissionFilterOption": "enabled"}
PROTECTED["fields"] = [
    *PROTECTED["fields"],
    {"name": "readers", "type": "Collection(Edm.String)", "permissionFilter": "userIds"},
]
REQUESTS = [
    ("GET", "/indexes/guarded"),
    ("GET", "/indexes/guarded/stats"),
    ("GET", "/indexes/guarded/docs/$count"),
    ("GET", "/indexes/guarded/docs/1"),
    ("GET", "/indexes/guarded/docs"),
    ("DELETE", "/indexes/guarded"),
    ("GET", "/indexes/other-name/docs/$count"),
]


@pytest.mark.parametrize("lists", [False, True])
async def test_a_version_refuses_an_index_that_is_newer_than_itself(
    session: aiohttp.ClientSession, *, lists: bool
) -> None:
    setup = EmulatedService(name="east", newer_indexes="refused in lists" if lists else "refused")
    async with running([setup]) as emulator:
        east = Caller(session, emulator.endpoint("east"))
        await east.create(plain())
        await east.create(PROTECTED)
        await east.call("PUT", "/aliases/other-name", {"name": "other-name", "indexes": ["guarded"]})
        for method, path in REQUESTS:
            refused = await east.call(method, path, version=NEWEST)
            assert (refused.status, refused.body["error"]["code"]) == (400, "FeatureNotSupportedInApiVersion"), path
            assert "created with a newer version" in refused.message
        assert (await east.call("GET", "/indexes/things", version=NEWEST)).status == 200
        assert (await east.call("GET", "/indexes/guarded", version=PREVIEW)).status == 200
        assert (await east.call("GET", "/indexes", version=NEWEST)).status == (400 if lists else 200)


async def test_or_leaves_out_what_it_does_not_know(east: Caller) -> None:
    await east.create(PROTECTED)
    shown = (await east.call("GET", "/indexes/guarded", version=NEWEST)).body
    assert "permissionFilterOption" not in shown


@pytest.mark.parametrize(
    "member", ["sensitivityLabelId", "sensitivityLabelName", "sourceDocumentId", "sharepointSiteUrl"]
)
async def test_members_of_2026_05_01_preview(east: Caller, member: str) -> None:
    definition = plain()
    definition["fields"][1][member] = True
    assert (await east.create(definition, version="2025-11-01-preview")).status == 400
    created = await east.create(definition, version="2026-05-01-preview")
    assert created.body["fields"][1][member] is True
    assert member not in (await east.call("GET", "/indexes/things", version=NEWEST)).body["fields"][1]


async def test_whether_a_key_is_the_service_s_own_is_shown_in_preview_versions_only(east: Caller) -> None:
    key = {"keyVaultKeyName": "k", "keyVaultUri": "https://contoso.vault.azure.net", "isServiceLevelKey": True}
    await east.create(plain() | {"encryptionKey": key})
    for version, has in ((NEWEST, False), (PREVIEW, True)):
        shown = (await east.call("GET", "/indexes/things", version=version)).body["encryptionKey"]
        assert ("isServiceLevelKey" in shown) is has


async def test_knowledge_is_counted_in_preview_versions_only(east: Caller) -> None:
    for version, has in ((NEWEST, False), ("2025-11-01-preview", False), ("2026-05-01-preview", True)):
        counters = (await east.call("GET", "/servicestats", version=version)).body["counters"]
        assert ({"knowledgeSourcesCount", "knowledgeBasesCount"} <= counters.keys()) is has


async def test_labelled_documents_are_left_out_unless_reading_is_elevated(east: Caller) -> None:
    definition = plain() | {"purviewEnabled": True}
    definition["fields"] = [*definition["fields"], {"name": "label", "type": "Edm.String", "sensitivityLabel": True}]
    await east.create(definition)
    for document in ({"id": "free"}, {"id": "secret", "label": "5b7c"}):
        body = {"value": [{"@search.action": "upload", **document}]}
        written = await east.call(
            "POST", "/indexes/things/docs/index", body, key=None, headers={"Authorization": "Bearer loader"}
        )
        assert written.status == 200
    reader, elevated = {"Authorization": "Bearer reader"}, {"x-ms-enable-elevated-read": "true"}
    loader = {"Authorization": "Bearer loader"} | elevated
    query = {"search": "*", "orderby": "id", "select": "id"}
    assert (await east.search(query, key=None, headers=reader)).documents == [{"id": "free"}]
    assert (await east.call("GET", "/indexes/things/docs/secret", key=None, headers=reader)).status == 404
    assert (await east.search(query, key=None, headers=reader | elevated)).status == 403
    assert [each["id"] for each in (await east.search(query, key=None, headers=loader)).documents] == ["free", "secret"]
