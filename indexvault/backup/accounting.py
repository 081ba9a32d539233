"""Whether every document is accounted for."""

import itertools
from collections.abc import Sequence

from indexvault.errors import AccountingError
from indexvault.snapshots.chunks import Chunk


def require_unique(chunks: Sequence[Chunk], *, on: str) -> int:
    """Return the number of documents in chunks whose keys rise throughout, so that each key is there once.

    Within a chunk, rising keys were seen to when it was cut. Raises AccountingError where chunks overlap.
    """
    for before, after in itertools.pairwise(chunks):
        if before.last >= after.first:
            raise AccountingError("two parts of the reading overlap", on=on, do="Run the backup again")
    return sum(chunk.documents for chunk in chunks)


def explains(documents: int, before: int, after: int) -> bool:
    """Return whether a number of unique keys agrees with the counts before and after the reading.

    Between the two counts anything is possible on an index that changes; on a quiet one they are the same and leave no
    room.
    """
    return min(before, after) <= documents <= max(before, after)


class Agreement:
    """Whether the service's own count and what queries find are the same index.

    The one lags behind the other on an index that changes, and both move. So they agree once the stretch of numbers
    that the one has shown meets that of the other; on a quiet index each shows one number.
    """

    def __init__(self) -> None:
        self._counted: list[int] = []
        self._found: list[int] = []

    def note(self, *, counted: int, found: int) -> bool:
        """Note both numbers of one moment, and tell whether they have come to agree."""
        self._counted.append(counted)
        self._found.append(found)
        return min(self._counted) <= max(self._found) and min(self._found) <= max(self._counted)
