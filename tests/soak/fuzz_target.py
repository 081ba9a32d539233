"""What a target of the fuzzer is.

A target draws an input from a generator and uses it. Using it returns, or raises one of the errors that the target
names; all else is a failure.
"""

import asyncio
import functools
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from tests.soak import fuzz_inputs as inputs


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A parser under test.

    `raises` are the errors that it may raise. `weight` is its share of the inputs against the others. The process may
    grow by `peak_bytes` while an input is used; inputs have a megabyte at most, unless the target says otherwise.
    """

    name: str
    draw: Callable[[random.Random], Any]
    use: Callable[[Any], None]
    raises: tuple[type[Exception], ...]
    weight: float = 1.0
    peak_bytes: int = 192 << 20


@functools.cache
def _runner() -> asyncio.Runner:
    return asyncio.Runner()


def wait[Found](coroutine: Awaitable[Found]) -> Found:
    async def run() -> Found:
        return await coroutine

    return _runner().run(run())


def json_like(*given: list[bytes]) -> Callable[[random.Random], bytes]:
    every = [example for some in given for example in some]
    return lambda rng: inputs.damaged_json(rng, every)


def text_like(given: list[str], *, surrogates: bool = False) -> Callable[[random.Random], str]:
    return lambda rng: inputs.damaged_text(rng, given, surrogates=surrogates)
