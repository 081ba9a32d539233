"""What a comparison with a snapshot, or with the source of a move, says nothing about."""

from collections.abc import Collection

import msgspec

from indexvault.search.schema import Schema

_MOST_NAMED = 100
_MOST_TOLD = 7


class NotCompared(msgspec.Struct, frozen=True, kw_only=True):
    """What is not compared: fields by their paths, and documents.

    `dropped` fields are in no document of the target, since it has no such field; `hidden` ones can't be read back from
    one of the two. `more` counts further fields of both kinds. `selected` says that only the documents that the
    restore's keys or filter take were compared, and no other document of the target was looked at.
    """

    dropped: list[str] = []
    hidden: list[str] = []
    more: int = 0
    selected: bool = False

    def of(self, what: str) -> str:
        """Return what was compared with: `the snapshot`, or `the snapshot less Category`."""
        whole = f"the selected documents of the {what}" if self.selected else f"the {what}"
        dropped, hidden = self.dropped[:_MOST_TOLD], self.hidden[:_MOST_TOLD]
        more = self.more + len(self.dropped) + len(self.hidden) - len(dropped) - len(hidden)
        unreadable = f"less {_listed(hidden)}, which can't be read back" if hidden else ""
        if dropped:
            counted = [f"{more:,} more field{'' if more == 1 else 's'}"] if more else []
            less = f"less {_listed([*dropped, *counted])}"
            return f"{whole} {less}, and {unreadable}" if hidden else f"{whole} {less}"
        return f"{whole} {unreadable}{f', and {more:,} more' if more else ''}" if hidden else whole


def fields_not_compared(
    source: Schema, target: Schema, *, compared: Collection[str], assumed: Collection[str] = ()
) -> NotCompared:
    """Return the fields of one schema that are not compared, as far as the other one tells why.

    `compared` are the paths of the simple fields that both sides return, `assumed` those that need not be told.
    """
    known = {path for path, _field in target.walk()}
    dropped: dict[str, None] = {}
    hidden: list[str] = []
    for path, field in source.walk():
        if field.is_complex or path in compared or path in assumed:
            continue
        if path in known:
            hidden.append(path)
        else:
            dropped[_outermost(path, known)] = None
    named = list(dropped)[:_MOST_NAMED]
    shown = hidden[: _MOST_NAMED - len(named)]
    return NotCompared(dropped=named, hidden=shown, more=len(dropped) + len(hidden) - len(named) - len(shown))


def _outermost(path: str, known: Collection[str]) -> str:
    """Return the outermost field around a path that is not known: `Address` where all of it is gone."""
    parts = path.split("/")
    prefixes = ("/".join(parts[:end]) for end in range(1, len(parts)))
    return next((prefix for prefix in prefixes if prefix not in known), path)


def _listed(names: list[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last
