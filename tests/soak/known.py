"""Defects of the product that are known and not mended yet, by the number of their item in issue 11.

A generator asks `avoids` before it does what leads to one, and a failure that looks like one all the same is counted
under its number. Remove an entry when its item is mended: the generators then do what they avoided.
"""

KNOWN: dict[int, str] = {
    1: "move --skip-refused --delete-source of an index without key order deletes a source of refused documents",
    2: "a target changed between two executions of a move of an index without key order is taken for proved",
    3: "an index without key order to which documents come, or from which they go, while it is read makes a false"
    " `complete`",
    4: "prune removes snapshots that unfinished restores and moves still need",
    7: "a snapshot of the future is @latest",
    8: "a restore in mode create of which the target lost documents fails for ever",
    10: "an index all of whose manifests are gone is sound to verify and repair",
}


def avoids(item: int, enabled: frozenset[int]) -> bool:
    """Return whether what leads to a known defect is to be avoided: unless it was asked for."""
    return item in KNOWN and item not in enabled
