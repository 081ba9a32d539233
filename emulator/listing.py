"""Lists of definitions: whole in stable versions, in pages in preview versions.

Source: "Use paging with Azure AI Search list APIs", 2026-06: from 2026-05-01-preview on, 50 items by default, at most
1,000, `$top`, `$skip` and `$count`, and `@odata.nextLink` where the service itself ended the page; aliases are not
paged. `pageSize`, `search` and `searchType` come with 2026-08-01-preview (release notes of the Python SDK 12.1.0b2);
what they do is not documented there. Assumption: `pageSize` is the page's length and is followed by links, `search` is
a part of the name.
"""

import re
from collections.abc import Mapping, Sequence
from urllib.parse import quote

import msgspec

from emulator.failures import ServiceError, out_of_range
from emulator.versions import ApiVersion

DEFAULT_ITEMS = 50
MOST_ITEMS = 1000
_PAGED_SINCE = ("9999-99-99", "2026-05-01")
_SEARCHED_SINCE = ("9999-99-99", "2026-08-01")
_UNPAGED = frozenset({"aliases"})
_PAGING = frozenset({"top", "skip", "count"})
_SEARCHING = frozenset({"pageSize", "search", "searchType"})
_COMMON = frozenset({"api-version", "select"})


class ListPage(msgspec.Struct, frozen=True):
    """The names on a page, how many there are in all if that was asked for, and the next page's query if it has one."""

    names: Sequence[str]
    count: int | None = None
    following: str | None = None


def page_of(names: Sequence[str], kind: str, version: ApiVersion, parameters: Mapping[str, list[str]]) -> ListPage:
    """Return the page of sorted names that a request asks for."""
    given = {name.removeprefix("$"): values[0] for name, values in parameters.items()}
    is_paged = kind not in _UNPAGED and version.knows(_PAGED_SINCE)
    is_searched = is_paged and version.knows(_SEARCHED_SINCE)
    known = _COMMON | (_PAGING if is_paged else set()) | (_SEARCHING if is_searched else set())
    for name in given.keys() - known:
        raise ServiceError(400, f"The query parameter '{name}' is not valid for listing '{kind}'.")
    if not is_paged:
        return ListPage(names)
    part = given.get("search", "").lower()
    found = [name for name in names if part in name.lower()]
    skip = _number(given, "skip", 0)
    top = _number(given, "top", 0) if "top" in given else None
    size = min(_number(given, "pageSize", 0) or DEFAULT_ITEMS if top is None else top, MOST_ITEMS)
    end = skip + size
    is_ended_by_caller = top is not None and top <= MOST_ITEMS
    following = None
    if end < len(found) and not is_ended_by_caller:
        rest = {name: value for name, value in given.items() if name not in {"skip", "top", "api-version"}}
        rest["skip"] = str(end)
        if top is not None:
            rest["top"] = str(top - size)
        dollars = {"select", "skip", "top", "count"}
        query = "&".join(f"{'$' * (name in dollars)}{name}={quote(value, safe='')}" for name, value in rest.items())
        following = f"api-version={quote(version.text)}&{query}"
    return ListPage(found[skip:end], len(found) if given.get("count", "").lower() == "true" else None, following)


def _number(given: Mapping[str, str], name: str, default: int) -> int:
    if name not in given:
        return default
    if not re.fullmatch(r"\d+", given[name]):
        raise out_of_range("Value must be greater than or equal to 0.", f"${name}")
    return int(given[name])
