import itertools
import json
from typing import Any

from demo.hotels import DOCUMENTS, definition, documents
from emulator.schema import SIMPLE_TYPES, VECTOR_TYPES


def fields(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [each for field in found for each in [field, *fields(field.get("fields", []))]]


def test_index_has_a_field_of_every_type() -> None:
    types = {field["type"] for field in fields(json.loads(definition())["fields"])}
    assert types == {
        *SIMPLE_TYPES,
        *(f"Collection({name})" for name in SIMPLE_TYPES),
        *(f"Collection({name})" for name in VECTOR_TYPES),
        "Edm.ComplexType",
        "Collection(Edm.ComplexType)",
    }


def test_documents_fill_every_field_and_are_the_same_each_time() -> None:
    names = {field["name"] for field in json.loads(definition())["fields"]}
    once, again = list(documents(200)), list(documents(200))
    assert once == again
    assert all(json.loads(line).keys() == names for _key, line in once)


def test_keys_rise_and_are_as_many_as_promised() -> None:
    keys = [key for key, _line in documents()]
    assert len(keys) == DOCUMENTS >= 20_000
    assert all(before < after for before, after in itertools.pairwise(keys))
