"""Send one request and return its answer, over the official SDK's pipeline.

The SDK authenticates, sets the user agent and holds the connections. Retrying is done here, since the SDK's policy
gives up on a 429 without Retry-After and can't see a body that breaks off. Bodies stay bytes; callers parse them.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING
from urllib.parse import quote

import msgspec

from indexvault.bounds import ANSWER_LIMIT, MEBIBYTE, BoundedBody, BrokenBodyError, OversizedBodyError, decode
from indexvault.errors import (
    UNDECODABLE,
    ConflictError,
    IndexvaultError,
    NewerVersionError,
    OverloadedError,
    OversizedAnswerError,
    TooSlowError,
    UnauthorizedError,
    UnexpectedAnswerError,
    UnreachableError,
)
from indexvault.search.errors import names_quota, refusal, without_quoted_values
from indexvault.search.request_count import note_request
from indexvault.search.retry import RetryPolicy
from indexvault.search.telemetry import note_busy, note_retry
from indexvault.search.throttle import Throttle, Timer

if TYPE_CHECKING:
    from azure.core.rest import (  # the SDK is slow to load, so only when a client is opened
        AsyncHttpResponse,
        HttpRequest,
    )
    from azure.search.documents.indexes.aio import SearchIndexClient

STABLE = "2026-04-01"
"""The newest stable api-version that the pinned SDK speaks. Source: azure-search-documents 12.0.0."""
PREVIEW = "2026-08-01-preview"

REQUEST_SECONDS = 180.0
"""The longest one attempt may take, body included."""

NOTICEABLE_SECONDS = 1.0
"""A wait up to this long before a retry is logged as information, a longer one as a warning."""

_REFUSAL_LIMIT = MEBIBYTE
"""Bytes of a refusal that are read: it holds a message."""

_BUSY = frozenset({408, 429, 500, 502, 503, 504})
_LOG = logging.getLogger(__name__)


class Answer(msgspec.Struct, frozen=True):
    """A successful answer. `headers` have lower-case names, `api_version` is the one that was asked in."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    api_version: str = ""


class _Failure(msgspec.Struct, frozen=True):
    """A failed attempt that may be repeated: the error to raise at last, and the service's Retry-After in seconds."""

    error: IndexvaultError
    retry_after: float | None = None


class Transport:
    """Sends requests to one search service.

    `name` is the service's name in the settings, for errors. `by_key` says whether a key or an Entra identity is
    used, which decides what the error for a refusal advises. `timer` waits before a retry.
    """

    def __init__(
        self,
        name: str,
        client: "SearchIndexClient",
        *,
        by_key: bool,
        retry: RetryPolicy,
        rng: random.Random,
        throttle: Throttle,
        timer: Timer,
    ) -> None:
        self.name = name
        self._client = client
        self._by_key = by_key
        self._retry = retry
        self._rng = rng
        self._throttle = throttle
        self._timer = timer
        self._newer = set[str]()
        """What the stable api-version refuses, since it was made with a newer one: parts of paths."""

    async def send(
        self,
        method: str,
        path: str,
        *,
        on: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        query: str = "",
        api_version: str = STABLE,
        metadata: str = "none",
        holds_documents: bool = False,
        can_ask_for_less: bool = False,
        was_done: Callable[[], Awaitable[bool]] | None = None,
    ) -> Answer:
        """Send one request, retrying it, and return its answer once it is a success (any 2xx, 207 among them).

        `path` is relative and already escaped (see `segment`), `on` names the thing asked about in errors, `metadata`
        is the odata.metadata level. With `holds_documents`, values that the service quotes are kept out of errors. With
        `can_ask_for_less`, an answer that does not come in time is TooSlowError at once and not retried. `was_done`
        looks whether an attempt whose answer was lost has had its effect: it is asked if a later attempt meets a
        conflict, and may turn that into a success with an empty answer. What the stable api-version refuses, since it
        was made with a newer one, is asked for in the preview version, from then on at once; the answer says so. Raises
        the errors below RemoteError, NotFoundError and ConflictError.
        """
        from azure.core.rest import HttpRequest  # noqa: PLC0415 - slow to load

        failures = 0
        subject = path.partition("/")[0]
        if api_version == STABLE and subject in self._newer:
            api_version = PREVIEW
        while True:
            request = HttpRequest(
                method,
                f"/{path}?api-version={api_version}{query and '&' + query}",
                headers={
                    "Accept": f"application/json;odata.metadata={metadata}",
                    "Accept-Encoding": "gzip",
                    **({"Content-Type": "application/json"} if body is not None else {}),
                    **(headers or {}),
                },
                content=body,
            )
            try:
                outcome = await self._send_throttled(
                    request, f"{self.name} {on}".rstrip(), holds_documents=holds_documents
                )
            except ConflictError:
                if not failures or was_done is None or not await was_done():
                    raise
                return Answer(status=204, headers={}, body=b"")
            except NewerVersionError:
                if api_version != STABLE:
                    raise
                self._newer.add(subject)
                api_version = PREVIEW
                continue
            if isinstance(outcome, Answer):
                return msgspec.structs.replace(outcome, api_version=api_version)
            failures += 1
            if failures >= self._retry.attempts or (can_ask_for_less and isinstance(outcome.error, TooSlowError)):
                raise outcome.error
            wait = self._retry.wait(failures, outcome.retry_after, self._rng)
            _LOG.log(
                logging.WARNING if wait > NOTICEABLE_SECONDS else logging.INFO,
                "%s; attempt %d of %d, again in %.1f s", outcome.error.what, failures, self._retry.attempts, wait,
                extra={"service": self.name, "operation": f"{method} {on}"},
            )  # fmt: skip
            note_retry(self.name)
            await self._timer.sleep(wait)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def _send_throttled(self, request: "HttpRequest", on: str, *, holds_documents: bool) -> Answer | _Failure:
        """Make an attempt once the throttle allows it, and report its outcome to the throttle."""
        async with self._throttle.request() as started:
            note_request()
            outcome = await self._attempt(request, on, holds_documents=holds_documents)
        if isinstance(outcome, Answer):
            self._throttle.answered(started)
        elif isinstance(outcome.error, OverloadedError | TooSlowError):
            asked = outcome.retry_after
            self._throttle.busy(started, asked and min(asked, self._retry.longest_retry_after))
        return outcome

    async def _attempt(self, request: "HttpRequest", on: str, *, holds_documents: bool) -> Answer | _Failure:
        from azure.core import exceptions  # noqa: PLC0415 - slow to load

        try:
            async with asyncio.timeout(REQUEST_SECONDS):
                response = await self._client.send_request(request, stream=True)
                async with response:
                    body = await _bounded_body(response, on)
        except exceptions.ClientAuthenticationError:
            raise UnauthorizedError(
                "no Entra identity could be obtained",
                on=on,
                do="Sign in (az login), give the app a managed identity, or set api_key in the settings",
            ) from None
        except BrokenBodyError as error:
            return _Failure(
                UnreachableError(
                    f"no complete answer ({error})", on=on, do="Check the network path, and any proxy on it"
                )
            )
        except (TimeoutError, exceptions.ServiceRequestTimeoutError, exceptions.ServiceResponseTimeoutError):
            return _Failure(
                TooSlowError("no complete answer in time", on=on, do="Try again when the service is less busy")
            )
        except (exceptions.AzureError, OSError) as error:
            return _Failure(
                UnreachableError(
                    f"no complete answer ({_cause(error)})",
                    on=on,
                    do="Check the endpoint in the settings, the network path and the service's firewall",
                )
            )
        headers = {name.lower(): value for name, value in response.headers.items()}
        status = response.status_code
        if 200 <= status < 300:  # noqa: PLR2004 - the range of HTTP successes
            return Answer(status=status, headers=headers, body=body)
        code, says = _service_error(body)
        if holds_documents:
            says = without_quoted_values(says)
        if status in _BUSY and not (status == 429 and names_quota(says)):  # noqa: PLR2004 - Too Many Requests
            note_busy(self.name, status)
            overloaded = OverloadedError(
                f"the service is busy (HTTP {status})",
                on=on,
                do="Try again later, add replicas, or lower the load on the service",
            )
            return _Failure(overloaded, retry_after=_seconds(headers.get("retry-after")))
        raise refusal(status, says, on, by_key=self._by_key, code=code)


async def _bounded_body(response: "AsyncHttpResponse", on: str) -> bytes:
    """Read and decode an answer's body. A refusal's that is too large to be a message is empty.

    Raises OversizedAnswerError for any other that has more than ANSWER_LIMIT bytes, and BrokenBodyError.
    """
    has_failed = response.status_code >= 400  # noqa: PLR2004 - the range of HTTP errors
    try:
        collected = BoundedBody(
            response.headers.get("Content-Encoding"), _REFUSAL_LIMIT if has_failed else ANSWER_LIMIT
        )
        async for part in response.iter_raw():
            collected.add(part)
        return collected.whole()
    except OversizedBodyError as error:
        if has_failed:
            return b""
        raise OversizedAnswerError(
            str(error), on=on, do="Check that the endpoint is an Azure AI Search service; if it is, report this"
        ) from None


def segment(name: str) -> str:
    """Escape a name for use between quotes in one segment of a path."""
    return quote(name.replace("'", "''"), safe="")


def without_mark(body: bytes) -> bytes:
    """Return an answer's bytes without the byte order mark that the service may begin them with."""
    return body.removeprefix(b"\xef\xbb\xbf")


def decode_answer[Kind](answer: Answer, kind: type[Kind], *, on: str) -> Kind:
    """Decode an answer's JSON. Raises UnexpectedAnswerError naming `on` if it has another form."""
    try:
        return decode(without_mark(answer.body), kind)
    except UNDECODABLE as error:
        raise UnexpectedAnswerError(
            f"an answer in another form than documented ({without_quoted_values(str(error))})",
            on=on,
            do="Check that the endpoint is an Azure AI Search service",
        ) from None


def _service_error(body: bytes) -> tuple[str, str]:
    """Return code and message from an error body, the message on one line of at most 500 characters; empty if none."""

    class Inner(msgspec.Struct):
        message: str = ""
        code: str = ""

    class Outer(msgspec.Struct):
        error: Inner

    try:
        error = decode(body, Outer).error
    except UNDECODABLE:
        return "", ""
    return error.code, " ".join(error.message.split())[:500]


def _seconds(retry_after: str | None) -> float | None:
    """Return a Retry-After in seconds. The date form, which the service doesn't use, is ignored."""
    try:
        return max(0.0, float(retry_after)) if retry_after is not None else None
    except ValueError:
        return None


def _cause(error: BaseException) -> str:
    """Name a transport failure without its text, which may hold a URL with a key in it."""
    inner = getattr(error, "inner_exception", None) or error
    return type(inner).__name__
