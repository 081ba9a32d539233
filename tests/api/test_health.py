import asyncio

from indexvault.api.health import HealthCheck


class Check:
    """Return one answer after the other, each once it may."""

    def __init__(self, answers: list[bool]) -> None:
        self.answers = answers
        self.go_on = asyncio.Event()

    async def __call__(self) -> bool:
        answer = self.answers.pop(0)
        await self.go_on.wait()
        return answer


async def test_whoever_asks_while_it_is_found_out_gets_the_same_answer_and_it_is_kept() -> None:
    health, check = HealthCheck(), Check([True, False])
    asking = [asyncio.create_task(health(check)) for _ in range(5)]
    await asyncio.sleep(0)
    asking[0].cancel()
    check.go_on.set()
    assert await asyncio.gather(*asking[1:]) == [True] * 4
    assert await health(check)
    assert check.answers == [False]


async def test_it_is_found_out_again_once_the_answer_is_old() -> None:
    health, check = HealthCheck(), Check([True, False])
    check.go_on.set()
    assert await health(check)
    health._until = asyncio.get_running_loop().time()
    assert not await health(check)
