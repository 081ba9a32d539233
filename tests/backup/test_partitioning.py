import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexvault.backup.limits import Limits
from indexvault.backup.partition import Partition
from indexvault.backup.partitioners.by_bisection import SCALES, ByBisection, double_at
from indexvault.backup.partitioners.by_facets import ByFacets
from indexvault.backup.partitioners.by_field import ByField
from indexvault.backup.partitioners.by_key_prefix import CHARACTERS, ByKeyRange, ByKeySearch
from indexvault.backup.partitioners.partitioner import Partitioner
from indexvault.backup.partitioning import divide, partitioners_for
from indexvault.search.literals import literal_of
from indexvault.search.schema import Field, Schema
from tests.backup.memory_probe import MemoryProbe

FEW = 5
LIMITS = Limits(largest_partition=10, comfortable_partition=FEW)

DATES = st.datetimes().map(lambda time: f"{time:%Y-%m-%dT%H:%M:%S}.{time.microsecond // 1000:03}Z".rjust(24, "0"))
NUMBERS = st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from(["INF", "-INF", "NaN", 0.0, -0.0, 1e-308])
VALUES = {
    "Edm.DateTimeOffset": DATES,
    "Edm.Double": NUMBERS,
    "Edm.Int64": st.integers(-(2**63), 2**63 - 1),
    "Edm.Int32": st.integers(-(2**31), 2**31 - 1),
    "Edm.String": st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=5),
    "Edm.Boolean": st.booleans(),
}


@st.composite
def documents(draw: st.DrawFn, edm_type: str) -> list[dict[str, Any]]:
    """Documents with nulls, close values, and one value that many of them share."""
    values = VALUES[edm_type]
    drawn = draw(st.lists(values | st.none(), max_size=60)) + [draw(values)] * draw(st.integers(0, 30))
    return [{"id": f"k{number}", "value": value} for number, value in enumerate(draw(st.permutations(drawn)))]


async def leaves(partitioner: Partitioner, found: Sequence[dict[str, Any]]) -> tuple[MemoryProbe, list[Partition]]:
    probe = MemoryProbe(found)
    return probe, await partitioner.split(probe, Partition(documents=len(found)))


def assert_once(probe: MemoryProbe, partitions: list[Partition], found: Sequence[dict[str, Any]]) -> None:
    times = Counter(document["id"] for partition in partitions for document in probe.find(partition))
    assert times == Counter(document["id"] for document in found)


def assert_partition(probe: MemoryProbe, partitions: list[Partition], found: Sequence[dict[str, Any]]) -> None:
    assert_once(probe, partitions, found)
    assert all(partition.documents == len(probe.find(partition)) for partition in partitions)


def one_value(probe: MemoryProbe, partition: Partition) -> bool:
    return len({str(document["value"]).replace("-0.0", "0.0") for document in probe.find(partition)}) == 1


@pytest.mark.parametrize("edm_type", [each for each in VALUES if each != "Edm.Boolean"])
async def test_ranges_of_a_field_hold_each_document_once_and_are_small_or_one_value(edm_type: str) -> None:
    @settings(max_examples=40)
    @given(documents(edm_type))
    def check(found: list[dict[str, Any]]) -> None:
        partitioner = ByField("value", Field(name="value", type=edm_type), LIMITS)
        probe, partitions = drive(leaves(partitioner, found))
        assert_partition(probe, partitions, found)
        assert all(partition.documents <= FEW or one_value(probe, partition) for partition in partitions)

    check()


@pytest.mark.parametrize("edm_type", [each for each in VALUES if each != "Edm.String"])
async def test_halves_hold_each_document_once_and_are_small_or_one_value(edm_type: str) -> None:
    @settings(max_examples=40)
    @given(documents(edm_type))
    def check(found: list[dict[str, Any]]) -> None:
        partitioner = ByBisection("value", Field(name="value", type=edm_type), LIMITS)
        probe, partitions = drive(leaves(partitioner, found))
        assert_partition(probe, partitions, found)
        assert all(partition.documents <= FEW or one_value(probe, partition) for partition in partitions)

    check()


@given(documents("Edm.String"))
def test_facets_hold_each_document_once(found: list[dict[str, Any]]) -> None:
    partitioner = ByFacets("value", Field(name="value", type="Edm.String"), LIMITS)
    probe, partitions = drive(leaves(partitioner, found))
    assert_partition(probe, partitions, found)


@pytest.mark.parametrize(
    ("kind", "edm_type"),
    [
        *((ByField, each) for each in VALUES if each != "Edm.Boolean"),
        *((ByBisection, each) for each in VALUES if each != "Edm.String"),
        (ByFacets, "Edm.String"),
    ],
)
def test_a_document_that_is_given_another_value_is_still_in_one_partition(
    kind: type[ByField | ByBisection | ByFacets], edm_type: str
) -> None:
    @settings(max_examples=25)
    @given(documents(edm_type), documents(edm_type))
    def check(found: list[dict[str, Any]], changed: list[dict[str, Any]]) -> None:
        _probe, partitions = drive(leaves(kind("value", Field(name="value", type=edm_type), LIMITS), found))
        assert_once(MemoryProbe(changed), partitions, changed)

    check()


@given(st.lists(st.lists(st.sampled_from("abcdefgh"), max_size=4), max_size=40))
def test_facets_of_a_collection_miss_no_document(values: list[list[str]]) -> None:
    found = [{"id": str(number), "value": value} for number, value in enumerate(values)]
    partitioner = ByFacets("value", Field(name="value", type="Collection(Edm.String)"), LIMITS)
    probe, partitions = drive(leaves(partitioner, found))
    assert not partitioner.exact
    assert {document["id"] for partition in partitions for document in probe.find(partition)} == {
        each["id"] for each in found
    }


KEYS = st.lists(st.text("".join(sorted(CHARACTERS)[3:8]) + "aB_=-", min_size=1, max_size=6), unique=True, max_size=60)


@given(KEYS)
def test_key_ranges_hold_each_document_once(keys: list[str]) -> None:
    found = [{"id": key, "value": 1} for key in keys]
    partitioner = ByKeyRange(Field(name="id", type="Edm.String", key=True), LIMITS)
    probe, partitions = drive(leaves(partitioner, found))
    assert_partition(probe, partitions, found)
    assert all(partition.documents <= FEW for partition in partitions)


@given(st.lists(st.text("01aB", min_size=1, max_size=6), unique=True, max_size=60))
def test_prefix_queries_find_every_key_that_is_one_term(keys: list[str]) -> None:
    found = [{"id": key, "value": 1} for key in keys]
    partitioner = ByKeySearch(Field(name="id", type="Edm.String", key=True), LIMITS)
    probe, partitions = drive(leaves(partitioner, found))
    assert {document["id"] for partition in partitions for document in probe.find(partition)} == set(keys)


@given(st.integers(SCALES["Edm.Double"].first, SCALES["Edm.Double"].last - 1))
def test_doubles_are_numbered_in_their_order_and_written_exactly(number: int) -> None:
    assert double_at(number) < double_at(number + 1) or (number == -1 and double_at(-1) < 0)
    written = SCALES["Edm.Double"].literal(number)
    assert float(written.replace("INF", "inf")) == double_at(number)


def test_numbering_ends_at_infinity() -> None:
    assert double_at(SCALES["Edm.Double"].last) == math.inf
    assert double_at(SCALES["Edm.Double"].first) == -math.inf
    assert SCALES["Edm.DateTimeOffset"].literal(SCALES["Edm.DateTimeOffset"].first) == "0001-01-01T00:00:00.000Z"
    assert SCALES["Edm.DateTimeOffset"].literal(SCALES["Edm.DateTimeOffset"].last) == "9999-12-31T23:59:59.999Z"


@pytest.mark.parametrize(
    ("value", "edm_type", "literal"),
    [
        ("it's", "Edm.String", "'it''s'"),
        ("NaN", "Edm.Double", None),
        ("-INF", "Edm.Double", "-INF"),
        (1e-7, "Edm.Double", "1e-07"),
        (9007199254740993, "Edm.Int64", "9007199254740993"),
        (True, "Edm.Boolean", "true"),
        (None, "Edm.String", None),
        ({}, "Edm.GeographyPoint", None),
    ],
)
def test_values_become_literals(value: Any, edm_type: str, literal: str | None) -> None:
    assert literal_of(value, edm_type) == literal


def schema(*fields: Field) -> Schema:
    key = Field(name="id", type="Edm.String", key=True, filterable=False, sortable=False, searchable=False)
    return Schema(name="hotels", fields=(key, *fields))


def field(name: str, edm_type: str, **attributes: bool) -> Field:
    members: dict[str, Any] = {
        "filterable": False,
        "sortable": False,
        "facetable": False,
        "searchable": False,
    } | attributes
    return Field(name=name, type=edm_type, retrievable=True, **members)


async def test_what_one_partitioner_leaves_too_large_the_next_one_cuts() -> None:
    found = [
        {"id": str(number), "changed": None if number < 3 else "2026-01-01T00:00:00Z", "rating": number}
        for number in range(40)
    ]
    partitioners: list[Partitioner] = [
        ByField("changed", field("changed", "Edm.DateTimeOffset"), LIMITS),
        ByBisection("rating", field("rating", "Edm.Int32"), LIMITS),
    ]
    probe = MemoryProbe(found)
    partitioning = await divide(probe, schema(), len(found), partitioners, LIMITS)
    assert_partition(probe, list(partitioning.partitions), found)
    assert partitioning.used == tuple(partitioner.name for partitioner in partitioners)
    assert partitioning.exact
    assert not partitioning.out_of_reach


async def test_what_nothing_can_cut_is_out_of_reach_by_its_number() -> None:
    found = [{"id": str(number), "open": number % 4 == 0} for number in range(40)]
    partitioners: list[Partitioner] = [ByBisection("open", field("open", "Edm.Boolean"))]
    partitioning = await divide(MemoryProbe(found), schema(), len(found), partitioners, LIMITS)
    assert [(str(partition), partition.documents) for partition in partitioning.out_of_reach] == [("open eq false", 30)]
    assert [partition.documents for partition in partitioning.partitions] == [0, 10]


def test_partitioners_follow_the_definition_and_the_surest_comes_first() -> None:
    everything = {"filterable": True, "sortable": True, "facetable": True}
    found = partitioners_for(
        schema(
            field("name", "Edm.String", **everything),
            field("changed", "Edm.DateTimeOffset", **everything),
            field("rating", "Edm.Double", filterable=True),
            field("category", "Edm.String", filterable=True, facetable=True),
            field("place", "Edm.GeographyPoint", **everything),
        )
    )
    assert [partitioner.name for partitioner in found] == [
        "ranges of changed (DateTimeOffset)",
        "ranges of name (String)",
        "halves of rating (Double)",
        "facets of category",
        "both ends of name, changed",
    ]


def drive(answering: Any) -> Any:
    """Run to the end what never waits: hypothesis calls plain functions, inside the test's event loop."""
    try:
        answering.send(None)
    except StopIteration as stop:
        return stop.value
    raise AssertionError("it waited")
