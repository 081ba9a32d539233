"""A search request, parsed from a POST body or a GET's query string and checked.

Source: Search Documents in the REST reference, 2026-09.
"""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from emulator.failures import ServiceError, invalid_parameter, invalid_request, out_of_range
from emulator.tiers import DEFAULT_PAGE, MAX_PAGE, MAX_SKIP

_MEMBERS = frozenset(
    {
        "count", "facets", "filter", "highlight", "highlightPostTag", "highlightPreTag", "minimumCoverage", "orderby",
        "queryType", "scoringStatistics", "sessionId", "scoringParameters", "scoringProfile", "debug", "search",
        "searchFields", "searchMode", "select", "skip", "top", "semanticConfiguration", "semanticErrorHandling",
        "semanticMaxWaitInMilliseconds", "semanticQuery", "answers", "captions", "vectorQueries", "vectorFilterMode",
        "queryLanguage", "speller", "queryRewrites", "hybridSearch", "semanticFields", "enableElevatedRead",
    }
)  # fmt: skip
_NUMBERS = frozenset({"skip", "top", "semanticMaxWaitInMilliseconds"})
_REPEATED = {"facet": "facets", "scoringParameter": "scoringParameters"}
_COMMON = frozenset({"api-version", "allowUnsafeKeys"})


class Query(msgspec.Struct, frozen=True):
    """A parsed request; `raw` is its own JSON, which a continuation repeats."""

    raw: dict[str, Any]
    search: str
    query_type: str
    search_mode: str
    search_fields: tuple[str, ...]
    filter: str | None
    order: str
    select: tuple[str, ...]
    facets: tuple[str, ...]
    count: bool
    top: int | None
    skip: int
    minimum_coverage: float | None
    session: str | None

    @property
    def everything(self) -> bool:
        """Whether no search text narrows the result."""
        return self.search.strip() in {"", "*"}

    @property
    def page(self) -> int:
        """How many documents one answer can hold at most."""
        return DEFAULT_PAGE if self.top is None else min(self.top, MAX_PAGE)


def from_body(body: bytes) -> Query:
    """Parse a POST body."""
    try:
        raw = msgspec.json.decode(body)
    except msgspec.DecodeError as problem:
        raise invalid_request(f"Invalid JSON. {problem}.") from problem
    if not isinstance(raw, dict):
        raise invalid_request("parameters : An object was expected.")
    for name in raw:
        if name not in _MEMBERS:
            raise invalid_request(
                f"parameters : The parameter '{name}' in the request payload is not a valid parameter for the "
                "operation 'search'."
            )
    return _query(raw)


def from_parameters(parameters: Mapping[str, list[str]]) -> Query:
    """Parse a GET's query string; names may carry OData's `$`."""
    raw: dict[str, Any] = {}
    for name, values in parameters.items():
        if name in _COMMON:
            continue
        plain = name.removeprefix("$")
        plain = _REPEATED.get(plain, plain)
        if plain not in _MEMBERS:
            raise ServiceError(
                400, f"The query parameter '{name}' is not a valid parameter for the operation 'search'."
            )
        if plain in {"facets", "scoringParameters"}:
            raw[plain] = values
        elif plain in _NUMBERS:
            raw[plain] = _integer(values[0], f"${plain}")
        elif plain == "count":
            raw[plain] = {"true": True, "false": False}.get(values[0].lower(), values[0])
        elif plain == "minimumCoverage":
            raw[plain] = _number(values[0], plain)
        else:
            raw[plain] = values[0]
    return _query(raw)


def _query(raw: dict[str, Any]) -> Query:
    given = {name: value for name, value in raw.items() if value is not None}
    if given.get("vectorQueries"):
        raise ServiceError(400, "This emulator does not answer vector queries.", code="NotEmulated")
    top, skip = given.get("top"), given.get("skip", 0)
    if not isinstance(skip, int) or isinstance(skip, bool) or not 0 <= skip <= MAX_SKIP:
        raise out_of_range(f"Value must be between 0 and {MAX_SKIP}.", "$skip")
    if top is not None and (not isinstance(top, int) or isinstance(top, bool) or top < 0):
        raise out_of_range("Value must be greater than or equal to 0.", "$top")
    session = _text(given, "sessionId") or None
    if session is not None and session.startswith("_"):
        raise invalid_parameter("A session id cannot start with an underscore.", "sessionId")
    if not isinstance(given.get("count", False), bool):
        raise invalid_request("parameters : Cannot convert a value of 'count' to target type 'Edm.Boolean'.")
    coverage = given.get("minimumCoverage")
    if coverage is not None and (not isinstance(coverage, int | float) or isinstance(coverage, bool)):
        raise invalid_request("parameters : Cannot convert a value of 'minimumCoverage' to target type 'Edm.Double'.")
    if coverage is not None and not 0 <= coverage <= 100:  # noqa: PLR2004  # per cent
        raise out_of_range("Value must be between 0 and 100.", "minimumCoverage")
    return Query(
        raw=raw,
        search=_text(given, "search"),
        query_type=_choice(given, "queryType", {"simple", "full", "semantic"}, "simple"),
        search_mode=_choice(given, "searchMode", {"any", "all"}, "any"),
        search_fields=_names(given.get("searchFields"), "searchFields"),
        filter=_text(given, "filter") or None,
        order=", ".join(_names(given.get("orderby"), "orderby", whole=True)),
        select=_names(given.get("select"), "select"),
        facets=_facets(given.get("facets")),
        count=given.get("count") is True,
        top=top,
        skip=skip,
        minimum_coverage=None if coverage is None else float(coverage),
        session=session,
    )


def _text(given: Mapping[str, Any], name: str) -> str:
    value = given.get(name, "")
    if not isinstance(value, str):
        raise invalid_request(f"parameters : Cannot convert a value of '{name}' to target type 'Edm.String'.")
    return value


def _choice(given: Mapping[str, Any], name: str, choices: set[str], default: str) -> str:
    value = given.get(name, default)
    if not isinstance(value, str) or value not in choices:
        raise invalid_request(
            f"parameters : Invalid value '{value}' of '{name}'. Allowed: {', '.join(sorted(choices))}."
        )
    return value


def _names(value: object, name: str, *, whole: bool = False) -> tuple[str, ...]:
    """Parse a list of names, which the SDKs send joined by commas or as an array."""
    if value is None:
        return ()
    parts = [part for part in (value if isinstance(value, list) else [value]) if isinstance(part, str)]
    if len(parts) != (len(value) if isinstance(value, list) else 1):
        raise invalid_request(f"parameters : Cannot convert a value of '{name}' to target type 'Edm.String'.")
    listed = parts if whole else [piece for part in parts for piece in part.split(",")]
    return tuple(piece.strip() for piece in listed if piece.strip())


def _facets(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise invalid_request("parameters : 'facets' must be an array of strings.")
    return tuple(value)


def _number(text: str, parameter: str) -> float:
    if not re.fullmatch(r"\d+(?:\.\d+)?", text):
        raise out_of_range("Value must be a number.", parameter)
    return float(text)


def _integer(text: str, parameter: str) -> int:
    if not re.fullmatch(r"-?\d+", text):
        raise out_of_range("Value must be an integer.", parameter)
    return int(text)
