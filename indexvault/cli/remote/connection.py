"""HTTP to a deployment. This module loads aiohttp, so it is imported when a connection is opened."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp

from indexvault.bounds import ANSWER_LIMIT, BoundedBody, BrokenBodyError, OversizedBodyError
from indexvault.cli.remote.address import Address
from indexvault.errors import OversizedAnswerError, TooSlowError, UnreachableError
from indexvault.version import VERSION

CALL_SECONDS = 120
CONNECT_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer as it arrived; `retry_after` is in seconds."""

    request: str
    status: int
    data: bytes
    retry_after: float | None


class Connection:
    """Sends requests with the deployment's key. No redirect is followed, since the key would go along."""

    def __init__(self, address: Address) -> None:
        self._url = address.url
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=CALL_SECONDS, connect=CONNECT_SECONDS),
            headers={
                "x-functions-key": address.key,
                "User-Agent": f"indexvault/{VERSION}",
                "Accept-Encoding": "gzip",
            },
            auto_decompress=False,
        )

    async def close(self) -> None:
        """Close it."""
        await self._session.close()

    async def send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> Answer:
        """Send one request below `/api`. Raises TooSlowError or UnreachableError if no answer arrives.

        Raises OversizedAnswerError for one of more than ANSWER_LIMIT bytes.
        """
        url = f"{self._url}/api/{path}"
        try:
            async with self._session.request(
                method, url, params=query, json=body, allow_redirects=False
            ) as answer:  # fmt: skip
                data = await _bounded_body(answer)
                after = answer.headers.get("Retry-After", "")
                return Answer(f"{method} {path}", answer.status, data, float(after) if after.isdecimal() else None)
        except TimeoutError:
            raise TooSlowError("it did not answer in time", on=self._url, do=_what_to_do(method)) from None
        except OversizedBodyError as error:
            raise OversizedAnswerError(
                str(error), on=self._url, do="Check --url: this is no answer of indexvault"
            ) from None
        except BrokenBodyError as error:
            raise UnreachableError(f"no complete answer ({error})", on=self._url, do=_what_to_do(method)) from None
        except aiohttp.ClientConnectorError:
            raise UnreachableError(
                "no connection could be made", on=self._url, do="Check --url, and whether the app runs"
            ) from None
        except aiohttp.ClientError as error:
            raise UnreachableError(
                f"the connection broke ({type(error).__name__})", on=self._url, do=_what_to_do(method)
            ) from None


async def _bounded_body(answer: aiohttp.ClientResponse) -> bytes:
    collected = BoundedBody(answer.headers.get("Content-Encoding"), ANSWER_LIMIT)
    async for part in answer.content.iter_any():
        collected.add(part)
    return collected.whole()


def _what_to_do(method: str) -> str:
    if method == "POST":
        return "It may have started a run: check `runs` before trying again"
    return "Try again in a minute"
