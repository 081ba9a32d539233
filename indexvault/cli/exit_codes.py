"""What the process says when it ends. Those of errors stand with them, in `errors`."""

from collections.abc import Iterable

DONE = 0
FAILED = 1
USAGE = 2
LOSSY = 3
CANCELLED = 130

_FROM_BEST_TO_WORST = (DONE, LOSSY, FAILED, USAGE, 4, 5, 6, CANCELLED)


def worst(codes: Iterable[int]) -> int:
    """Return the code that tells most of several outcomes; DONE without any.

    A failure outweighs a loss, for which there is a snapshot after all; among failures the more telling code wins.
    """
    return max(codes, key=_FROM_BEST_TO_WORST.index, default=DONE)
