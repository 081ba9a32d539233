"""Texts that a terminal only shows.

Names, messages and reasons come from services, stores and deployments. A control character in one could move the
cursor, rewrite what was printed, set the window's title or turn the reading direction.
"""

from collections.abc import Callable
from unicodedata import category

_KEPT = "\n\t\u200c\u200d"
"""Line ends and tabs are layout; joiners are part of words in some scripts. None of them does harm."""
_LINE_END = "\u240a"
_PICTURES, _PICTURE_OF_DELETE, _DELETE = 0x2400, 0x2421, 0x7F
_FIRST_PRINTABLE = 0x20
_LAST_IN_PLANE = 0xFFFF
_PLANE, _HIGH, _LOW, _LOW_BITS = 0x10000, 0xD800, 0xDC00, 0x3FF


def printable(text: str) -> str:
    """Return a text with a visible character in place of each that a terminal could obey, so that its width stays."""
    return text if text.isprintable() else text.translate(_VISIBLE)


def printable_line(text: str) -> str:
    """Return a text as `printable` does, on one line: its line ends could forge lines of ours."""
    return printable(text.replace("\n", _LINE_END))


def printable_json(line: str) -> str:
    """Return a line of JSON with an escape in place of each such character: as JSON, it says the same."""
    return line if line.isprintable() else line.translate(_ESCAPED)


class _Table(dict[int, str | int]):
    """What each character becomes, filled in as characters are met: itself, or what `replacement` returns."""

    def __init__(self, replacement: Callable[[int], str]) -> None:
        super().__init__()
        self._replacement = replacement

    def __missing__(self, code: int) -> str | int:
        character = chr(code)
        is_harmless = character.isprintable() or category(character) == "Zs" or character in _KEPT
        self[code] = code if is_harmless else self._replacement(code)
        return self[code]


def _picture(code: int) -> str:
    if code < _FIRST_PRINTABLE:
        return chr(_PICTURES + code)
    return chr(_PICTURE_OF_DELETE) if code == _DELETE else "\ufffd"


def _escape(code: int) -> str:
    if code <= _LAST_IN_PLANE:
        return f"\\u{code:04x}"
    rest = code - _PLANE
    return f"\\u{_HIGH + (rest >> 10):04x}\\u{_LOW + (rest & _LOW_BITS):04x}"


_VISIBLE, _ESCAPED = _Table(_picture), _Table(_escape)


def count(number: int, noun: str) -> str:
    """Return a number with its noun: `1 document`, `20,000 documents`."""
    return f"{number:,} {noun}{'' if number == 1 else _plural_ending(noun)}"


def _plural_ending(noun: str) -> str:
    return "es" if noun.endswith(("x", "ch", "s")) else "s"
