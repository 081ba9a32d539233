"""A deployment's API over HTTP."""

import asyncio
import logging
import random
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import aiohttp
import msgspec

from indexvault.cli.remote.address import Address
from indexvault.cli.remote.errors import error_of
from indexvault.errors import OverloadedError, TooSlowError, UnexpectedAnswerError, UnreachableError
from indexvault.search.retry import RetryPolicy
from indexvault.version import VERSION

RETRY = RetryPolicy(attempts=3, first_wait=0.5, longest_wait=2.0, longest_retry_after=5.0)
CALL_SECONDS = 120
CONNECT_SECONDS = 10
_BELOW_ERRORS = 300
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Reply[Content]:
    """An answer: what it says, and after how many seconds to ask again if it says so."""

    content: Content
    retry_after: float | None


@dataclass(frozen=True, slots=True)
class _Answer:
    request: str
    status: int
    data: bytes
    retry_after: float | None


class Deployment:
    """Asks one deployment.

    What only reads is repeated a few times when nothing comes back, or word that the app is too busy, and then no
    sooner than it says. What starts a run is not: it may have arrived. No redirect is followed, since the key would go
    along.
    """

    def __init__(self, address: Address, *, rng: random.Random, retry: RetryPolicy = RETRY) -> None:
        self.url = address.url
        self._key = address.key
        self._rng = rng
        self._retry = retry
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        """Open it."""
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=CALL_SECONDS, connect=CONNECT_SECONDS),
            headers={"x-functions-key": self._key, "User-Agent": f"indexvault/{VERSION}"},
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        if self._session is not None:
            await self._session.close()

    async def get[Content](self, path: str, kind: type[Content], query: Mapping[str, str] | None = None) -> Content:
        """Read something below `/api`. Raises the app's error, or what the connection came to."""
        return (await self.read(path, kind, query)).content

    async def read[Content](
        self, path: str, kind: type[Content], query: Mapping[str, str] | None = None
    ) -> Reply[Content]:
        """Read something, with the time after which to read it again."""
        for failures in range(1, self._retry.attempts):
            answer: _Answer | None = None
            try:
                answer = await self._ask("GET", path, query=query)
                return self._reply(answer, kind)
            except (UnreachableError, OverloadedError) as error:
                wait = self._retry.wait(failures, answer.retry_after if answer is not None else None, self._rng)
                _LOG.info("%s; asking again in %.1f s", error.what, wait)
                await asyncio.sleep(wait)
        return self._reply(await self._ask("GET", path, query=query), kind)

    async def post[Content](self, path: str, body: Mapping[str, Any], kind: type[Content]) -> Content:
        """Ask for something to be done, once."""
        return self._reply(await self._ask("POST", path, body=body), kind).content

    async def delete[Content](self, path: str, kind: type[Content]) -> Content:
        """Ask for something to be stopped, once; asking again changes nothing."""
        return self._reply(await self._ask("DELETE", path), kind).content

    async def _ask(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> _Answer:
        assert self._session is not None  # noqa: S101 - used as a block
        url = f"{self.url}/api/{path}"
        try:
            async with self._session.request(
                method, url, params=query, json=body, allow_redirects=False
            ) as answer:  # fmt: skip
                data = await answer.read()
                after = answer.headers.get("Retry-After", "")
                return _Answer(f"{method} {path}", answer.status, data, float(after) if after.isdecimal() else None)
        except TimeoutError:
            raise TooSlowError("it did not answer in time", on=self.url, do=_after(method)) from None
        except aiohttp.ClientConnectorError:
            raise UnreachableError(
                "no connection could be made", on=self.url, do="Check --url, and whether the app runs"
            ) from None
        except aiohttp.ClientError as error:
            raise UnreachableError(f"it broke off ({type(error).__name__})", on=self.url, do=_after(method)) from None

    def _reply[Content](self, answer: _Answer, kind: type[Content]) -> Reply[Content]:
        """Read an answer. Raises the error that it is."""
        if answer.status >= _BELOW_ERRORS:
            raise error_of(answer.status, answer.data, self.url)
        try:
            return Reply(msgspec.json.decode(answer.data, type=kind), answer.retry_after)
        except msgspec.MsgspecError:
            raise UnexpectedAnswerError(
                f"its answer to {answer.request} can't be read",
                on=self.url,
                do="Check --url, and that the app and this command line are of one version",
            ) from None


def _after(method: str) -> str:
    if method == "POST":
        return "It may have begun what was asked: look at `runs` before asking again"
    return "Try again in a minute"
