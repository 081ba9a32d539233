from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator import definitions, odata
from emulator.filters import ROOT, Filter
from emulator.index import Index
from emulator.indexing import Reader, decide
from emulator.searching import bound_filter
from emulator.storage import Database
from emulator.versions import ApiVersion
from tests.emulator.calls import Caller, things

DATES = ["2020-01-01T00:00:00Z", "2020-01-01T00:00:00.001Z", "1999-12-31T23:59:59.999Z"]
TEXTS = ["", "a", "B", "b", "it's", "é", "zz"]
NUMBERS = st.sampled_from([-1.5, 0.0, 2.0, 1e300])
DOCUMENTS = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "name": st.none() | st.sampled_from(TEXTS),
            "flag": st.none() | st.booleans(),
            "small": st.none() | st.integers(-2, 2),
            "rate": st.none() | NUMBERS | st.sampled_from(["NaN", "INF", "-INF"]),
            "made": st.none() | st.sampled_from(DATES),
            "tags": st.lists(st.sampled_from(TEXTS), max_size=2),
            "address": st.none() | st.fixed_dictionaries({}, optional={"city": st.sampled_from(TEXTS)}),
        },
    ),
    max_size=6,
)


def quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


COMPARISONS = st.sampled_from(["eq", "ne", "gt", "ge", "lt", "le"])
EQUALITIES = st.sampled_from(["eq", "ne"])
CLAUSES = st.one_of(
    st.builds("name {} {}".format, COMPARISONS, st.sampled_from(TEXTS).map(quoted)),
    st.builds("address/city {} {}".format, COMPARISONS, st.sampled_from(TEXTS).map(quoted)),
    st.builds("small {} {}".format, COMPARISONS, st.integers(-2, 2)),
    st.builds("{1} {0} small".format, COMPARISONS, st.integers(-2, 2)),
    st.builds("rate {} {}".format, COMPARISONS, st.sampled_from(["0.0", "2", "INF", "-INF", "NaN"])),
    st.builds("made {} {}".format, COMPARISONS, st.sampled_from(DATES)),
    st.builds("flag {} {}".format, EQUALITIES, st.sampled_from(["true", "false", "null"])),
    st.builds("{} {} null".format, st.sampled_from(["name", "small", "rate", "made"]), COMPARISONS),
    st.builds("search.in(name, {})".format, st.lists(st.sampled_from(["a", "b", "zz"])).map(",".join).map(quoted)),
    st.builds("tags/any(t: t {} {})".format, COMPARISONS, st.sampled_from(TEXTS).map(quoted)),
    st.sampled_from(["flag", "tags/any()", "tags/all(t: t ne 'a')"]),
)
FILTERS = st.recursive(
    CLAUSES,
    lambda inner: st.one_of(
        st.builds("({}) and ({})".format, inner, inner),
        st.builds("({}) or ({})".format, inner, inner),
        st.builds("not ({})".format, inner),
    ),
    max_leaves=4,
)


def index_of(documents: list[dict[str, Any]]) -> Index:
    definition = definitions.normalised(things(), ApiVersion("2026-04-01"))
    index = Index(definition, '"1"', Database(None, "x"))
    reader = Reader(index.schema)
    if documents:
        body = orjson.dumps({"value": [{"id": f"k{at}", **one} for at, one in enumerate(documents)]})
        outcome = decide(index, reader, reader.actions(body, unsafe_keys=False), lambda _key: None)
        index.write(outcome.upserts, outcome.deleted, 0.0, 0.0)
    return index


@given(documents=DOCUMENTS, text=FILTERS)
def test_sql_and_python_agree_on_every_filter(documents: list[dict[str, Any]], text: str) -> None:
    index = index_of(documents)
    compiler = Filter(index.schema, index.table, lambda *_: lambda _document: 1.0)
    predicate = compiler.predicate(odata.parse_filter(text), {ROOT: None})
    found = [index.full(row.visible, row.hidden) for row in index.table.find(bound_filter(index, text, elevated=True))]
    everything = index.documents([f"k{at}" for at in range(len(documents))]).values()
    assert {one["id"] for one in found} == {one["id"] for one in everything if predicate({ROOT: one})}
    index.table.database.close()


@pytest.fixture
async def travel(loaded: Caller) -> Caller:
    point = {"type": "Point", "coordinates": [-122.0, 47.0]}
    await loaded.upload(
        [
            {
                "id": "a",
                "large": 2**63 - 1,
                "rate": 1e308,
                "small": 1,
                "place": point,
                "rooms": [{"price": 50, "beds": [{"kind": "twin"}]}, {"price": 200}],
            },
            {"id": "b", "rooms": [{"price": 90, "beds": [{"kind": "king"}]}], "text": "sea view"},
        ]
    )
    return loaded


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("rooms/any(r: r/price lt 60)", "a"),
        ("rooms/all(r: r/price lt 100)", "b"),
        ("rooms/any(r: r/price lt 100 and r/beds/any(b: b/kind eq 'king'))", "b"),
        ("rooms/any(r: r/beds/any())", "ab"),
        ("not rooms/any(r: r/beds/any(b: search.in(b/kind, 'twin')))", "b"),
        ("geo.distance(place, geography'POINT(-122 47.1)') le 12", "a"),
        ("geo.distance(place, geography'POINT(-122 47.1)') le 11", ""),
        ("geo.intersects(place, geography'POLYGON((-123 46, -121 46, -121 48, -123 48, -123 46))')", "a"),
        ("search.ismatch('sea')", "b"),
        ("large lt 99999999999999999999", "a"),
        (f"rate lt {'9' * 5000} and small gt -{'9' * 5000}", "a"),
        ("search.ismatch('view -sea', 'text', 'simple', 'all') or id eq 'a'", "a"),
    ],
)
async def test_a_filter_finds(travel: Caller, text: str, keys: str) -> None:
    answer = await travel.search({"filter": text, "orderby": "id"})
    assert answer.status == 200, answer.raw
    assert "".join(one["id"] for one in answer.documents) == keys


@pytest.mark.parametrize(
    "text",
    [
        "text eq 'x'",
        "missing eq 1",
        "small eq 'x'",
        "flag gt true",
        "made gt 'yesterday'",
        "tags eq 'x'",
        "rooms/price eq 1",
        "rooms/beds/any(b: b/kind eq 'x')",
        "name eq text",
        "contains(name, 'x')",
        "geo.distance(place, geography'POINT(1 2)') eq 1",
        "geo.distance(name, geography'POINT(1 2)') le 1",
        "geo.intersects(name, geography'POLYGON((0 0, 1 0, 1 1, 0 0))')",
        "search.ismatch('x', 'missing')",
        "search.ismatch('x', 'small')",
        "search.ismatch('x', 'text', 'clever')",
        "tags/any(t: t eq 'x' and name eq 'y')",
        "tags/any(t: " * 101 + "t" + ")" * 101,
        "not " * 3000 + "flag",
        "made gt 0001-01-01T00:00:00+14:00",
        "vector/any(v: v eq 1)",
        "small",
        "id eq",
        "search.in(small, '1')",
        "search.in(name)",
    ],
)
async def test_a_filter_is_refused(loaded: Caller, text: str) -> None:
    answer = await loaded.search({"filter": text})
    assert answer.status == 400, text
    assert answer.message.startswith("Invalid expression: ")
    assert answer.message.endswith("\r\nParameter name: $filter")


def test_a_filter_on_the_key_uses_its_index() -> None:
    index = index_of([])
    selection = bound_filter(index, "id gt 'a' and id le 'b'", elevated=True)
    ordered = f"FROM {index.table.name} WHERE {selection.where} ORDER BY key LIMIT 1"
    statement = f"EXPLAIN QUERY PLAN SELECT visible {ordered}"  # what the emulator itself runs
    plan = index.table.database.connection.execute(statement, selection.parameters).fetchall()
    assert "USING INDEX" in plan[0][3]
    assert "key>" in plan[0][3]
    index.table.database.close()
