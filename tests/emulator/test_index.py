from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator import definitions
from emulator.index import Index
from emulator.indexing import Reader, decide
from emulator.schema import Field, walk
from emulator.storage import Database, Selection
from emulator.versions import ApiVersion
from tests.emulator.calls import things

VERSION = ApiVersion("2026-04-01")
ACTIONS = st.fixed_dictionaries(
    {"@search.action": st.sampled_from(["upload", "merge", "mergeOrUpload", "delete"]), "id": st.sampled_from("abcd")},
    optional={"name": st.none() | st.sampled_from("xyz"), "small": st.integers(0, 3)},
)
BATCHES = st.lists(st.lists(ACTIONS, min_size=1, max_size=5), max_size=6)
DOCUMENT = {
    "id": "a",
    "name": "n",
    "tags": ["t"],
    "address": {"city": "Oslo", "lines": ["1", "2"]},
    "rooms": [{"price": 1.0, "beds": [{"kind": "twin"}, {"kind": None}]}, {"price": None, "beds": []}],
    "vector": [1.0, 2.0, 3.0],
}


def opened(definition: dict[str, Any]) -> Index:
    return Index(definitions.normalised(definition, VERSION), '"1"', Database(None, "x"))


def applied(index: Index, actions: list[dict[str, Any]], lag: float = 0.0) -> list[int]:
    reader = Reader(index.schema)
    body = orjson.dumps({"value": actions})
    outcome = decide(index, reader, reader.actions(body, unsafe_keys=False), lambda _key: None)
    index.write(outcome.upserts, outcome.deleted, 0.0, lag)
    return [result.status_code for result in outcome.results]


def expected(model: dict[str, dict[str, Any]], action: dict[str, Any]) -> int:
    """Apply an action to a dictionary; return the status it should have."""
    given_fields = {name: value for name, value in action.items() if name != "@search.action"}
    key = action["id"]
    there = key in model
    match action["@search.action"]:
        case "delete":
            model.pop(key, None)
            return 200
        case "merge" if not there:
            return 404
        case "upload":
            model[key] = {"name": None, "small": None} | given_fields
        case _:
            model[key] = {"name": None, "small": None} | model.get(key, {}) | given_fields
    return 200 if there else 201


@pytest.mark.parametrize("lag", [0.0, 5.0])
@given(batches=BATCHES)
def test_batches_do_what_a_dictionary_would(lag: float, batches: list[list[dict[str, Any]]]) -> None:
    index = opened(things())
    model: dict[str, dict[str, Any]] = {}
    for batch in batches:
        assert applied(index, batch, lag) == [expected(model, action) for action in batch]
    if lag:
        assert index.table.totals.documents == 0
        index.settle(lag)
    found = [index.full(row.visible, row.hidden) for row in index.table.find(Selection())]
    assert {one["id"]: {name: one[name] for name in ("id", "name", "small")} for one in found} == model
    totals = index.table.totals
    assert totals.documents == len(model)
    assert totals.size == sum(len(row.visible) for row in index.table.find(Selection()))
    index.table.database.close()


def simple_paths() -> list[str]:
    fields = opened(things()).schema.fields
    return [field.path for field in walk(fields) if not field.complex and not field.key]


def hidden(fields: list[dict[str, Any]], paths: set[str], parent: str = "") -> list[dict[str, Any]]:
    shown = []
    for field in fields:
        path = f"{parent}{field['name']}"
        below = {"fields": hidden(field["fields"], paths, f"{path}/")} if "fields" in field else {}
        shown.append(field | below | ({"retrievable": False} if path in paths else {}))
    return shown


@given(paths=st.sets(st.sampled_from(simple_paths())))
def test_hiding_fields_loses_nothing(paths: set[str]) -> None:
    index = opened(things(fields=hidden(things()["fields"], paths)))
    applied(index, [DOCUMENT])
    (row,) = index.table.find(Selection())
    full = index.full(row.visible, row.hidden)
    assert {name: full[name] for name in DOCUMENT} == DOCUMENT
    visible = orjson.loads(b"{" + row.visible)
    for field in walk(index.schema.fields):
        assert not field.retrievable or reaches(visible, field)
        assert field.retrievable or not reaches(visible, field)
    index.table.database.close()


def reaches(document: dict[str, Any], field: Field) -> bool:
    """Return whether a field's name is to be found where it belongs."""
    values: list[Any] = [document]
    *parents, last = field.path.split("/")
    for name in parents:
        found = [value[name] for value in values if isinstance(value, dict) and name in value]
        values = [item for value in found for item in (value if isinstance(value, list) else [value])]
    return any(isinstance(value, dict) and last in value for value in values)


def test_a_vector_that_is_not_stored_is_dropped_from_below_a_complex_value() -> None:
    definition = things()
    gone = {"type": "Collection(Edm.Single)", "dimensions": 2, "vectorSearchProfile": "profile"}
    definition["fields"][11]["fields"].append({"name": "gone", "stored": False, "retrievable": False, **gone})
    index = opened(definition)
    applied(index, [{"id": "a", "rooms": [{"price": 1.0, "gone": [1.0, 2.0]}]}])
    assert index.documents(["a"])["a"]["rooms"] == [{"price": 1.0, "beds": []}]
    index.table.database.close()
