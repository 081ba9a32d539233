"""Write values of documents as exact OData literals.

Source: OData language overview for Azure AI Search, constants, 2026-09.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

from indexvault.search.query import literal

_INFINITE = ("INF", "-INF")


def literal_of(value: Any, edm_type: str) -> str | None:
    """Return the literal for a decoded JSON value of a document.

    Returns None for what can't be compared: null, NaN, and types that have no literal.
    """
    if value is None or value == "NaN":
        return None
    write = _WRITERS.get(edm_type)
    return write(value) if write is not None else None


def _double(value: Any) -> str:
    return value if value in _INFINITE else double_literal(float(value))


def _boolean(value: Any) -> str:
    return "true" if value else "false"


_WRITERS: Mapping[str, Callable[[Any], str]] = {
    "Edm.String": literal,
    "Edm.DateTimeOffset": str,
    "Edm.Double": _double,
    "Edm.Int32": str,
    "Edm.Int64": str,
    "Edm.Boolean": _boolean,
}

LITERAL_TYPES = frozenset(_WRITERS)
"""Types whose values have literals."""


def double_literal(number: float) -> str:
    """Return the shortest literal that stands for exactly this double."""
    if math.isinf(number):
        return "INF" if number > 0 else "-INF"
    return repr(number)
