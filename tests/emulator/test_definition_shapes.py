import pytest

from tests.emulator.calls import PREVIEW, Caller, plain

WRONG_IN_AN_INDEX: list[dict[str, object]] = [
    {"analyzers": 5},
    {"analyzers": [5]},
    {"analyzers": [{}]},
    {"vectorSearch": 5},
    {"vectorSearch": {"profiles": 5}},
    {"vectorSearch": {"profiles": [5]}},
    {"vectorSearch": {"algorithms": [5]}},
    {"vectorSearch": {"algorithms": [{"name": "a", "kind": "hnsw", "hnswParameters": 5}]}},
    {"scoringProfiles": 5},
    {"scoringProfiles": [5]},
    {"scoringProfiles": [{}]},
    {"scoringProfiles": [{"name": "p", "functions": [5]}]},
    {"defaultScoringProfile": []},
    {"corsOptions": 5},
    {"corsOptions": {}},
    {"suggesters": [5]},
    {"suggesters": [{}]},
    {"similarity": 5},
    {"semantic": 5},
    {"semantic": {"configurations": [5]}},
    {"semantic": {"configurations": [{"name": "c", "prioritizedFields": {"titleField": 5}}]}},
    {"encryptionKey": 5},
    {"description": 5},
    {"purviewEnabled": 5},
    {"permissionFilterOption": 5},
    {"name": []},
    {"fields": {}},
    {"fields": [5]},
]
WRONG_IN_A_FIELD: list[dict[str, object]] = [
    {"searchable": "yes"},
    {"filterable": 5},
    {"key": "true"},
    {"synonymMaps": 5},
    {"synonymMaps": [[]]},
    {"analyzer": 5},
    {"normalizer": []},
    {"dimensions": "3"},
    {"type": 5},
    {"fields": 5},
]
WRONG_ELSEWHERE: list[tuple[str, dict[str, object]]] = [
    ("synonymmaps", {"name": []}),
    ("synonymmaps", {"name": "x", "synonyms": 5}),
    ("aliases", {"name": []}),
    ("aliases", {"name": "x", "indexes": [[]]}),
    ("datasources", {"name": []}),
    ("datasources", {"name": "x", "type": "azureblob", "container": {"name": "c"}, "credentials": 5}),
    ("datasources", {"name": "x", "type": "t", "container": {"name": "c"}, "credentials": {"connectionString": 5}}),
    ("indexers", {"name": []}),
    ("indexers", {"name": "x", "dataSourceName": [], "targetIndexName": "x"}),
    ("skillsets", {"name": []}),
    ("skillsets", {"name": "x", "skills": [5]}),
    ("knowledgesources", {"name": []}),
    ("knowledgesources", {"name": "x", "kind": "searchIndex", "searchIndexParameters": 5}),
    ("knowledgebases", {"name": []}),
    ("knowledgebases", {"name": "x", "knowledgeSources": [5]}),
]


@pytest.mark.parametrize("change", WRONG_IN_AN_INDEX, ids=str)
async def test_an_index_with_a_member_of_the_wrong_type_is_refused(change: dict[str, object], east: Caller) -> None:
    answer = await east.create(plain() | change)
    assert answer.status == 400, answer.raw
    assert answer.message.startswith("The request is invalid. Details: index : ")
    assert (await east.call("GET", "/indexes")).body["value"] == []


@pytest.mark.parametrize("change", WRONG_IN_A_FIELD, ids=str)
async def test_a_field_with_a_member_of_the_wrong_type_is_refused(change: dict[str, object], east: Caller) -> None:
    definition = plain()
    definition["fields"][1] |= change
    assert (await east.create(definition)).status == 400


@pytest.mark.parametrize(("kind", "body"), WRONG_ELSEWHERE, ids=str)
async def test_another_definition_with_a_member_of_the_wrong_type_is_refused(
    kind: str, body: dict[str, object], east: Caller
) -> None:
    answer = await east.call("POST", f"/{kind}", body, version=PREVIEW)
    assert answer.status == 400, answer.raw
    assert answer.message.startswith("The request is invalid. Details: ")
    assert (await east.call("GET", f"/{kind}", version=PREVIEW)).body["value"] == []
