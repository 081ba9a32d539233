"""Paths at which documents and definitions differ."""

from typing import Any

import msgspec
import pytest

from indexvault.snapshots.field_diff import DefinitionDifference, changed_fields, definition_differences
from indexvault.snapshots.manifest import Definition, VersionedDefinition


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (b'{"a":1}', b'{"a":1}', []),
        (b'{"a":1}', b'{"a": 1 }', []),
        (b'{"a":1}', b'{"a":1.0}', ["a"]),
        (b'{"a":1}', b'{"a":true}', ["a"]),
        (b'{"a":null}', b"{}", ["a"]),
        (b'{"a":{"b":1,"c":2}}', b'{"a":{"b":1,"c":3}}', ["a/c"]),
        (b'{"a":[{"name":"x","v":1}]}', b'{"a":[{"name":"x","v":2}]}', ["a"]),
        (b'{"a":null}', b'{"a":{"b":1}}', ["a"]),
    ],
)
def test_fields_are_named_by_their_paths(before: bytes, after: bytes, expected: list[str]) -> None:
    assert changed_fields(before, after) == expected


def definition(body: dict[str, Any], preview: dict[str, Any] | None = None, version: str = "p") -> Definition:
    return Definition(
        stable=VersionedDefinition("s", msgspec.Raw(msgspec.json.encode(body))),
        preview=None if preview is None else VersionedDefinition(version, msgspec.Raw(msgspec.json.encode(preview))),
    )


def test_definitions_are_compared_by_the_names_of_their_items() -> None:
    before = {"@odata.etag": "1", "name": "x", "fields": [{"name": "a", "facetable": True}, {"name": "b"}]}
    after = {"@odata.etag": "2", "name": "x", "fields": [{"name": "c"}, {"name": "a", "facetable": False}]}
    assert definition_differences(definition(before), definition(after)) == [
        DefinitionDifference("fields/a/facetable", "true", "false"),
        DefinitionDifference("fields/b", '{"name":"b"}', None),
        DefinitionDifference("fields/c", None, '{"name":"c"}'),
    ]


def test_the_newest_version_that_both_have_is_compared() -> None:
    stable = {"name": "x"}
    one, other = definition(stable, stable | {"new": 1}), definition(stable, stable | {"new": 2})
    assert [each.path for each in definition_differences(one, other)] == ["new"]
    assert definition_differences(one, definition(stable, stable | {"new": 2}, version="q")) == []
    assert definition_differences(one, definition(stable)) == []
