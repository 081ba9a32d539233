"""A stretch of the snapshot against the same keys of the restored index, document by document."""

from collections.abc import AsyncIterator

import msgspec

from restore.job import Difference, StretchCompared
from restore.values import same_document
from search.schema import Schema

type Documents = AsyncIterator[tuple[str, bytes]]
"""Keys and lines, keys strictly rising."""

MOST_NAMED = 100
"""Differences that are named one by one; beyond, they are only counted."""


class _Tally(msgspec.Struct):
    identical: int = 0
    equal: int = 0
    different: int = 0
    missing: int = 0
    extra: int = 0
    named: list[Difference] = []

    def name(self, key: str, kind: str) -> None:
        if len(self.named) < MOST_NAMED:
            self.named.append(Difference(key=key, kind=kind))


async def compare(stored: Documents, restored: Documents, schema: Schema) -> StretchCompared:
    """Walk both sides by key. Bytes are compared first, values only where bytes differ."""
    tally = _Tally()
    here, there = await anext(stored, None), await anext(restored, None)
    while here is not None or there is not None:
        if there is None or (here is not None and here[0] < there[0]):
            assert here is not None  # noqa: S101 - the loop runs while one side is left
            tally.missing += 1
            tally.name(here[0], "missing")
            here = await anext(stored, None)
        elif here is None or there[0] < here[0]:
            tally.extra += 1
            tally.name(there[0], "extra")
            there = await anext(restored, None)
        else:
            _compare_pair(tally, here, there, schema)
            here, there = await anext(stored, None), await anext(restored, None)
    return StretchCompared(
        identical=tally.identical,
        equal=tally.equal,
        different=tally.different,
        missing=tally.missing,
        extra=tally.extra,
        differences=tally.named,
    )


def _compare_pair(tally: _Tally, here: tuple[str, bytes], there: tuple[str, bytes], schema: Schema) -> None:
    if here[1] == there[1]:
        tally.identical += 1
    elif same_document(here[1], there[1], schema):
        tally.equal += 1
    else:
        tally.different += 1
        tally.name(here[0], "different")
