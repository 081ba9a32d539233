"""What no service would take is found in documents before they become a snapshot."""

import json
from typing import Any

import pytest
from hypothesis import given, settings

from indexvault.backup.document_check import DocumentCheck, definition_findings
from indexvault.search.schema import read_schema
from tests import hotels

NARROW: dict[str, Any] = {
    "name": "narrow",
    "fields": [
        {"name": "id", "type": "Edm.String", "key": True},
        *(
            {"name": kind, "type": f"Collection(Edm.{kind})", "dimensions": 2, "retrievable": True}
            for kind in ("Half", "Int16", "SByte", "Byte")
        ),
        {"name": "bits", "type": "Collection(Edm.Byte)", "dimensions": 20, "vectorEncoding": "packedBit"},
    ],
}


def found(document: object, definition: object = hotels.DEFINITION) -> list[str]:
    line = document if isinstance(document, bytes) else json.dumps(document).encode()
    check = DocumentCheck(read_schema(json.dumps(definition).encode(), on="test"))
    return [finding.member for finding in check.findings(line)]


def test_documents_of_every_type_pass() -> None:
    for document in hotels.hotels(50):
        assert found(document) == []
        assert found(json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()) == []


@pytest.mark.parametrize("value", ["NaN", "INF", "-INF", 1, -0.0, 1e308, None])
def test_every_form_of_a_double_passes(value: object) -> None:
    assert found({"id": "1", "rating": value}) == []


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("/stars", 2**31),
        ("/stars", -(2**31) - 1),
        ("/stars", 1.5),
        ("/stars", True),
        ("/stars", "4"),
        ("/visits", 2**63),
        ("/visits", 10**30),
        ("/rating", "nan"),
        ("/rating", "Infinity"),
        ("/rating", 10**400),
        ("/rating", False),
        ("/open", "true"),
        ("/open", 1),
        ("/name", 5),
        ("/built", "2026-11-21"),
        ("/built", "2026-11-21T10:20:30"),
        ("/built", "2026-02-30T10:20:30Z"),
        ("/built", "0001-01-01T00:00:00+01:00"),
        ("/built", 5),
        ("/place", [1, 2]),
        ("/place/coordinates", {"type": "Point"}),
        ("/place", {"type": "Polygon", "coordinates": [1, 2]}),
        ("/place/coordinates", {"type": "Point", "coordinates": [181, 2]}),
        ("/place/coordinates", {"type": "Point", "coordinates": [1, "2"]}),
        ("/tags", None),
        ("/tags", "pool"),
        ("/tags/1", ["pool", None]),
        ("/tags/0", [1]),
        ("/vector", [1, 2, 3]),
        ("/vector/2", [1, 2, "3", 4]),
        ("/vector/0", [True, 2, 3, 4]),
        ("/vector/3", [1, 2, 3, 1e39]),
        ("/vector", 4),
        ("/address", "Oslo"),
        ("/address/street", {"street": "x"}),
        ("/rooms", {"kind": "single"}),
        ("/rooms/1/rate", [{"kind": "a"}, {"rate": "cheap"}]),
        ("/foreign", 1),
    ],
)
def test_a_value_of_another_type_is_found_where_it_is(member: str, value: object) -> None:
    name = member.split("/")[1]
    assert found({"id": "1", name: value}) == [member]


@pytest.mark.parametrize("key", ["", "a b", "a\0", "ä", "_a", "a/b", "a" * 1025, "a\n"])
def test_a_key_that_no_document_can_have_is_found(key: str) -> None:
    assert found({"id": key}) == ["/id"]


@pytest.mark.parametrize("key", ["A-z_0=", "-", "=", "a" * 1024])
def test_every_key_that_a_document_can_have_passes(key: str) -> None:
    assert found({"id": key}) == []


@pytest.mark.parametrize(
    ("line", "members"),
    [
        (b'{"id":"1","name":"a","name":"b"}', ["/name"]),
        (b'{"id":"1","name" :"a","name":"b"}', ["/name"]),
        (b'{"id":"1","rooms":[{"kind":"a"},{"kind":"b","k\\u0069nd":"c"}]}', ["/kind"]),
        (b'{"id":"1","place":{"type":"Point","type":"Point","coordinates":[1,2]}}', ["/type"]),
        (b'{"id":"1","name":"\\": \\":"}', []),
        (b'{"id":"1","name":"\xff"}', [""]),
        (b'{"id":"1","rating":1e400}', [""]),
        (b'{"id":"1","rating":NaN}', [""]),
        (b"[]", [""]),
    ],
)
def test_members_given_twice_and_broken_text_are_found(line: bytes, members: list[str]) -> None:
    assert found(line) == members


@pytest.mark.parametrize(
    ("name", "value", "members"),
    [
        ("Half", [65504.0, 1], []),
        ("Half", [65536.0, 1.0], ["/Half/0"]),
        ("Int16", [-32768, 32767], []),
        ("Int16", [-32769, 0], ["/Int16/0"]),
        ("Int16", [0, 0.5], ["/Int16/1"]),
        ("SByte", [-128, 127], []),
        ("SByte", [0, 128], ["/SByte/1"]),
        ("Byte", [0, 255], []),
        ("Byte", [-1, 256], ["/Byte/0", "/Byte/1"]),
        ("bits", [1, 2, 3], []),
        ("bits", [1] * 20, ["/bits"]),
        ("Byte", None, []),
    ],
)
def test_narrow_vectors_are_held_to_their_range_and_length(name: str, value: object, members: list[str]) -> None:
    assert found({"id": "1", name: value}, NARROW) == members


def test_a_term_that_is_too_long_is_found_only_where_it_would_be_a_term() -> None:
    filterable = hotels.with_field("name", filterable=True)
    assert found({"id": "1", "name": "ä" * 16_384}, filterable) == ["/name"]
    assert found({"id": "1", "name": "ä" * 16_383}, filterable) == []
    assert found({"id": "1", "name": "ä" * 16_384}) == []


@given(documents=hotels.documents)
@settings(max_examples=50, deadline=None)
def test_whatever_the_service_takes_passes(documents: list[dict[str, Any]]) -> None:
    assert [found(document) for document in documents] == [[]] * len(documents)


def test_a_definition_says_what_no_service_would_take() -> None:
    fields = [
        {"name": "id", "type": "Edm.String", "key": True},
        {"name": "1st", "type": "Edm.String"},
        {"name": "n", "type": "Edm.Int8"},
        {"name": "n", "type": "Edm.Int32"},
        {"name": "deep", "type": "Edm.ComplexType", "fields": [{"name": "a b", "type": "Edm.String"}]},
    ]
    schema = read_schema(json.dumps({"name": "x", "fields": fields}).encode(), on="test")
    assert [each.member for each in definition_findings(schema)] == ["/1st", "/n", "/n", "/deep/a b"]
    whole = read_schema(json.dumps(hotels.DEFINITION).encode(), on="test")
    assert definition_findings(whole) == []
