"""Select indexes by names and patterns.

`hotels` is an index, `*` matches any characters, `!` excludes what earlier entries include: `["*", "!tmp-*"]` is every
index but the temporary ones. The last entry that matches a name decides. No
pattern matches the temporary index of a drill.
"""

import fnmatch
import re
from collections.abc import Sequence

import msgspec

from indexvault.errors import SettingsError
from indexvault.model import DRILL_PREFIX, INDEX_PATTERN

MOST_PATTERNS = 1000


class ChosenIndexes(msgspec.Struct, frozen=True):
    """The selected indexes, sorted by name, and those named in full that do not exist."""

    found: list[str]
    missing: list[str]


def check_patterns(patterns: Sequence[str], *, on: str) -> None:
    """Raise SettingsError for an entry that can match no index, or if no entry includes anything."""
    for position, entry in enumerate(patterns):
        if not re.fullmatch(INDEX_PATTERN, entry):
            raise SettingsError(
                "expected the name of an index, or a pattern with *, with ! in front to leave out",
                on=f"{on}[{position}]",
                do='Write it as "hotels", "hotels-*" or "!tmp-*"',
            )
    if all(entry.startswith("!") for entry in patterns):
        raise SettingsError(
            "expected at least one entry without !", on=on, do='Put "*" first to mean every other index'
        )


def plain_names(patterns: Sequence[str]) -> list[str]:
    """Return the entries that name one index each, once each and in their order."""
    return list(dict.fromkeys(entry for entry in patterns if "*" not in entry and not entry.startswith("!")))


def select(names: Sequence[str], patterns: Sequence[str]) -> ChosenIndexes:
    """Select among the indexes that exist."""
    entries = [(_expression(entry.removeprefix("!")), not entry.startswith("!")) for entry in reversed(patterns)]
    return ChosenIndexes(
        found=sorted(name for name in names if _is_chosen(name, entries) and not _is_temporary(name, patterns)),
        missing=[name for name in plain_names(patterns) if name not in names and _is_chosen(name, entries)],
    )


def _is_chosen(name: str, entries: Sequence[tuple[re.Pattern[str], bool]]) -> bool:
    return next((brings_in for expression, brings_in in entries if expression.fullmatch(name)), False)


def _is_temporary(name: str, patterns: Sequence[str]) -> bool:
    """Return whether a drill made the index, and nobody named it in full."""
    return name.startswith(DRILL_PREFIX) and name not in patterns


def _expression(pattern: str) -> re.Pattern[str]:
    # fnmatch translates stars without backtracking, so no pattern takes long. Entries hold no other wildcard.
    return re.compile(fnmatch.translate(pattern))
