import asyncio
import contextlib
import itertools

import pytest

from indexvault.search.throttle import Throttle, ThrottleLimits, Timer


class Time:
    """A clock that only moves when somebody sleeps or a test moves it."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        await asyncio.sleep(0)


def throttle(time: Time, **limits: float) -> Throttle:
    return Throttle(ThrottleLimits(**limits), Timer(time, time.sleep))  # type: ignore[arg-type]  # ints among floats


async def ask(held_back: Throttle, time: Time, *, seconds: float = 0.01) -> float:
    async with held_back.request() as started:
        time.now += seconds
    held_back.answered(started)
    return started


async def test_it_grows_by_one_for_each_round_of_good_answers_up_to_the_ceiling() -> None:
    time = Time()
    held_back = throttle(time, most_at_once=5)
    seen = [held_back.allowed]
    for _ in range(40):
        await ask(held_back, time)
        seen.append(held_back.allowed)
    assert seen == sorted(seen)
    assert seen[0] == 2
    assert seen[-1] == 5
    assert all(after - before <= 1 for before, after in itertools.pairwise(seen))


async def test_it_halves_once_for_requests_that_met_the_same_busy_moment() -> None:
    time = Time()
    held_back = throttle(time, most_at_once=8)
    for _ in range(60):
        await ask(held_back, time)
    assert held_back.allowed == 8
    started = time.now
    time.now += 1
    for _ in range(4):
        held_back.busy(started, None)
    assert held_back.allowed == 4
    held_back.busy(time.now + 1, None)
    assert held_back.allowed == 2


async def test_it_never_falls_below_one() -> None:
    time = Time()
    held_back = throttle(time, most_at_once=8)
    for _ in range(10):
        time.now += 1
        held_back.busy(time.now, None)
    assert held_back.allowed == 1


async def test_rising_latency_counts_as_load() -> None:
    time = Time()
    held_back = throttle(time, most_at_once=8)
    for _ in range(60):
        await ask(held_back, time, seconds=0.2)
    before = held_back.allowed
    for _ in range(30):
        await ask(held_back, time, seconds=3.0)
        if held_back.allowed < before:
            break
    assert held_back.allowed <= before // 2


async def test_all_requests_wait_for_the_retry_after_of_one() -> None:
    time = Time()
    held_back = throttle(time)
    held_back.busy(time.now, 30.0)
    assert await ask(held_back, time) >= 130.0


async def test_the_cap_of_requests_a_second_spaces_them() -> None:
    time = Time()
    held_back = throttle(time, most_at_once=8, requests_per_second=4)
    starts = [await ask(held_back, time, seconds=0.001) for _ in range(9)]
    assert starts[-1] - starts[0] == pytest.approx(2.0)


async def test_those_that_wait_for_a_retry_after_are_spaced_when_it_is_over() -> None:
    time = Time()
    over = asyncio.Event()

    async def sleep(seconds: float) -> None:
        until = time.now + seconds
        await over.wait()
        time.now = max(time.now, until)

    held_back = Throttle(ThrottleLimits(most_at_once=2, requests_per_second=4), Timer(time, sleep))
    await ask(held_back, time, seconds=0)
    waiting = [asyncio.create_task(ask(held_back, time, seconds=0)) for _ in range(2)]
    for _ in range(5):
        await asyncio.sleep(0)
    held_back.busy(time.now, 30.0)
    over.set()
    assert sorted(await asyncio.gather(*waiting)) == [130.0, 130.25]


async def test_no_more_than_allowed_are_under_way() -> None:
    time = Time()
    held_back = throttle(time, most_at_once=3)
    under_way = most = 0
    release = asyncio.Event()

    async def one() -> None:
        nonlocal under_way, most
        async with held_back.request():
            under_way += 1
            most = max(most, under_way)
            await release.wait()
            under_way -= 1

    async with asyncio.TaskGroup() as group:
        for _ in range(10):
            group.create_task(one())
        for _ in range(20):
            await asyncio.sleep(0)
        assert under_way == 2
        release.set()
    assert most == 2


async def test_a_cancelled_wait_leaves_no_trace() -> None:
    time = Time()
    held_back = throttle(time, most_at_once=1)
    async with held_back.request():
        waiting = asyncio.create_task(ask(held_back, time))
        await asyncio.sleep(0)
        waiting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await waiting
    await ask(held_back, time)
