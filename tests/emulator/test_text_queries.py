import pytest

from tests.emulator.calls import Caller

DOCUMENTS: list[dict[str, object]] = [
    {"id": "a-1", "text": "A quiet hotel by the sea", "tags": ["wifi", "pool"]},
    {"id": "a-2", "text": "A loud motel", "tags": ["wifi"]},
    {"id": "b-1", "text": "Sea view rooms", "name": "Hotel Sea"},
]


@pytest.mark.parametrize(
    ("query", "keys"),
    [
        ({"search": "hotel"}, "a-1 b-1"),
        ({"search": "quiet wifi"}, "a-1 a-2"),
        ({"search": "quiet wifi", "searchMode": "all"}, "a-1"),
        ({"search": "quiet + wifi"}, "a-1"),
        ({"search": "loud | view"}, "a-2 b-1"),
        ({"search": '"sea view"'}, "b-1"),
        ({"search": "mot*"}, "a-2"),
        ({"search": "sea -quiet", "searchMode": "all"}, "b-1"),
        ({"search": "(loud | quiet) +pool"}, "a-1"),
        ({"search": "sea", "searchFields": "name"}, "b-1"),
        ({"search": "name:sea", "queryType": "full"}, "b-1"),
        ({"search": "sea AND NOT name:hotel", "queryType": "full"}, "a-1"),
        ({"search": "+sea -view", "queryType": "full"}, "a-1"),
        ({"search": "tags:(pool OR wifi)", "queryType": "full"}, "a-1 a-2"),
        ({"search": "hotl~", "queryType": "full"}, "a-1 a-2 b-1"),
        ({"search": "m?tel", "queryType": "full"}, "a-2"),
        ({"search": "text:/mo.*l/", "queryType": "full"}, "a-2"),
        ({"search": "id:a*", "queryType": "full"}, "a-1 a-2"),
        ({"search": r"id:a\-1", "queryType": "full"}, "a-1"),
        ({"search": "id:/[b-z].*/", "queryType": "full"}, "b-1"),
        ({"search": "hotel^2 OR loud", "queryType": "full"}, "a-1 a-2 b-1"),
        ({"search": "*"}, "a-1 a-2 b-1"),
        ({"search": ""}, "a-1 a-2 b-1"),
        ({"search": "hotel", "filter": "id lt 'b'"}, "a-1"),
        ({"search": "unheard"}, ""),
    ],
)
async def test_a_search_text_finds(loaded: Caller, query: dict[str, object], keys: str) -> None:
    await loaded.upload(DOCUMENTS)
    answer = await loaded.search({"orderby": "id", "count": True, **query})
    assert answer.status == 200, answer.raw
    assert [one["id"] for one in answer.documents] == keys.split()
    assert answer.body["@odata.count"] == len(keys.split())


@pytest.mark.parametrize("search", ["name:", "(sea", "/[/", "small:5", "missing:x"])
async def test_a_full_query_that_makes_no_sense_is_refused(loaded: Caller, search: str) -> None:
    await loaded.upload(DOCUMENTS)
    assert (await loaded.search({"search": search, "queryType": "full"})).status == 400


async def test_better_matches_come_first(loaded: Caller) -> None:
    await loaded.upload(DOCUMENTS)
    answer = await loaded.search({"search": "hotel sea"})
    scores = [one["@search.score"] for one in answer.body["value"]]
    assert answer.documents[0]["id"] == "b-1"
    assert scores == sorted(scores, reverse=True)
