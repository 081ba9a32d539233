"""Read whole lists of definitions: preview versions answer them in pages.

From 2026-05-01-preview on, a list holds 50 items, and `@odata.nextLink` leads to the rest. Source: Use paging with
Azure AI Search list APIs, 2026-06. Stable versions answer whole lists; a link is followed there too if there is one.
"""

from collections.abc import AsyncGenerator
from urllib.parse import SplitResult, urljoin, urlsplit

import msgspec

from indexvault.bounds import ANSWER_LIMIT, MEBIBYTE
from indexvault.errors import OversizedAnswerError, UnexpectedAnswerError
from indexvault.search.transport import Answer, Transport, decode_answer

MOST_PAGES = 1000
"""Pages of a list at most: a service has 3,000 indexes at most, and a page holds 50 by default. Source: Service limits
in Azure AI Search, 2026-09."""
LIST_LIMIT = 4 * ANSWER_LIMIT
"""Bytes of all pages of a list together."""
_PORTS = {"https": 443, "http": 80}
_REPORT = "Repeat; if it persists, check that the endpoint is an Azure AI Search service"


class _Linked(msgspec.Struct):
    next_link: str | None = msgspec.field(default=None, name="@odata.nextLink")


async def list_pages(
    transport: Transport,
    endpoint: str,
    kind: str,
    *,
    on: str,
    api_version: str,
    query: str = "",
    metadata: str = "none",
) -> AsyncGenerator[Answer]:
    """Yield the answers that hold a list, first to last. `on` names the list in errors.

    Links are followed to the endpoint's own host only. Raises UnexpectedAnswerError for a link elsewhere, for links in
    a circle and for more than MOST_PAGES pages; no request is sent for such a link.
    """
    path, followed, size = kind, set[str](), 0
    while True:
        answer = await transport.send("GET", path, on=on, query=query, api_version=api_version, metadata=metadata)
        named = f"{transport.name} {on}"
        size += len(answer.body)
        if size > LIST_LIMIT:
            raise OversizedAnswerError(
                f"the list has more than the {LIST_LIMIT // MEBIBYTE} MiB that are read", on=named, do=_REPORT
            )
        yield answer
        link = decode_answer(answer, _Linked, on=named).next_link
        if link is None:
            return
        path, query, api_version = _request_of(following(link, endpoint, path, on=named), api_version)
        if (address := f"{path}?{query}") in followed:
            raise UnexpectedAnswerError("the links from page to page lead in a circle", on=named, do=_REPORT)
        followed.add(address)
        if len(followed) >= MOST_PAGES:
            raise UnexpectedAnswerError(f"the list has more than {MOST_PAGES:,} pages", on=named, do=_REPORT)


def following(link: str, endpoint: str, path: str, *, on: str) -> SplitResult:
    """Return an absolute link, or one relative to the list at `path`, in parts.

    Raises UnexpectedAnswerError if it leaves the endpoint's host.
    """
    try:
        found, own = urlsplit(urljoin(f"{endpoint.rstrip('/')}/{path}", link)), urlsplit(endpoint)
        is_own = _authority(found) == _authority(own)
    except ValueError:
        is_own, found = False, urlsplit("")
    if not is_own:
        raise UnexpectedAnswerError(
            "the link to the next page leads to another host, and was not followed", on=on, do=_REPORT
        )
    return found


def _authority(link: SplitResult) -> tuple[str, str, int | None]:
    """Return what tells whose a link is. A user's name in it makes it another's; a port can go without saying."""
    host = (link.hostname or "") if link.username is None else link.netloc
    return link.scheme, host, link.port or _PORTS.get(link.scheme)


def _request_of(link: SplitResult, api_version: str) -> tuple[str, str, str]:
    """Return the path, the query and the api-version of a link, which is opaque otherwise."""
    kept = []
    for part in link.query.split("&"):
        name, _, value = part.partition("=")
        if name == "api-version":
            api_version = value
        elif part:
            kept.append(part)
    return link.path.lstrip("/"), "&".join(kept), api_version
