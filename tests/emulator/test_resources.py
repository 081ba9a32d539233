from typing import Any

import pytest

from tests.emulator.calls import Caller, plain

MINIMAL = {"Accept": "application/json;odata.metadata=minimal"}
SOURCE = {"name": "one", "type": "azureblob", "credentials": {"connectionString": "x"}, "container": {"name": "c"}}
BODIES: dict[str, dict[str, Any]] = {
    "synonymmaps": {"name": "one", "synonyms": "a, b"},
    "aliases": {"name": "one", "indexes": ["things"]},
    "datasources": SOURCE,
    "indexers": {"name": "one", "dataSourceName": "one", "targetIndexName": "things"},
    "skillsets": {"name": "one", "skills": [{"@odata.type": "#Microsoft.Skills.Text.SplitSkill", "name": "s"}]},
    "knowledgesources": {
        "name": "one",
        "kind": "searchIndex",
        "searchIndexParameters": {"searchIndexName": "things"},
    },
    "knowledgebases": {"name": "one", "knowledgeSources": [{"name": "one"}]},
}


@pytest.fixture
async def ready(east: Caller) -> Caller:
    await east.create(plain())
    for kind in ("datasources", "knowledgesources"):
        await east.call("POST", f"/{kind}", BODIES[kind])
    return east


@pytest.mark.parametrize("kind", BODIES)
async def test_a_definition_lives_from_create_to_delete(ready: Caller, kind: str) -> None:
    body = BODIES[kind] | {"name": "new"}
    created = await ready.call("POST", f"/{kind}", body, headers=MINIMAL)
    assert created.status == 201, created.raw
    assert (await ready.call("POST", f"/{kind}", body)).status == 409
    got = await ready.call("GET", f"/{kind}('new')", headers=MINIMAL)
    assert got.body == created.body
    assert got.headers["ETag"] == f"W/{created.body['@odata.etag']}"
    names = (await ready.call("GET", f"/{kind}?$select=name")).body["value"]
    assert {"name": "new"} in names
    etag = {"If-Match": created.body["@odata.etag"]}
    assert (await ready.call("PUT", f"/{kind}/new", body, headers=etag)).status == 204
    assert (await ready.call("PUT", f"/{kind}/new", body, headers=etag)).status == 412
    assert (await ready.call("DELETE", f"/{kind}/new", headers=etag)).status == 412
    assert (await ready.call("DELETE", f"/{kind}/new")).status == 204
    for method in ("GET", "DELETE"):
        assert (await ready.call(method, f"/{kind}/new")).status == 404


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("synonymmaps", {"name": "x"}),
        ("synonymmaps", {"name": "x", "synonyms": "a", "colour": 1}),
        ("aliases", {"name": "things", "indexes": ["things"]}),
        ("aliases", {"name": "X", "indexes": ["things"]}),
        ("datasources", {"name": "x", "type": "azureblob"}),
        ("indexers", {"name": "x", "dataSourceName": "missing", "targetIndexName": "things"}),
        ("indexers", {"name": "x", "dataSourceName": "one", "targetIndexName": "missing"}),
        ("skillsets", {"name": "x", "skills": [{}]}),
        ("knowledgesources", {"name": "x"}),
        ("knowledgesources", {"name": "x", "kind": "searchIndex"}),
        ("knowledgebases", {"name": "x", "knowledgeSources": [{"name": "missing"}]}),
        ("knowledgebases", {}),
    ],
)
async def test_a_definition_that_does_not_hold_is_refused(ready: Caller, kind: str, body: dict[str, Any]) -> None:
    assert (await ready.call("POST", f"/{kind}", body)).status == 400


async def test_a_data_source_reads_back_as_it_was_recorded(east: Caller) -> None:
    created = await east.call("POST", "/datasources", SOURCE)
    assert created.body == {
        "name": "one",
        "description": None,
        "type": "azureblob",
        "subtype": None,
        "credentials": {"connectionString": None},
        "container": {"name": "c", "query": None},
        "dataChangeDetectionPolicy": None,
        "dataDeletionDetectionPolicy": None,
        "encryptionKey": None,
        "identity": None,
    }


async def test_an_indexer_is_kept_and_never_run(ready: Caller) -> None:
    await ready.call("POST", "/indexers", BODIES["indexers"])
    assert (await ready.call("GET", "/indexers/one/status")).body["lastResult"] is None
    assert (await ready.call("POST", "/indexers('one')/search.run")).status == 202
    status = (await ready.call("GET", "/indexers('one')/search.status")).body
    assert (status["status"], status["lastResult"]["itemsProcessed"]) == ("running", 0)
    assert (await ready.call("POST", "/indexers/one/reset")).status == 204
    assert (await ready.call("GET", "/indexers/one/status")).body["lastResult"]["status"] == "reset"
    assert (await ready.call("POST", "/indexers/none/run")).status == 404


async def test_a_knowledge_source_has_a_status(ready: Caller) -> None:
    assert (await ready.call("GET", "/knowledgesources('one')/status")).body["synchronizationStatus"] == "active"
