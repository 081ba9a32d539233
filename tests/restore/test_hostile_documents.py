"""Documents whose values don't fit their fields, and texts made to keep a program busy."""

import time

import msgspec
import pytest

from indexvault.errors import SettingsError
from indexvault.restore.projection import Projection, readable
from indexvault.restore.service.names import Rules
from indexvault.restore.values import same_document
from indexvault.search.schema import Field, Schema

SCHEMA = Schema(
    name="hotels",
    fields=(
        Field("id", "Edm.String", key=True),
        Field("tags", "Collection(Edm.String)"),
        Field("built", "Edm.DateTimeOffset"),
        Field(
            "address",
            "Edm.ComplexType",
            fields=(Field("city", "Edm.String"), Field("x", "Edm.String", retrievable=False)),
        ),
        Field("hidden", "Edm.String", retrievable=False),
    ),
)
ODD = [
    b'{"id":"1","tags":1}',
    b'{"id":"1","tags":"pool"}',
    b'{"id":"1","address":5}',
    b'{"id":"1","address":"\xff"}',
    b'{"id":"1","built":"0001-01-01T00:00:00+14:00"}',
    b'{"id":"1","tags":1e999}',
    b'{"id":"1","tags":' + b"[" * 200_000 + b"]" * 200_000 + b"}",
]


@pytest.mark.parametrize("line", ODD)
def test_only_equal_bytes_are_the_same(line: bytes) -> None:
    assert same_document(line, line, SCHEMA)
    assert not same_document(line, b'{"id":"1"}', SCHEMA)
    assert not same_document(b'{"id":"1"}', line, SCHEMA)


@pytest.mark.parametrize("line", ODD)
def test_a_projection_leaves_what_does_not_fit(line: bytes) -> None:
    projected = Projection(SCHEMA, readable(SCHEMA)).project(line)
    assert projected == line


def test_a_long_rule_is_refused_at_once() -> None:
    begun = time.process_time()
    with pytest.raises(SettingsError):
        Rules(["a" * 500_000])
    assert time.process_time() - begun < 1


def test_a_value_of_a_collection_that_fits_is_compared() -> None:
    assert same_document(b'{"id":"1","tags":null}', b'{"id":"1", "tags":[]}', SCHEMA)
    assert not same_document(b'{"id":"1","tags":["a"]}', msgspec.json.encode({"id": "1", "tags": ["b"]}), SCHEMA)
