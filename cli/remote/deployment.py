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

from cli.remote.address import Address
from cli.remote.refusals import error_of
from engine.version import VERSION
from errors import TooSlowError, UnexpectedAnswerError, UnreachableError
from search.retry import RetryPolicy

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


class Deployment:
    """Asks one deployment.

    What only reads is repeated a few times when nothing comes back. What starts a run is not: it may have arrived. No
    redirect is followed, since the key would go along.
    """

    def __init__(self, address: Address, *, chance: random.Random, retry: RetryPolicy = RETRY) -> None:
        self.url = address.url
        self._key = address.key
        self._chance = chance
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
            try:
                return await self._send("GET", path, kind, query=query)
            except UnreachableError as error:
                wait = self._retry.wait(failures, None, self._chance)
                _LOG.info("%s; asking again in %.1f s", error.what, wait)
                await asyncio.sleep(wait)
        return await self._send("GET", path, kind, query=query)

    async def post[Content](self, path: str, body: Mapping[str, Any], kind: type[Content]) -> Content:
        """Ask for something to be done, once."""
        return (await self._send("POST", path, kind, body=body)).content

    async def delete[Content](self, path: str, kind: type[Content]) -> Content:
        """Ask for something to be stopped, once; asking again changes nothing."""
        return (await self._send("DELETE", path, kind)).content

    async def _send[Content](
        self,
        method: str,
        path: str,
        kind: type[Content],
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> Reply[Content]:
        assert self._session is not None  # noqa: S101 - used as a block
        url = f"{self.url}/api/{path}"
        try:
            async with self._session.request(
                method, url, params=query, json=body, allow_redirects=False
            ) as answer:  # fmt: skip
                data = await answer.read()
                status, after = answer.status, answer.headers.get("Retry-After", "")
        except TimeoutError:
            raise TooSlowError("it did not answer in time", on=self.url, do=_after(method)) from None
        except aiohttp.ClientConnectorError:
            raise UnreachableError(
                "no connection could be made", on=self.url, do="Check --url, and whether the app runs"
            ) from None
        except aiohttp.ClientError as error:
            raise UnreachableError(f"it broke off ({type(error).__name__})", on=self.url, do=_after(method)) from None
        if status >= _BELOW_ERRORS:
            raise error_of(status, data, self.url)
        try:
            content = msgspec.json.decode(data, type=kind)
        except msgspec.MsgspecError:
            raise UnexpectedAnswerError(
                f"its answer to {method} {path} can't be read",
                on=self.url,
                do="Check --url, and that the app and this command line are of one version",
            ) from None
        return Reply(content, float(after) if after.isdecimal() else None)


def _after(method: str) -> str:
    if method == "POST":
        return "It may have begun what was asked: look at `runs` before asking again"
    return "Try again in a minute"
