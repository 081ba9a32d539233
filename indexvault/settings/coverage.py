"""Compare lists of patterns without any names: what does one bring in of all that an entry can match."""

from collections.abc import Sequence
from typing import Literal

type Coverage = Literal["all", "some", "none"]


def coverage(patterns: Sequence[str], entry: str, *, apart_from: Sequence[str] = ()) -> Coverage:
    """Return how much of what an entry matches is brought in by patterns, of which the last one that matches decides.

    `entry` is a name or a pattern without `!`; `apart_from` are those that it does not stand for. "some" may be said
    where it is none: patterns that leave out what others bring in are not counted up.
    """
    whole, some = True, False
    for pattern in reversed(patterns):
        matched = pattern.removeprefix("!")
        if not _overlap(matched, entry) or any(_contains(other, matched) for other in apart_from):
            continue
        if not pattern.startswith("!"):
            if _contains(matched, entry):
                return "all" if whole else "some"
            some = True
        elif _contains(matched, entry):
            break
        else:
            whole = False
    return "some" if some else "none"


def _contains(pattern: str, other: str) -> bool:
    """Return whether a pattern matches all that another one does: its stars match the other's, as text."""
    before, *inner = pattern.split("*")
    if not inner:
        return pattern == other
    after = inner.pop()
    if not other.startswith(before) or not other.endswith(after) or len(other) < len(before) + len(after):
        return False
    at, end = len(before), len(other) - len(after)
    for part in inner:
        found = other.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True


def _overlap(one: str, other: str) -> bool:
    """Return whether some text matches both patterns. Takes time in proportion to the product of their lengths."""
    row = [True]
    for letter in other:
        row.append(row[-1] and letter == "*")
    for letter in one:
        following = [row[0] and letter == "*"]
        for position, against in enumerate(other):
            if "*" in {letter, against}:
                following.append(row[position + 1] or following[position])
            else:
                following.append(row[position] and letter == against)
        row = following
    return row[-1]
