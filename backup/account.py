"""Whether every document is accounted for."""

import itertools
from collections.abc import Sequence

from errors import AccountingError
from snapshots.chunks import Chunk


def require_unique(chunks: Sequence[Chunk], *, on: str) -> int:
    """Give the number of documents in chunks whose keys rise throughout, so that each key is there once.

    Within a chunk, rising keys were seen to when it was cut. Raises AccountingError where chunks overlap.
    """
    for before, after in itertools.pairwise(chunks):
        if before.last >= after.first:
            raise AccountingError("two parts of the reading overlap", on=on, do="Run the backup again")
    return sum(chunk.documents for chunk in chunks)


def explains(documents: int, before: int, after: int) -> bool:
    """Tell whether a number of unique keys agrees with the counts before and after the reading.

    Between the two counts anything is possible on an index that changes; on a quiet one they are the same and leave no
    room.
    """
    return min(before, after) <= documents <= max(before, after)
