"""Defects of the product that are known and not mended yet.

Numbers below 100 were known before, those from 101 were found here. A generator asks `avoids` before it does what leads
to one; a failure that looks like one all the same is counted under its number and is no violation. Remove an entry when
its defect is mended: the generators then do what they avoided, and the failure is a violation.
"""

KNOWN: dict[int, str] = {
    1: "move --skip-refused --delete-source of an index without key order deletes a source of refused documents",
    2: "a target changed between two executions of a move of an index without key order is taken for proved",
    3: "an index without key order to which documents come, or from which they go, while it is read makes a false"
    " `complete`",
    4: "prune removes snapshots that unfinished restores and moves still need",
    7: "a snapshot of the future is @latest",
    8: "a restore in mode create of which the target lost documents fails for ever",
    10: "an index whose manifests are gone is sound to verify and repair",
    101: "a backup whose snapshot is made fails with a 6, its records gone, where removing them failed once",
    102: "an index without key order of which documents move from one part to another while it is read is committed"
    " with fewer documents than were counted before and after",
}

_LOOKS: dict[int, tuple[str, str]] = {
    101: ("nothing whole is called damaged", "its record of "),
}
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
