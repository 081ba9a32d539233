"""Decide whether every document is accounted for."""

from collections.abc import Sequence

from indexvault.errors import AccountingError
from indexvault.snapshots.chunks import Chunk


class RisingChunks:
    """Whether the keys of chunks rise from the first to the last, however many there are: no key is there twice.

    Within a chunk, keys were checked to rise when it was cut.
    """

    def __init__(self) -> None:
        self._last: str | None = None
        self._overlap = False

    def note(self, chunks: Sequence[Chunk]) -> None:
        """Note the next chunks."""
        for chunk in chunks:
            if self._last is not None and self._last >= chunk.first:
                self._overlap = True
            self._last = chunk.last

    def require(self, *, on: str) -> None:
        """Raise AccountingError if a chunk began before the one before it ended."""
        if self._overlap:
            raise AccountingError("two ranges of the reading overlap", on=on, do="Run the backup again")


def explains(documents: int, before: int, after: int) -> bool:
    """Return whether a number of unique keys agrees with the counts before and after the reading.

    It may be anything between the two counts if the index changes. If it does not, both are the same and leave no room.
    """
    return min(before, after) <= documents <= max(before, after)


class Agreement:
    """Whether the service's own count and the number that queries find come to agree.

    If an index changes, the count lags behind the queries and both move. They agree once the interval of counts seen so
    far overlaps that of the numbers found. If the index does not change, each interval is a single number.
    """

    def __init__(self) -> None:
        self._counted: list[int] = []
        self._found: list[int] = []

    def note(self, *, counted: int, found: int) -> bool:
        """Note both numbers of one moment and return whether they have come to agree."""
        self._counted.append(counted)
        self._found.append(found)
        return min(self._counted) <= max(self._found) and min(self._found) <= max(self._counted)
