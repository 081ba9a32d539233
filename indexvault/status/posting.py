"""Post to a webhook over HTTPS: without redirects, within a time, whatever it answers. This module loads aiohttp."""

import asyncio
from collections.abc import Mapping

import aiohttp

from indexvault.proxies import has_proxy
from indexvault.version import VERSION

CONNECT_SECONDS = 5.0
_OK = range(200, 300)
_REDIRECTS = range(300, 400)


async def post(url: str, body: bytes, headers: Mapping[str, str], seconds: float) -> str | None:
    """Post JSON, and return None, or in words why it was not taken, which never hold the address."""
    try:
        async with (
            asyncio.timeout(seconds),
            aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=seconds, connect=CONNECT_SECONDS),
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=has_proxy(),
                auto_decompress=False,
            ) as session,
            session.post(
                url,
                data=body,
                headers={"Content-Type": "application/json", "User-Agent": f"indexvault/{VERSION}", **headers},
                allow_redirects=False,
            ) as answer,
        ):
            # The body is not read: it says nothing that counts, and may have any size or never end.
            return _said(answer.status)
    except (aiohttp.ClientError, OSError, ValueError) as error:
        return _why(error, seconds)


def _why(error: Exception, seconds: float) -> str:
    """Return in words why a message could not be sent. The error's own words may hold the address."""
    match error:
        case TimeoutError():
            return f"it did not answer within {seconds:g} s"
        case aiohttp.ClientConnectorCertificateError():
            return "its certificate can't be trusted"
        case aiohttp.ClientSSLError():
            return "no TLS connection could be made"
        case aiohttp.ClientConnectorError():
            return "no connection could be made"
    return f"the connection broke ({type(error).__name__})"


def _said(status: int) -> str | None:
    """Return in words why a message was not taken, by the status of the answer, or None if it was."""
    if status in _OK:
        return None
    if status in _REDIRECTS:
        return f"it sent a redirect ({status}), which is not followed"
    words = {401: ": the address is wrong or expired", 403: ": it is refused", 404: ": there is no such webhook"}
    words |= {410: ": the webhook was removed", 413: ": it is too large", 429: ": too many messages"}
    return f"it answered {status}{words.get(status, '')}"
