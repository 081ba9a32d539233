"""Exit codes of the process. Each error has its own, in `indexvault.errors`."""

from collections.abc import Iterable

DONE = 0
FAILED = 1
USAGE = 2
LOSSY = 3
CANCELLED = 130

_FROM_BEST_TO_WORST = (DONE, LOSSY, FAILED, USAGE, 4, 5, 6, CANCELLED)


def worst(codes: Iterable[int]) -> int:
    """Return the most serious of several codes; DONE without any.

    A failure outweighs a loss, which does leave a snapshot; among failures the more specific code wins.
    """
    return max(codes, key=_FROM_BEST_TO_WORST.index, default=DONE)
