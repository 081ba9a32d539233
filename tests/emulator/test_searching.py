import json

import pytest

from tests.emulator.calls import Caller, plain


async def keys(caller: Caller, **query: object) -> list[str]:
    return [one["id"] for one in (await caller.search({"search": "*", **query})).documents]


async def test_every_page_of_a_key_scan_holds_what_was_uploaded(loaded: Caller) -> None:
    documents = [{"id": f"{at * 7919 % 1000:04d}", "name": f"n{at}", "rate": float(at)} for at in range(1000)]
    await loaded.upload(documents)
    answer = await loaded.search({"orderby": "id", "top": 1000, "count": True})
    assert answer.body["@odata.count"] == 1000
    found = [{name: one[name] for name in ("id", "name", "rate")} for one in answer.documents]
    assert found == sorted(documents, key=lambda one: str(one["id"]))


async def test_a_rewritten_document_moves_in_the_default_order(loaded: Caller) -> None:
    await loaded.upload([{"id": key} for key in "abc"])
    assert await keys(loaded) == ["a", "b", "c"]
    await loaded.upload([{"id": "a", "name": "new"}])
    assert await keys(loaded) == ["b", "c", "a"]


@pytest.mark.parametrize(
    ("select", "shown"),
    [
        ("name,id", {"id": "a", "name": "n"}),
        (["name", "id"], {"id": "a", "name": "n"}),
        ("address/city", {"address": {"city": "Oslo"}}),
        ("address", {"address": {"city": "Oslo", "lines": []}}),
        ("rooms/beds/kind", {"rooms": [{"beds": [{"kind": "twin"}]}]}),
    ],
)
async def test_select_takes_paths(loaded: Caller, select: object, shown: dict[str, object]) -> None:
    rooms = [{"price": 1, "beds": [{"kind": "twin"}]}]
    await loaded.upload([{"id": "a", "name": "n", "address": {"city": "Oslo"}, "rooms": rooms}])
    (document,) = (await loaded.search({"select": select})).documents
    assert document == shown
    assert list(document) == list(shown)
    if isinstance(select, str):
        assert (await loaded.call("GET", f"/indexes/things/docs/a?$select={select}")).body == shown


async def test_a_complex_value_that_is_null_is_selected_as_null(loaded: Caller) -> None:
    await loaded.upload([{"id": "a"}])
    for select in ("address", "address/city"):
        assert (await loaded.search({"select": select})).documents == [{"address": None}]


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ({"select": "missing"}, "$select"),
        ({"orderby": "missing"}, "$orderby"),
        ({"orderby": "tags"}, "$orderby"),
        ({"orderby": "small down"}, "$orderby"),
        ({"orderby": "geo.distance(name, geography'POINT(0 0)')"}, "$orderby"),
        ({"facets": ["text"]}, "facet"),
        ({"facets": ["name,size:3"]}, "facet"),
        ({"searchFields": "small"}, "searchFields"),
        ({"top": -1}, "$top"),
        ({"minimumCoverage": 101}, "minimumCoverage"),
    ],
)
async def test_a_query_is_refused(loaded: Caller, query: dict[str, object], parameter: str) -> None:
    answer = await loaded.search(query)
    assert answer.status == 400
    assert answer.message.endswith(f"Parameter name: {parameter}")


@pytest.mark.parametrize(
    "body",
    [
        {"unknown": 1},
        {"search": 5},
        {"minimumCoverage": "all"},
        {"queryType": "x"},
        {"queryType": {}},
        {"searchMode": []},
        {"sessionId": 5},
        {"count": "yes"},
        {"facets": "name"},
        [],
        b"{",
        b'{"search": "\\ud800"}',
    ],
)
async def test_a_body_that_is_no_query_is_refused(loaded: Caller, body: object) -> None:
    answer = await loaded.call("POST", "/indexes/things/docs/search", body)
    assert answer.status == 400
    assert answer.message.startswith("The request is invalid. Details: ")


async def test_order_takes_several_terms_and_distance(loaded: Caller) -> None:
    def point(longitude: float) -> dict[str, object]:
        return {"type": "Point", "coordinates": [longitude, 0]}

    places = [("a", 1, 3.0), ("b", 2, 1.0), ("c", 1, 2.0)]
    await loaded.upload([{"id": key, "small": small, "place": point(at)} for key, small, at in places])
    assert await keys(loaded, orderby="small desc, id desc") == ["b", "c", "a"]
    assert await keys(loaded, orderby="geo.distance(place, geography'POINT(0 0)') desc") == ["a", "c", "b"]
    assert await keys(loaded, orderby="search.score() desc, id") == ["a", "b", "c"]


async def test_replicas_order_ties_of_a_field_their_own_way(loaded: Caller) -> None:
    await loaded.upload([{"id": f"{at:02d}", "small": at // 10} for at in range(20)])
    await loaded.faults({"fault": "replicas", "replicas": 2})
    orders = {json.dumps(await keys(loaded, orderby="small", sessionId=session)) for session in "abcdefgh"}
    assert len(orders) == 2
    for order in orders:
        assert sorted(json.loads(order)[:10]) == [f"{at:02d}" for at in range(10)]


async def test_a_get_asks_the_same(loaded: Caller) -> None:
    await loaded.upload([{"id": key, "small": at} for at, key in enumerate("abc")])
    asked = "search=*&$filter=small%20ge%201&$orderby=id%20desc&$top=1&$count=true&$select=id&facet=small"
    answer = await loaded.call("GET", f"/indexes/things/docs?{asked}")
    assert answer.documents == [{"id": "c"}]
    assert answer.body["@odata.count"] == 2
    assert len(answer.body["@search.facets"]["small"]) == 2
    assert (await loaded.call("GET", "/indexes/things/docs?searching=*")).status == 400


async def test_the_link_to_the_next_page_of_a_get_asks_for_all_that_the_get_asked_for(loaded: Caller) -> None:
    await loaded.upload([{"id": f"k{at:02d}", "small": at} for at in range(70)])
    asked = "search=*&facet=small,count:1&facet=name&$orderby=id&$select=id"
    first = (await loaded.call("GET", f"/indexes/things/docs?{asked}")).body
    second = await loaded.call("GET", first["@odata.nextLink"].removeprefix(loaded.endpoint), version=None)
    assert [one["id"] for one in second.documents] == [f"k{at:02d}" for at in range(50, 70)]
    assert second.body["@search.facets"] == first["@search.facets"]


async def test_a_point_that_cannot_be_sorted_by_is_refused(east: Caller) -> None:
    definition = plain()
    definition["fields"].append({"name": "place", "type": "Edm.GeographyPoint", "sortable": False})
    await east.create(definition)
    answer = await east.search({"orderby": "geo.distance(place, geography'POINT(0 0)')"})
    assert "not a sortable field" in answer.message


async def test_a_document_that_is_not_there_is_an_empty_404(loaded: Caller) -> None:
    answer = await loaded.call("GET", "/indexes/things/docs/none")
    assert (answer.status, answer.raw) == (404, b"")


async def test_an_index_that_is_not_there_is_named(east: Caller) -> None:
    answer = await east.search({"search": "*"}, "none")
    assert answer.status == 404
    assert answer.message == "The index 'none' for service 'east' was not found."


async def test_documents_of_several_megabytes_come_back_whole(east: Caller) -> None:
    await east.create(plain())
    text = "x" * (5 << 20)
    definition = plain()
    definition["fields"][1] |= {"filterable": False, "sortable": False, "facetable": False}
    await east.create(definition | {"name": "big"})
    for key in "ab":
        assert (await east.upload([{"id": key, "name": text}], "big")).status == 200
    answer = await east.search({"search": "*"}, "big")
    assert [len(one["name"]) for one in answer.documents] == [len(text)] * 2
