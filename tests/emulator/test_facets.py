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
        ("made,interval:week", [("2019-12-30T00:00:00Z", 1), ("2020-01-20T00:00:00Z", 1), ("2021-05-03T00:00:00Z", 1)]),
        ("made,interval:quarter", [("2020-01-01T00:00:00Z", 2), ("2021-04-01T00:00:00Z", 1)]),
        (
            "made,interval:day,timeoffset:-11:00",
            [("2020-01-04T11:00:00Z", 1), ("2020-01-19T11:00:00Z", 1), ("2021-05-04T11:00:00Z", 1)],
        ),
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


async def test_numbers_that_are_none_and_the_ends_of_time_have_facets_too(loaded: Caller) -> None:
    rates = ["NaN", "INF", "-INF", 1.5]
    dates = ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"]
    await loaded.upload([{"id": f"r{at}", "rate": rate} for at, rate in enumerate(rates)])
    await loaded.upload([{"id": f"m{at}", "made": date} for at, date in enumerate(dates)])
    facets = ["rate,sort:value", "made,interval:year"]
    found = (await loaded.search({"facets": facets, "top": 0})).body["@search.facets"]
    assert [bucket["value"] for bucket in found["rate"]] == ["-INF", 1.5, "INF", "NaN"]
    assert [bucket["value"] for bucket in found["made"]] == ["0001-01-01T00:00:00Z", "9999-01-01T00:00:00Z"]
    ranges = (await loaded.search({"facets": ["rate,values:0"], "top": 0})).body["@search.facets"]["rate"]
    assert [bucket["count"] for bucket in ranges] == [1, 2]
    steps = (await loaded.search({"facets": ["rate,interval:1"], "top": 0})).body["@search.facets"]["rate"]
    assert steps == [{"count": 1, "value": 1.0}]


@pytest.mark.parametrize(
    "expression",
    [
        "unknown",
        "text",
        "name,values:a|b",
        "name,interval:5",
        "flag,interval:1",
        "small,values:a",
        "small,interval:day",
        "rate,interval:0",
        "rate,count:0",
        "rate,count:x",
        "rate,sort:up",
        "rate,interval:1,values:1|2",
        "rate,step:1",
        "made,interval:5",
        "made,interval:decade",
        "made,values:yesterday",
        "made,interval:day,timeoffset:noon",
    ],
)
async def test_a_facet_that_cannot_be_is_refused(loaded: Caller, expression: str) -> None:
    await loaded.upload(DOCUMENTS)
    answer = await loaded.search({"facets": [expression], "top": 0})
    assert answer.status == 400, answer.raw
    assert answer.message.endswith("\r\nParameter name: facet")
