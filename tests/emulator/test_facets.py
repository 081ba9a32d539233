import pytest

from tests.emulator.calls import Caller

DOCUMENTS: list[dict[str, object]] = [
    {"id": "a", "name": "x", "tags": ["p", "q", "q"], "rate": 1.5, "made": "2020-01-05T10:00:00Z", "flag": True},
    {"id": "b", "name": "y", "tags": ["q"], "rate": 2.5, "made": "2020-01-20T10:00:00Z", "flag": True},
    {"id": "c", "name": "x", "tags": [], "rate": 7, "made": "2021-05-05T10:00:00Z", "flag": False},
    {"id": "d"},
]


@pytest.mark.parametrize(
    ("expression", "buckets"),
    [
        ("name", [("x", 2), ("y", 1)]),
        ("name,sort:-count", [("y", 1), ("x", 2)]),
        ("name,sort:-value", [("y", 1), ("x", 2)]),
        ("name,count:1", [("x", 2)]),
        ("tags", [("q", 2), ("p", 1)]),
        ("flag", [(True, 2), (False, 1)]),
        ("rate,interval:2", [(0.0, 1), (2.0, 1), (6.0, 1)]),
        ("made,interval:month", [("2020-01-01T00:00:00Z", 2), ("2021-05-01T00:00:00Z", 1)]),
        ("made,interval:year", [("2020-01-01T00:00:00Z", 2), ("2021-01-01T00:00:00Z", 1)]),
        ("made,sort:value,count:1", [("2020-01-05T10:00:00Z", 1)]),
    ],
)
async def test_a_facet_counts(loaded: Caller, expression: str, buckets: list[tuple[object, int]]) -> None:
    await loaded.upload(DOCUMENTS)
    answer = await loaded.search({"facets": [expression], "top": 0})
    found = answer.body["@search.facets"][expression.partition(",")[0]]
    assert [(bucket["value"], bucket["count"]) for bucket in found] == buckets


async def test_facet_ranges_are_open_at_both_ends(loaded: Caller) -> None:
    await loaded.upload(DOCUMENTS)
    answer = await loaded.search({"facets": ["rate,values:2|5"], "top": 0})
    assert answer.body["@search.facets"]["rate"] == [
        {"count": 1, "to": 2.0},
        {"count": 1, "from": 2.0, "to": 5.0},
        {"count": 1, "from": 5.0},
    ]


async def test_facets_count_what_was_found_and_not_the_page(loaded: Caller) -> None:
    await loaded.upload(DOCUMENTS)
    answer = await loaded.search({"filter": "rate gt 2", "facets": ["name", "tags"], "top": 1})
    assert answer.body["@search.facets"] == {
        "name": [{"count": 1, "value": "x"}, {"count": 1, "value": "y"}],
        "tags": [{"count": 1, "value": "q"}],
    }
