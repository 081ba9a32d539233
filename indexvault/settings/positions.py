"""Find the line of a member in the JSON text of settings, for error messages."""

import json
import re
from collections.abc import Iterator
from json.decoder import scanstring  # type: ignore[attr-defined]  # documented in the module's source only

_SPACE = re.compile(r"[ \t\r\n]*")
_POSITION = re.compile(r"\[(\d+)\]")
_DECODER = json.JSONDecoder()
_UNREADABLE = (ValueError, RecursionError)


def line_of(text: str, path: str) -> int:
    """Return the line, from 1, of the member that a path such as `$.policies.nightly.indexes[0]` names.

    For a member that is not there, return the line of the innermost one around it that is.
    """
    rest = path.removeprefix("$")
    at = found = _after_space(text, 0)
    try:
        while rest:
            inner = _inner(text, at, rest)
            if inner is None:
                break
            found, at, rest = inner
    except _UNREADABLE:
        pass
    return _line(text, found)


def line_of_syntax_error(text: str) -> int:
    """Return the line, from 1, where a text stops being JSON; its last one if it only ends too early."""
    try:
        _DECODER.decode(text)
    except json.JSONDecodeError as error:
        return _line(text, min(error.pos, len(text.rstrip())))
    except _UNREADABLE:
        pass
    return 1


def _inner(text: str, at: int, rest: str) -> tuple[int, int, str] | None:
    """Return where the next member of a path and its value start, and what is left of the path; None if not there."""
    if text[at : at + 1] == "[":
        position = _POSITION.match(rest)
        if position is None:
            return None
        for number, start in enumerate(_items(text, at)):
            if number == int(position[1]):
                return start, start, rest[position.end() :]
        return None
    if text[at : at + 1] != "{" or not rest.startswith("."):
        return None
    named = rest[1:]
    # A name may hold dots, so the longest one that the path can begin with counts; of equal ones, the last.
    matches = [
        (len(name), start, value)
        for name, start, value in _members(text, at)
        if named.startswith(name) and named[len(name) : len(name) + 1] in {"", ".", "["}
    ]
    if not matches:
        return None
    length, start, value = max(matches)
    return start, value, named[length:]


def _members(text: str, at: int) -> Iterator[tuple[str, int, int]]:
    """Yield the names of an object's members, where each starts, and where its value does, as far as they can be read.

    Raises ValueError at the end of what can be read.
    """
    at = _after_space(text, at + 1)
    while text[at : at + 1] == '"':
        start = at
        name, at = scanstring(text, at + 1)
        at = _after_space(text, at)
        if text[at : at + 1] != ":":
            return
        value = _after_space(text, at + 1)
        yield name, start, value
        at = _after_comma(text, _DECODER.raw_decode(text, value)[1])


def _items(text: str, at: int) -> Iterator[int]:
    """Yield where the items of an array start. Raises ValueError at the end of what can be read."""
    at = _after_space(text, at + 1)
    while text[at : at + 1] not in {"", "]"}:
        yield at
        at = _after_comma(text, _DECODER.raw_decode(text, at)[1])


def _after_space(text: str, at: int) -> int:
    space = _SPACE.match(text, at)
    return at if space is None else space.end()


def _after_comma(text: str, at: int) -> int:
    at = _after_space(text, at)
    return _after_space(text, at + 1) if text[at : at + 1] == "," else at


def _line(text: str, at: int) -> int:
    return text.count("\n", 0, at) + 1
