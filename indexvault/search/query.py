"""Queries for documents, and the filters and literals they are made of."""

from collections.abc import Sequence

import msgspec

MOST_PER_PAGE = 1000
"""Documents on a page at most. Source: Service limits in Azure AI Search, 2026-09."""
MOST_SKIPPED = 100_000
"""The largest `$skip`. Source: Service limits in Azure AI Search, 2026-09."""


class DocumentQuery(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """A query for documents, as the body of POST /docs/search.

    Full coverage is always asked for, since otherwise a partial answer looks like a complete one.
    """

    search: str = msgspec.field(default="*", name="search")
    query_type: str | None = None
    search_fields: str | None = None
    filter: str | None = None
    orderby: str | None = None
    select: str | None = None
    top: int | None = None
    skip: int | None = None
    facets: tuple[str, ...] | None = None
    count: bool | None = None
    session_id: str | None = None


def encode_query(query: DocumentQuery) -> bytes:
    """Return a query's JSON."""
    return msgspec.json.encode(msgspec.to_builtins(query) | {"search": query.search, "minimumCoverage": 100})


def key_range(key_field: str, after: str | None, until: str | None) -> str | None:
    """Return the filter for keys above `after` and up to `until`, or None if neither is given."""
    bounds = []
    if after is not None:
        bounds.append(f"{key_field} gt {literal(after)}")
    if until is not None:
        bounds.append(f"{key_field} le {literal(until)}")
    return " and ".join(bounds) or None


_DELIMITERS = ",|;~ \t!"
"""Characters that may stand between the values of `search.in`: keys have none of them, unless they are unsafe ones."""


def one_of(field: str, values: Sequence[str]) -> str:
    """Return the filter for documents whose field is one of some values, in one clause if any delimiter allows it.

    A key has letters, digits, `-`, `_` and `=`; others have to be allowed as unsafe when documents are uploaded.
    Source: OData search.in function in Azure AI Search, 2026-09; Documents - Index (REST API), `allowUnsafeKeys`.
    """
    if len(values) > 1:
        used = set().union(*values)
        for delimiter in _DELIMITERS:
            if delimiter not in used:
                return f"search.in({field}, {literal(delimiter.join(values))}, {literal(delimiter)})"
    return " or ".join(f"{field} eq {literal(value)}" for value in values)


def literal(text: str) -> str:
    """Return a string as an OData literal, its quotes doubled."""
    doubled = text.replace("'", "''")
    return f"'{doubled}'"
