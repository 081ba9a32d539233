"""Defects of the product that are known and not mended yet.

Each has a number. A generator asks `avoids` before it does what leads
to one; a failure that looks like one all the same is counted under its number and is no violation. Remove an entry when
its defect is mended: the generators then do what they avoided, and the failure is a violation.
"""

KNOWN: dict[int, str] = {}

_LOOKS: dict[int, tuple[str, str]] = {}
"""How a violation is recognised: its rule, and a part of its detail."""


def avoids(item: int, enabled: frozenset[int]) -> bool:
    """Return whether what leads to a known defect is to be avoided: unless it was asked for."""
    return item in KNOWN and item not in enabled


def known_as(rule: str, detail: str, enabled: frozenset[int]) -> int | None:
    """Return the number of the known defect that a violation looks like, or None."""
    for item, (looks, part) in _LOOKS.items():
        if avoids(item, enabled) and rule == looks and part in detail:
            return item
    return None
