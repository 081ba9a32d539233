"""Which indexes a list of names and patterns means.

`hotels` is an index, `*` stands for any characters, `!` takes away what an earlier entry brought in: `["*", "!tmp-*"]`
is every index but the temporary ones. The last entry that matches a name decides.
"""

import fnmatch
import re
from collections.abc import Sequence

import msgspec

from indexvault.errors import SettingsError
from indexvault.model import INDEX_PATTERN

MOST_PATTERNS = 1000


class Selection(msgspec.Struct, frozen=True):
    """The indexes that are meant, in order of names, and the ones named in full that do not exist."""

    found: list[str]
    missing: list[str]


def check_patterns(patterns: Sequence[str], *, on: str) -> None:
    """Raise SettingsError for an entry that can match no index, or when nothing is asked for."""
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


def select(names: Sequence[str], patterns: Sequence[str]) -> Selection:
    """Choose among the indexes that exist."""
    entries = [(_expression(entry.removeprefix("!")), not entry.startswith("!")) for entry in reversed(patterns)]
    return Selection(
        found=sorted(name for name in names if _is_chosen(name, entries)),
        missing=[name for name in plain_names(patterns) if name not in names and _is_chosen(name, entries)],
    )


def _is_chosen(name: str, entries: Sequence[tuple[re.Pattern[str], bool]]) -> bool:
    return next((brings_in for expression, brings_in in entries if expression.fullmatch(name)), False)


def _expression(pattern: str) -> re.Pattern[str]:
    # Its stars never go back on what they have taken, so no pattern keeps the app busy. Entries hold no other wildcard.
    return re.compile(fnmatch.translate(pattern))
