"""A deployment's API, decoded, with retries where they are safe."""

import asyncio
import logging
import random
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from indexvault.bounds import decode
from indexvault.cli.remote.address import Address
from indexvault.cli.remote.errors import error_of
from indexvault.errors import UNDECODABLE, OverloadedError, UnexpectedAnswerError, UnreachableError
from indexvault.search.retry import RetryPolicy

if TYPE_CHECKING:
    from indexvault.cli.remote.connection import Answer, Connection

RETRY = RetryPolicy(attempts=3, first_wait=0.5, longest_wait=2.0, longest_retry_after=5.0)
_BELOW_ERRORS = 300
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TimedReply[Content]:
    """A decoded answer, and after how many seconds to ask again if it says so."""

    content: Content
    retry_after: float | None


class Deployment:
    """One deployment; a context manager.

    A request that only reads is retried a few times when no answer arrives or the app is too busy, and then no sooner
    than the app says. A request that starts a run is not retried: it may have arrived.
    """

    def __init__(self, address: Address, *, rng: random.Random, retry: RetryPolicy = RETRY) -> None:
        self.url = address.url
        self._address = address
        self._rng = rng
        self._retry = retry
        self._opened: Connection | None = None

    async def __aenter__(self) -> Self:
        """Open a connection."""
        from indexvault.cli.remote.connection import Connection  # noqa: PLC0415 - a verb's --help needs no aiohttp

        self._opened = Connection(self._address)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connection."""
        if self._opened is not None:
            await self._opened.close()

    async def get[Content](self, path: str, kind: type[Content], query: Mapping[str, str] | None = None) -> Content:
        """Read something below `/api`. Raises the app's error, or UnreachableError."""
        return (await self.read(path, kind, query)).content

    async def read[Content](
        self, path: str, kind: type[Content], query: Mapping[str, str] | None = None
    ) -> TimedReply[Content]:
        """Read something, with the time after which to read it again. Raises the app's error, or UnreachableError."""
        for failures in range(1, self._retry.attempts):
            answer: Answer | None = None
            try:
                answer = await self._connection.send("GET", path, query=query)
                return self._decode(answer, kind)
            except (UnreachableError, OverloadedError) as error:
                wait = self._retry.wait(failures, answer.retry_after if answer is not None else None, self._rng)
                _LOG.info("%s; trying again in %.1f s", error.what, wait)
                await asyncio.sleep(wait)
        return self._decode(await self._connection.send("GET", path, query=query), kind)

    async def post[Content](self, path: str, body: Mapping[str, Any], kind: type[Content]) -> Content:
        """Ask for something to be done, once. Raises the app's error, or UnreachableError."""
        return self._decode(await self._connection.send("POST", path, body=body), kind).content

    async def delete[Content](self, path: str, kind: type[Content]) -> Content:
        """Send one DELETE request. Raises the app's error, or UnreachableError."""
        return self._decode(await self._connection.send("DELETE", path), kind).content

    @property
    def _connection(self) -> "Connection":
        assert self._opened is not None  # noqa: S101 - used as a context manager
        return self._opened

    def _decode[Content](self, answer: "Answer", kind: type[Content]) -> TimedReply[Content]:
        """Decode an answer. Raises the error that it holds."""
        if answer.status >= _BELOW_ERRORS:
            raise error_of(answer.status, answer.data, self.url)
        try:
            return TimedReply(decode(answer.data, kind), answer.retry_after)
        except UNDECODABLE:
            raise UnexpectedAnswerError(
                f"its answer to {answer.request} can't be read",
                on=self.url,
                do="Check --url, and that the app and this command line are of one version",
            ) from None
