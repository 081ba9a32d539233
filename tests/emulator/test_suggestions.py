import pytest

from tests.emulator.calls import Caller, things


@pytest.fixture
async def suggesting(east: Caller) -> Caller:
    await east.create(things(suggesters=[{"name": "sg", "sourceFields": ["text", "name"]}]))
    await east.upload(
        [
            {"id": "a", "name": "Roach Motel", "text": "Cheapest hotel in town. In fact, a motel."},
            {"id": "b", "name": "Secret Motel", "text": "Ideally located"},
            {"id": "c", "name": "Modern Stay"},
        ]
    )
    return east


async def test_suggestions_give_the_text_and_the_key(suggesting: Caller) -> None:
    body = {"search": "mot", "suggesterName": "sg"}
    answer = await suggesting.call("POST", "/indexes('things')/docs/search.post.suggest", body)
    assert answer.body["value"] == [
        {"@search.text": "Cheapest hotel in town. In fact, a motel.", "id": "a"},
        {"@search.text": "Secret Motel", "id": "b"},
    ]
    path = "/indexes/things/docs/suggest?search=mot&suggesterName=sg&$top=1&$select=name&$filter=id%20gt%20'a'"
    assert (await suggesting.call("GET", path)).body["value"] == [
        {"@search.text": "Secret Motel", "name": "Secret Motel"}
    ]


async def test_completions_give_words(suggesting: Caller) -> None:
    body = {"search": "secret mo", "suggesterName": "sg"}
    answer = await suggesting.call("POST", "/indexes/things/docs/autocomplete", body)
    assert answer.body["value"] == [
        {"text": "modern", "queryPlusText": "secret modern"},
        {"text": "motel", "queryPlusText": "secret motel"},
    ]
    two = await suggesting.call("POST", "/indexes/things/docs/autocomplete", body | {"autocompleteMode": "twoTerms"})
    assert [one["text"] for one in two.body["value"]] == ["modern stay"]


@pytest.mark.parametrize("body", [{"search": "mot"}, {"search": "mot", "suggesterName": "x"}, {"suggesterName": "sg"}])
async def test_an_incomplete_request_is_refused(suggesting: Caller, body: dict[str, object]) -> None:
    for verb in ("suggest", "autocomplete"):
        assert (await suggesting.call("POST", f"/indexes/things/docs/{verb}", body)).status == 400


async def test_a_text_is_analysed(suggesting: Caller) -> None:
    body = {"text": "One's <two/>", "analyzer": "standard.lucene"}
    answer = await suggesting.call("POST", "/indexes('things')/search.analyze", body)
    assert [token["token"] for token in answer.body["tokens"]] == ["one's", "two"]
    assert (await suggesting.call("POST", "/indexes/things/analyze", {"text": "x"})).status == 400
