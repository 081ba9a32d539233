"""Requests to the service under test, as raw as its documentation has them: every status is an answer."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote, urljoin, urlsplit

import msgspec
from azure.core.credentials import AzureKeyCredential
from azure.core.credentials_async import AsyncTokenCredential
from azure.core.exceptions import AzureError
from azure.core.rest import HttpRequest
from azure.search.documents.indexes.aio import SearchIndexClient

from indexvault.search.credentials import audience
from indexvault.search.transport import PREVIEW, STABLE

_BUSY = frozenset({429, 503})
_TRIES = 6
_LONGEST_REST = 60.0

type Sleep = Callable[[float], Awaitable[None]]


class Reply(msgspec.Struct, frozen=True):
    """One answer, whatever its status. `headers` have lower-case names."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def ok(self) -> bool:
        """Whether it is a success."""
        return 200 <= self.status < 300  # noqa: PLR2004 - the range of HTTP successes

    @property
    def json(self) -> Any:
        """The body's JSON, None if it is empty or none."""
        try:
            return msgspec.json.decode(self.body.removeprefix(b"\xef\xbb\xbf"))
        except msgspec.DecodeError:
            return None

    @property
    def message(self) -> str:
        """What an error says, in one line."""
        error = self.json.get("error") if isinstance(self.json, dict) else None
        text = error.get("message", "") if isinstance(error, dict) else ""
        return " ".join(str(text).split())[:200]

    @property
    def told(self) -> str:
        """The status, and what an error says."""
        return str(self.status) if self.ok or not self.message else f"{self.status} ({self.message})"


class Wire:
    """Sends requests over the official SDK's pipeline, to one endpoint only, and counts them.

    A busy service is asked again a few times, unless the caller wants to see that answer.
    """

    def __init__(
        self, endpoint: str, credential: AzureKeyCredential | AsyncTokenCredential, *, sleep: Sleep = asyncio.sleep
    ) -> None:
        self.endpoint = endpoint.rstrip("/")
        self.by_key = isinstance(credential, AzureKeyCredential)
        self.requests = 0
        self._sleep = sleep
        self._client = SearchIndexClient(
            self.endpoint,
            credential,
            **({} if self.by_key else {"audience": audience(endpoint)}),
            retry_total=0,
            permit_redirects=False,
        )

    async def __aenter__(self) -> Self:
        """Use the wire within a block."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connections."""
        await self._client.close()

    async def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: str = "",
        version: str = STABLE,
        headers: Mapping[str, str] | None = None,
        may_be_busy: bool = False,
    ) -> Reply:
        """Send one request and return the answer. `path` is relative to the endpoint and escaped.

        With `may_be_busy` a 429 or 503 is returned at once. Raises ConnectionError if there is no answer.
        """
        url = f"/{path}?api-version={version}{query and '&' + query}"
        given = {
            "Accept": "application/json;odata.metadata=minimal",
            "Accept-Encoding": "gzip",  # the SDK can't decode all that its connections would ask for by themselves
            "Content-Type": "application/json",
        }
        content = None if body is None else msgspec.json.encode(body)
        for attempt in range(_TRIES):
            self.requests += 1
            try:
                answer = await self._client.send_request(
                    HttpRequest(method, url, headers={**given, **(headers or {})}, content=content)
                )
            except AzureError as error:
                raise ConnectionError(f"{method} {path}: no answer ({type(error).__name__})") from None
            found = {name.lower(): value for name, value in answer.headers.items()}
            reply = Reply(answer.status_code, found, answer.content)
            if may_be_busy or reply.status not in _BUSY or attempt == _TRIES - 1:
                return reply
            await self._sleep(min(_LONGEST_REST, float(2**attempt)))
        raise AssertionError("a loop of attempts ends with an answer")

    async def follow(self, link: str) -> Reply:
        """Ask for the next page of a list. Raises ConnectionError if the link leads to another host."""
        found, own = urlsplit(urljoin(f"{self.endpoint}/", link)), urlsplit(self.endpoint)
        if (found.scheme, found.netloc.lower()) != (own.scheme, own.netloc.lower()):
            raise ConnectionError("a link leads to another host and was not followed")
        parameters = [part for part in found.query.split("&") if part and not part.startswith("api-version=")]
        versions = [part.partition("=")[2] for part in found.query.split("&") if part.startswith("api-version=")]
        return await self.ask(
            "GET", found.path.lstrip("/"), query="&".join(parameters), version=(versions or [PREVIEW])[0]
        )


def index_path(name: str, more: str = "") -> str:
    """Return the path of an index, or of something in it."""
    return f"indexes('{quote(name, safe='')}'){more}"
