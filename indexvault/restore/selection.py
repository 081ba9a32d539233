"""Select documents of a snapshot: all, those with listed keys, or those that a filter matches.

A filter is a JMESPath expression over one document, as `az --query` takes it, such as "Rating >= `4`" or
"contains(Tags, 'pool')". A document matches if the result is true in JMESPath's sense: not null, false or empty.
"""

from collections.abc import Sequence
from typing import Any

import jmespath
import msgspec
from jmespath.exceptions import JMESPathError

from indexvault.errors import NotFoundError, SettingsError
from indexvault.snapshots.chunks import Chunk

MOST_KEYS = 10_000
_NAMED = 10
_FAILURES = (JMESPathError, ValueError, TypeError, ArithmeticError, RecursionError)
"""The library lets Python's errors through: `a[::0]`, a number compared with a text, 1000 brackets."""


class Selection:
    """The documents that a restore is about. Raises SettingsError for too many keys, or a filter that can't be read."""

    def __init__(self, keys: Sequence[str] = (), filter: str | None = None) -> None:  # noqa: A002 - what people call it
        if len(keys) > MOST_KEYS:
            raise SettingsError(
                f"{len(keys)} keys are listed", on="keys", do=f"List at most {MOST_KEYS}, or use a filter"
            )
        self.keys = frozenset(keys)
        self._text = filter
        self._filter: Any = _compiled(filter) if filter is not None else None

    @property
    def everything(self) -> bool:
        """Whether every document is selected."""
        return not self.keys and self._filter is None

    def takes(self, key: str, line: bytes) -> bool:
        """Return whether a document is selected. Raises SettingsError if the filter can't be applied to it."""
        if self.keys and key not in self.keys:
            return False
        if self._filter is None:
            return True
        try:
            return _is_true(self._filter.search(msgspec.json.decode(line)))
        except _FAILURES as error:
            # The error's text may quote the document.
            raise _unfit(self._text or "", type(error).__name__) from None

    def chunks(self, chunks: Sequence[Chunk]) -> list[int]:
        """Return the positions of the chunks that can hold listed keys; all chunks if no keys are listed."""
        if not self.keys:
            return list(range(len(chunks)))
        wanted = sorted(self.keys)
        found, at = [], 0
        for position, chunk in enumerate(chunks):
            while at < len(wanted) and wanted[at] < chunk.first:
                at += 1
            if at < len(wanted) and wanted[at] <= chunk.last:
                found.append(position)
        return found

    def require_all(self, found: set[str], *, on: str) -> None:
        """Raise NotFoundError naming the listed keys that were not found."""
        missing = sorted(self.keys - found)
        if missing:
            more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
            raise NotFoundError(
                f"it has no document with key {', '.join(map(repr, missing[:_NAMED]))}{more}; nothing was touched",
                on=on,
                do="Leave these keys out, or use an older snapshot",
            )


def _compiled(text: str) -> Any:
    try:
        return jmespath.compile(text)
    except JMESPathError as error:
        raise _unfit(text, str(error).partition("\n")[0][:200]) from None
    except _FAILURES as error:
        raise _unfit(text, type(error).__name__) from None


def _unfit(text: str, why: str) -> SettingsError:
    return SettingsError(
        f"it is not a JMESPath expression for these documents ({why})",
        on=f"filter {text!r}",
        do='Write it as "Rating >= `4`" or "contains(Tags, \'pool\')"',
    )


def _is_true(value: Any) -> bool:
    """Return whether a value is true in JMESPath's sense: zero is."""
    return value not in (None, False, "", [], {}) or (value == 0 and not isinstance(value, bool) and value is not None)
