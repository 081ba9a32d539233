from typing import Any

import pytest

from tests.emulator.calls import Caller, plain, things

FIELDS: list[dict[str, Any]] = [
    {"name": "1st", "type": "Edm.String"},
    {"name": "with space", "type": "Edm.String"},
    {"name": "azureSearchField", "type": "Edm.String"},
    {"name": "name", "type": "Edm.String"},
    {"name": "f", "type": "Edm.Decimal"},
    {"name": "f", "type": "Edm.Int32", "searchable": True},
    {"name": "f", "type": "Collection(Edm.String)", "sortable": True},
    {"name": "f", "type": "Edm.GeographyPoint", "facetable": True},
    {"name": "f", "type": "Edm.String", "stored": False},
    {"name": "f", "type": "Edm.String", "analyzer": "mine"},
    {"name": "f", "type": "Edm.String", "normalizer": "mine"},
    {"name": "f", "type": "Edm.Int32", "normalizer": "lowercase"},
    {"name": "f", "type": "Edm.String", "synonymMaps": ["missing"]},
    {"name": "f", "type": "Edm.Single"},
    {"name": "f", "type": "Collection(Edm.Single)"},
    {"name": "f", "type": "Collection(Edm.Single)", "dimensions": 3, "vectorSearchProfile": "missing"},
    {"name": "f", "type": "Collection(Edm.Single)", "dimensions": 3, "filterable": True},
    {"name": "f", "type": "Collection(Edm.Single)", "dimensions": 3, "stored": False, "retrievable": True},
    {"name": "f", "type": "Edm.ComplexType"},
    {"name": "f", "type": "Edm.ComplexType", "fields": []},
    {"name": "f", "type": "Edm.ComplexType", "filterable": True, "fields": [{"name": "a", "type": "Edm.Int32"}]},
    {"name": "f", "type": "Edm.ComplexType", "fields": [{"name": "a", "type": "Edm.String", "key": True}]},
    {
        "name": "f",
        "type": "Collection(Edm.ComplexType)",
        "fields": [{"name": "a", "type": "Edm.Int32", "sortable": True}],
    },
    {"name": "f", "type": "Edm.String", "fields": [{"name": "a", "type": "Edm.Int32"}]},
    {"name": "f", "type": "Edm.String", "key": True},
    {"type": "Edm.String"},
    {"name": "f"},
]


@pytest.mark.parametrize("field", FIELDS, ids=str)
async def test_a_field_that_cannot_be_is_refused(east: Caller, field: dict[str, Any]) -> None:
    definition = plain()
    definition["fields"].append(field)
    answer = await east.create(definition)
    assert answer.status == 400
    assert answer.body["error"]["message"]


@pytest.mark.parametrize("name", ["", "Upper", "-dash", "dash-", "_a", "two--dashes", "a-_b", "a" * 129, "a/b"])
async def test_an_index_name_that_cannot_be_is_refused(east: Caller, name: str) -> None:
    assert (await east.create(plain(name))).status == 400


@pytest.mark.parametrize(
    "change",
    [
        {"fields": []},
        {"fields": None},
        {"defaultScoringProfile": "missing"},
        {"suggesters": [{"name": "s", "sourceFields": ["small"]}]},
        {
            "semantic": {
                "configurations": [{"name": "s", "prioritizedFields": {"titleField": {"fieldName": "missing"}}}]
            }
        },
    ],
)
async def test_a_part_that_does_not_fit_is_refused(east: Caller, change: dict[str, Any]) -> None:
    assert (await east.create(things(**change))).status == 400


@pytest.mark.parametrize("name", ["a" * 128, "idx-hotels-2024", "0_under_score"])
async def test_an_index_name_of_the_naming_rules_is_taken(east: Caller, name: str) -> None:
    assert (await east.create(plain(name))).status == 201


async def test_an_index_has_exactly_one_key(east: Caller) -> None:
    none = await east.create(plain(key=False))
    assert none.message == (
        "The request is invalid. Details: index : Found 0 key fields in index 'things'. "
        "Each index must have exactly one key field."
    )


async def test_a_suggester_comes_with_its_fields_or_never(east: Caller) -> None:
    await east.create(plain())
    definition = plain()
    definition["suggesters"] = [{"name": "s", "sourceFields": ["name"]}]
    late = await east.call("PUT", "/indexes/things", definition)
    assert late.status == 400
    assert late.message.startswith("Fields that were already present in an index (name) cannot be referenced by a new")
    definition["fields"].append({"name": "extra", "type": "Edm.String"})
    definition["suggesters"] = [{"name": "s", "sourceFields": ["extra"]}]
    for _ in range(2):  # the second time its field is an existing one, and so is the suggester
        assert (await east.call("PUT", "/indexes/things", definition)).status == 204


async def test_a_vector_field_needs_a_profile(east: Caller) -> None:
    definition = things()
    del definition["fields"][12]["vectorSearchProfile"]
    assert "must have the property 'vectorSearchProfile' set" in (await east.create(definition)).message


async def test_an_index_is_created_once(east: Caller) -> None:
    assert (await east.create(plain())).status == 201
    again = await east.create(plain())
    assert (again.status, again.body["error"]["code"]) == (409, "ResourceNameAlreadyInUse")
