import asyncio

from tests.emulator.calls import Caller


async def test_requests_are_counted_by_operation_and_status(loaded: Caller) -> None:
    await loaded.call("DELETE", "/$emulator/requests", version=None)
    await loaded.upload([{"id": "a"}])
    for query in ({"search": "*"}, {"search": "*"}, {"skip": -1}):
        await loaded.search(query)
    requests = (await loaded.overview())["requests"]
    assert requests["index_documents"] == {"requests": 1, "statuses": {"200": 1}, "most_at_once": 1}
    assert requests["search"] == {"requests": 3, "statuses": {"200": 2, "400": 1}, "most_at_once": 1}


async def test_the_most_requests_at_once_is_kept(loaded: Caller) -> None:
    await loaded.faults({"fault": "latency", "seconds": 3600, "operation": "search"})
    four = [asyncio.create_task(loaded.search({"search": "*"})) for _ in range(4)]
    async with asyncio.timeout(300):
        while (await loaded.overview())["requests"].get("search", {}).get("requests") != 4:
            assert not any(one.done() for one in four)
    await loaded.faults()
    await asyncio.gather(*four)
    for _ in range(2):
        await loaded.search({"search": "*"})
    assert (await loaded.overview())["requests"]["search"]["most_at_once"] == 4


async def test_rules_say_how_often_they_fired(loaded: Caller) -> None:
    await loaded.faults({"fault": "unavailable", "operation": "search", "times": 2})
    for _ in range(3):
        await loaded.search({"search": "*"})
    overview = await loaded.overview()
    assert overview["service"] == "east"
    (entry,) = overview["faults"]
    assert (entry["matched"], entry["fired"]) == (3, 2)
    assert entry["rule"]["fault"] == "unavailable"


async def test_a_rule_that_makes_no_sense_is_refused(east: Caller) -> None:
    wrong: list[list[dict[str, object]]] = [
        [{"fault": "fire"}],
        [{"fault": "reset", "unknown": 1}],
        [{"fault": "reset", "path": "("}],
        [{"fault": "item", "key": "["}],
        [{"fault": "item", "status": 500}],
        [{"fault": "reset", "probability": 7}],
        [{"fault": "short_page", "documents": 0}],
        [{"fault": "latency", "seconds": -1}],
        [{}],
    ]
    for rules in wrong:
        answer = await east.call("POST", "/$emulator/faults", {"rules": rules}, version=None)
        assert answer.status == 400, rules
    assert (await east.call("POST", "/$emulator/other", {}, version=None)).status == 404
