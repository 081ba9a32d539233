from typing import Any

import pytest

from tests.emulator.calls import PREVIEW, Caller, plain, things

SMALLEST = {"name": "things", "fields": [{"name": "id", "type": "Edm.String", "key": True, "searchable": False}]}
RECORDED: dict[str, Any] = {
    "name": "things",
    "defaultScoringProfile": None,
    "fields": [
        {
            "name": "id",
            "type": "Edm.String",
            "searchable": False,
            "filterable": True,
            "retrievable": True,
            "sortable": True,
            "facetable": True,
            "key": True,
            "indexAnalyzer": None,
            "searchAnalyzer": None,
            "analyzer": None,
            "synonymMaps": [],
        }
    ],
    "scoringProfiles": [],
    "corsOptions": None,
    "suggesters": [],
    "analyzers": [],
    "tokenizers": [],
    "tokenFilters": [],
    "charFilters": [],
    "encryptionKey": None,
    "similarity": {"k1": None, "b": None},
}
"""What the service gave for SMALLEST in recorded traffic of the SDKs' tests, in its order."""


async def test_a_definition_reads_back_as_it_was_recorded(east: Caller) -> None:
    created = await east.create(SMALLEST, "2020-06-30")
    assert created.body == RECORDED
    assert list(created.body) == list(RECORDED)
    assert list(created.body["fields"][0]) == list(RECORDED["fields"][0])
    assert (await east.call("GET", "/indexes/things", version="2020-06-30")).body == RECORDED
    assert created.headers["ETag"].startswith('W/"0x8D')
    assert created.headers["Location"] == f"{east.endpoint}/indexes('things')?api-version=2020-06-30"


async def test_a_newer_version_has_more_members(east: Caller) -> None:
    await east.create(SMALLEST)
    newest = (await east.call("GET", "/indexes/things")).body
    assert newest.keys() - RECORDED.keys() == {"description", "normalizers", "semantic", "vectorSearch"}
    more = {"normalizer", "dimensions", "vectorSearchProfile", "stored", "vectorEncoding"}
    assert newest["fields"][0].keys() - RECORDED["fields"][0].keys() == more
    preview = (await east.call("GET", "/indexes/things", version=PREVIEW)).body
    assert preview.keys() - newest.keys() == {
        "permissionFilterOption",
        "purviewEnabled",
        "sharePointConnectorAppRegistration",
    }


async def test_defaults_follow_the_type(east: Caller) -> None:
    await east.create(things())
    fields = {field["name"]: field for field in (await east.call("GET", "/indexes/things")).body["fields"]}
    shown = {
        name: "".join(letter for letter in ("searchable", "filterable", "sortable", "facetable") if field.get(letter))
        for name, field in fields.items()
    }
    assert shown["name"] == "searchablefilterablesortablefacetable"
    assert shown["flag"] == shown["rate"] == "filterablesortablefacetable"
    assert shown["place"] == "filterablesortable"
    assert shown["tags"] == "searchablefilterablefacetable"
    assert shown["vector"] == "searchable"
    assert list(fields["rooms"]) == ["name", "type", "fields"]
    assert fields["rooms"]["fields"][0]["sortable"] is False


@pytest.mark.parametrize(
    ("change", "version"),
    [
        ({"unknown": 1}, PREVIEW),
        ({"permissionFilterOption": "enabled"}, "2026-04-01"),
        ({"description": "d"}, "2024-07-01"),
        ({"vectorSearch": {}}, "2020-06-30"),
    ],
)
async def test_a_member_the_version_does_not_know_is_refused(
    east: Caller, change: dict[str, Any], version: str
) -> None:
    answer = await east.create(plain() | change, version)
    assert answer.status == 400
    assert f"The property '{next(iter(change))}' does not exist on type 'Microsoft.Azure.Search.V" in answer.message


async def test_a_field_member_the_version_does_not_know_is_refused(east: Caller) -> None:
    for member, version in (("stored", "2023-11-01"), ("permissionFilter", "2026-04-01"), ("colour", PREVIEW)):
        assert (await east.create(plain("things", **{member: None}), version)).status == 400


async def test_a_read_back_definition_makes_the_same_index_elsewhere(east: Caller, small: Caller) -> None:
    await east.create(things(scoringProfiles=[{"name": "p", "text": {"weights": {"name": 2.0}}}]))
    definition = (await east.call("GET", "/indexes/things")).body
    accept = {"Accept": "application/json;odata.metadata=minimal"}
    whole = (await east.call("GET", "/indexes/things", headers=accept)).body
    assert (await small.create(whole, "2026-04-01")).status == 201
    assert (await small.call("GET", "/indexes/things")).body == definition


async def test_put_answers_with_the_definition_only_if_asked(east: Caller) -> None:
    wanted = {"Prefer": "return=representation"}
    assert (await east.call("PUT", "/indexes/things", plain())).status == 201
    quiet = await east.call("PUT", "/indexes/things", plain())
    assert (quiet.status, quiet.raw) == (204, b"")
    told = await east.call("PUT", "/indexes/things", plain(), headers=wanted)
    assert (told.status, told.body["name"]) == (200, "things")
    assert (await east.call("PUT", "/indexes/other", plain())).status == 400


async def test_cors_options_read_back_without_an_age_that_nobody_gave(east: Caller) -> None:
    created = await east.create(plain() | {"corsOptions": {"allowedOrigins": ["*"]}})
    assert created.body["corsOptions"] == {"allowedOrigins": ["*"], "maxAgeInSeconds": None}
