from tests.emulator.calls import Caller, things


async def document(caller: Caller, key: str = "a") -> dict[str, object]:
    body = (await caller.call("GET", f"/indexes/things/docs/{key}")).body
    return {name: value for name, value in body.items() if value not in (None, [])}


async def test_an_upload_replaces_and_a_merge_keeps(loaded: Caller) -> None:
    await loaded.upload([{"id": "a", "name": "n", "small": 1, "tags": ["x"]}])
    await loaded.upload([{"@search.action": "merge", "id": "a", "small": 2, "tags": ["y"]}])
    assert await document(loaded) == {"id": "a", "name": "n", "small": 2, "tags": ["y"]}
    await loaded.upload([{"@search.action": "mergeOrUpload", "id": "a", "name": None}])
    assert await document(loaded) == {"id": "a", "small": 2, "tags": ["y"]}
    await loaded.upload([{"id": "a", "name": "m"}])
    assert await document(loaded) == {"id": "a", "name": "m"}


async def test_a_merge_goes_into_a_complex_value_and_replaces_collections(loaded: Caller) -> None:
    await loaded.upload(
        [{"id": "a", "address": {"city": "Oslo", "lines": ["1"]}, "rooms": [{"price": 1}, {"price": 2}]}]
    )
    await loaded.upload(
        [{"@search.action": "merge", "id": "a", "address": {"city": "Bergen"}, "rooms": [{"price": 3}]}]
    )
    assert await document(loaded) == {
        "id": "a",
        "address": {"city": "Bergen", "lines": ["1"]},
        "rooms": [{"price": 3.0, "beds": []}],
    }


async def test_a_merge_goes_into_a_complex_value_whatever_its_sub_fields_are_called(east: Caller) -> None:
    definition = things()
    names = ("type", "coordinates", "label")
    definition["fields"][10]["fields"] = [{"name": name, "type": "Edm.String"} for name in names]
    await east.create(definition)
    await east.upload([{"id": "a", "address": {"type": "Point", "coordinates": "1,2", "label": "here"}}])
    await east.upload([{"@search.action": "merge", "id": "a", "address": {"coordinates": "3,4"}}])
    assert await document(east) == {"id": "a", "address": {"type": "Point", "coordinates": "3,4", "label": "here"}}


async def test_one_batch_may_name_a_key_several_times(loaded: Caller) -> None:
    answer = await loaded.upload(
        [
            {"id": "a", "name": "n"},
            {"@search.action": "merge", "id": "a", "small": 1},
            {"@search.action": "delete", "id": "a"},
            {"@search.action": "merge", "id": "a", "small": 2},
            {"@search.action": "mergeOrUpload", "id": "a", "small": 3},
        ]
    )
    assert [one["statusCode"] for one in answer.body["value"]] == [201, 200, 200, 404, 201]
    assert await document(loaded) == {"id": "a", "small": 3}


async def test_deleting_what_is_not_there_succeeds(loaded: Caller) -> None:
    answer = await loaded.upload([{"@search.action": "delete", "id": "none"}])
    assert (answer.status, answer.results) == (200, {"none": 200})


async def test_unsafe_keys_are_allowed_on_request(loaded: Caller) -> None:
    batch = {"value": [{"id": "a/b c'd"}]}
    assert (await loaded.call("POST", "/indexes/things/docs/index", batch)).status == 400
    assert (await loaded.call("POST", "/indexes/things/docs/index?allowUnsafeKeys=true", batch)).status == 200
    assert (await loaded.call("GET", "/indexes/things/docs('a%2Fb%20c%27%27d')")).body["id"] == "a/b c'd"


async def test_statistics_follow_what_is_stored(loaded: Caller) -> None:
    async def statistics() -> tuple[int, int, int]:
        body = (await loaded.call("GET", "/indexes/things/stats")).body
        return body["documentCount"], body["storageSize"], body["vectorIndexSize"]

    assert await statistics() == (0, 0, 0)
    await loaded.upload([{"id": key, "vector": [1.0, 2.0, 3.0]} for key in "ab"])
    documents, size, vectors = await statistics()
    assert (documents, vectors) == (2, 24)
    await loaded.upload([{"id": "a", "vector": [1.0, 2.0, 3.0]}])
    assert await statistics() == (2, size, 24)
    await loaded.upload([{"@search.action": "delete", "id": key} for key in "ab"])
    assert await statistics() == (0, 0, 0)
