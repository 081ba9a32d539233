import asyncio
from collections import Counter

import aiohttp
import pytest

from emulator.faults import Faults, Plan, Request, Rule
from tests.emulator.calls import Caller

SEARCH = Request("search", "POST", "/indexes/things/docs/search")


def drawn(plan: Plan, times: int = 20) -> list[bool]:
    faults = Faults(plan)
    return [bool(faults.draw(SEARCH)) for _ in range(times)]


def test_the_same_seed_fails_the_same_requests() -> None:
    rules = [Rule("unavailable", probability=0.5)]
    assert drawn(Plan(rules, seed=1)) == drawn(Plan(rules, seed=1))
    assert drawn(Plan(rules, seed=1)) != drawn(Plan(rules, seed=2))
    assert 0 < sum(drawn(Plan(rules, seed=1))) < 20


def test_a_rule_fires_at_most_so_many_times_after_so_many_requests() -> None:
    assert drawn(Plan([Rule("reset", skip=2, times=3)]), 7) == [False, False, True, True, True, False, False]


@pytest.mark.parametrize(
    ("rule", "applies"),
    [
        (Rule("reset"), True),
        (Rule("reset", operation="search"), True),
        (Rule("reset", operation="look_up"), False),
        (Rule("reset", method="post"), True),
        (Rule("reset", method="GET"), False),
        (Rule("reset", path="things"), True),
        (Rule("reset", path="^/indexes/other"), False),
        (Rule("reset", probability=0.0), False),
    ],
)
def test_a_rule_chooses_its_requests(rule: Rule, applies: bool) -> None:  # noqa: FBT001  # a table's column
    assert any(drawn(Plan([rule]), 1)) is applies


@pytest.mark.parametrize(("fault", "status"), [("unavailable", 503), ("throttled", 429)])
async def test_a_busy_service_may_say_when_to_come_back(loaded: Caller, fault: str, status: int) -> None:
    await loaded.faults({"fault": fault, "times": 1}, {"fault": fault, "times": 1, "retry_after": 1.5})
    plain, timed = [await loaded.search({"search": "*"}) for _ in range(2)]
    assert (plain.status, plain.headers.get("Retry-After")) == (status, None)
    assert (timed.status, timed.headers.get("Retry-After")) == (status, "1.5")
    assert (await loaded.search({"search": "*"})).status == 200


@pytest.mark.parametrize("fault", ["unavailable", "reset", "truncated"])
@pytest.mark.parametrize("after", [False, True])
async def test_an_answer_can_be_lost_after_the_write(loaded: Caller, fault: str, after: bool) -> None:  # noqa: FBT001  # parametrised
    await loaded.faults({"fault": fault, "after": after, "operation": "index_documents"})
    if fault == "unavailable":
        assert (await loaded.upload([{"id": "a"}])).status == 503
    else:
        with pytest.raises(aiohttp.ClientError):
            await loaded.upload([{"id": "a"}])
    assert await loaded.count() == (1 if after or fault == "truncated" else 0)


async def test_a_truncated_page_breaks_off_in_its_body(loaded: Caller) -> None:
    await loaded.upload([{"id": f"k{at}", "text": "x" * 1000} for at in range(100)])
    await loaded.faults({"fault": "truncated", "times": 1})
    with pytest.raises(aiohttp.ClientPayloadError):
        await loaded.search({"search": "*"})
    assert len((await loaded.search({"search": "*"})).documents) == 50


async def test_latency_holds_the_answer_back(loaded: Caller) -> None:
    await loaded.faults({"fault": "latency", "seconds": 30})
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(loaded.search({"search": "*"}), 0.1)
    await loaded.faults()
    assert (await loaded.search({"search": "*"})).status == 200


async def test_latency_ends_with_its_rule(loaded: Caller) -> None:
    await loaded.faults({"fault": "latency", "seconds": 3600, "operation": "search"})
    searching = asyncio.create_task(loaded.search({"search": "*"}))
    while "search" not in (await loaded.overview())["requests"]:
        assert not searching.done()
    await loaded.faults()
    assert (await searching).status == 200


async def test_documents_fail_one_by_one(loaded: Caller) -> None:
    await loaded.faults({"fault": "item", "status": 409, "probability": 0.5, "times": 10}, seed=3)
    statuses: Counter[int] = Counter()
    for batch in range(5):
        answer = await loaded.upload([{"id": f"{batch}-{at}"} for at in range(10)])
        statuses.update(answer.results.values())
    assert statuses == {201: 40, 409: 10}
    assert await loaded.count() == 40


async def test_documents_are_accepted_and_lost_one_by_one(loaded: Caller) -> None:
    await loaded.faults({"fault": "lost", "key": "^b$", "times": 1})
    answer = await loaded.upload([{"id": key} for key in "abc"])
    assert set(answer.results.values()) == {201}
    assert await loaded.count() == 2
    await loaded.upload([{"id": "b"}])
    assert await loaded.count() == 3


async def test_what_was_accepted_is_not_found_yet(loaded: Caller) -> None:
    await loaded.faults({"fault": "lagging_visibility", "seconds": 3600, "times": 1})
    await loaded.upload([{"id": "a"}])
    assert await loaded.count() == 0


async def test_what_was_accepted_is_found_in_the_end(loaded: Caller) -> None:
    await loaded.faults({"fault": "lagging_visibility", "seconds": 0.2, "times": 1})
    await loaded.upload([{"id": "a"}])
    async with asyncio.timeout(300):
        while await loaded.count() == 0:  # noqa: ASYNC110 - the other side is a server, not a task
            await asyncio.sleep(0.02)


async def test_faults_can_be_given_at_the_start_and_taken_back(loaded: Caller) -> None:
    await loaded.faults({"fault": "throttled"})
    assert (await loaded.search({"search": "*"})).status == 429
    assert (await loaded.call("DELETE", "/$emulator/faults", version=None)).status == 204
    assert (await loaded.search({"search": "*"})).status == 200


async def test_too_much_at_once_is_too_much(loaded: Caller) -> None:
    await loaded.faults(
        {"fault": "latency", "seconds": 3600, "operation": "search", "times": 2}, {"fault": "unavailable", "at_once": 2}
    )
    two = [asyncio.create_task(loaded.search({"search": "*"})) for _ in range(2)]
    while (await loaded.overview())["requests"].get("search", {}).get("most_at_once") != 2:
        assert not any(one.done() for one in two)
    assert [(await loaded.search({"search": "*"})).status for _ in range(3)] == [503, 503, 503]
    await loaded.faults({"fault": "unavailable", "at_once": 2})
    assert [(await one).status for one in two] == [200, 200]
    assert (await loaded.search({"search": "*"})).status == 200


async def test_an_answer_can_be_too_large(loaded: Caller) -> None:
    await loaded.upload([{"id": f"k{at}", "text": "x" * 1000} for at in range(20)])
    await loaded.faults({"fault": "too_large", "bytes": 10_000})
    assert (await loaded.search({"search": "*", "top": 20})).status == 413
    assert (await loaded.search({"search": "*", "top": 5})).status == 200
