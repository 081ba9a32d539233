import struct
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexvault.restore.values import same_document
from indexvault.search.schema import Field, Schema

SCHEMA = Schema(
    name="hotels",
    fields=(
        Field("id", "Edm.String", key=True),
        Field("stars", "Edm.Int32"),
        Field("visits", "Edm.Int64"),
        Field("rating", "Edm.Double"),
        Field("open", "Edm.Boolean"),
        Field("built", "Edm.DateTimeOffset"),
        Field("place", "Edm.GeographyPoint"),
        Field("tags", "Collection(Edm.String)"),
        Field("vector", "Collection(Edm.Single)", dimensions=3),
        Field("halves", "Collection(Edm.Half)", dimensions=3),
        Field("address", "Edm.ComplexType", fields=(Field("city", "Edm.String"), Field("since", "Edm.DateTimeOffset"))),
        Field("rooms", "Collection(Edm.ComplexType)", fields=(Field("rate", "Edm.Double"),)),
    ),
)


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return same_document(msgspec.json.encode(one), msgspec.json.encode(other), SCHEMA)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"rating": 1}, {"rating": 1.0}),
        ({"rating": "NaN"}, {"rating": "NaN"}),
        ({}, {"stars": None}),
        ({}, {"tags": []}),
        ({"address": None}, {}),
        ({"address": {"city": "Oslo"}}, {"address": {"city": "Oslo", "since": None}}),
        ({"rooms": [{"rate": 1}]}, {"rooms": [{"rate": 1.0}]}),
        ({"built": "2020-01-01T00:00:00Z"}, {"built": "2020-01-01T00:00:00.000Z"}),
        ({"built": "2020-01-01T01:00:00+01:00"}, {"built": "2020-01-01T00:00:00Z"}),
        (
            {"place": {"type": "Point", "coordinates": [1, 2]}},
            {"place": {"type": "Point", "coordinates": [1.0, 2.0], "crs": {"type": "name"}}},
        ),
        ({"vector": [0.1, 0.2, 0.3]}, {"vector": [0.10000000149011612, 0.20000000298023224, 0.30000001192092896]}),
    ],
)
def test_the_same_value_written_in_another_way_is_the_same(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert same({"id": "1"} | one, {"id": "1"} | other)
    assert same({"id": "1"} | other, {"id": "1"} | one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"id": "1"}, {"id": "2"}),
        ({"stars": 1}, {"stars": 2}),
        ({"stars": 0}, {"stars": None}),
        ({"visits": 9007199254740993}, {"visits": 9007199254740992}),
        ({"open": True}, {"open": None}),
        ({"open": False}, {}),
        ({"tags": ["a", "b"]}, {"tags": ["b", "a"]}),
        ({"tags": [""]}, {"tags": []}),
        ({"rating": 0.1}, {"rating": 0.10000000149011612}),
        ({"rating": "NaN"}, {"rating": None}),
        ({"built": "2020-01-01T00:00:00.001Z"}, {"built": "2020-01-01T00:00:00Z"}),
        ({"place": {"type": "Point", "coordinates": [1, 2]}}, {"place": {"type": "Point", "coordinates": [2, 1]}}),
        ({"vector": [0.1, 0.2, 0.3]}, {"vector": [0.1, 0.2, 0.30001]}),
        ({"address": {"city": None}}, {"address": None}),
        ({"rooms": [{"rate": 1}]}, {"rooms": [{"rate": 1}, {"rate": 1}]}),
        ({"unknown": 1}, {}),
        ({"unknown": None}, {}),
        ({"vector": [True]}, {"vector": [1.0]}),
        ({"vector": [0.1]}, {"vector": [0.1, 0.2]}),
        ({"vector": [0.1, 0.2]}, {"vector": {"0": 0.1}}),
        ({"vector": ["NaN"]}, {"vector": [0.0]}),
        ({"vector": [None]}, {"vector": []}),
        ({"halves": [70000.0]}, {"halves": [80000.0]}),
    ],
)
def test_another_value_is_a_difference(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert not same({"id": "1"} | one, {"id": "1"} | other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (b'{"id":"1","rating":1.5,"tags":["a"]}', b'{ "tags":["a"],"rating":1.50,"id":"1"}'),
        (b'{"id":"1","vector":[1,-0.0]}', b'{"id":"1","vector":[1.0, 0]}'),
        (b'{"id":"1","vector":["NaN",0.1]}', b'{"id":"1","vector":["NaN",0.10000000149011612]}'),
        (b'{"id":"1","halves":[70000.0]}', b'{"id":"1","halves":[7e4]}'),
        (b'{"id":"1","vector":null}', b'{"id":"1","vector":[]}'),
        (b'{"id":"1","unknown":[1]}', b'{"id":"1","unknown":[1 ]}'),
    ],
)
def test_the_same_document_in_other_bytes(one: bytes, other: bytes) -> None:
    assert same_document(one, other, SCHEMA)
    assert same_document(other, one, SCHEMA)


@pytest.mark.parametrize("broken", [b'{"id":"1"', b'{"id":"1"}x', b"[]", b'{"id":"\xff"}', b'{"id":1e999}'])
def test_what_can_not_be_decoded_is_the_same_only_as_itself(broken: bytes) -> None:
    assert same_document(broken, broken, SCHEMA)
    assert not same_document(broken, b'{"id":"1"}', SCHEMA)
    assert not same_document(b'{"id":"1"}', broken, SCHEMA)


@given(st.lists(st.floats(width=16, allow_nan=False, allow_infinity=False), max_size=4))
def test_a_half_written_as_a_double_is_the_same(values: list[float]) -> None:
    widened = [struct.unpack("<f", struct.pack("<f", value))[0] for value in values]
    assert same({"halves": values}, {"halves": widened})


@given(st.floats(width=32, allow_nan=False, allow_infinity=False), st.floats(width=32, allow_nan=False))
def test_two_singles_are_the_same_only_if_they_are_one_number(one: float, other: float) -> None:
    assert same({"vector": [one]}, {"vector": [other]}) == (one == other)
