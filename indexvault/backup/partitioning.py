"""Cutting an index that can't be read in key order into parts that can be read at all.

`$skip` reaches 100,000 documents, so a part must not be larger. Strategies are tried from the cheapest and surest to
the last resort; what one leaves too large is handed to the next.
"""

from collections.abc import Sequence

import msgspec

from indexvault.backup.index_probe import IndexProbe
from indexvault.backup.partition import Partition
from indexvault.backup.partitioners.by_bisection import ByBisection, bisectable_fields
from indexvault.backup.partitioners.by_facets import ByFacets, facetable_fields
from indexvault.backup.partitioners.by_field import ByField, ordered_fields
from indexvault.backup.partitioners.by_key_prefix import ByKeyRange, ByKeySearch
from indexvault.backup.partitioners.by_orderings import ByOrderings, sortable_paths
from indexvault.backup.partitioners.partitioner import COMFORTABLE, REACH, Partitioner
from indexvault.search.schema import Schema

_MOST_ORDERS = 4


class Partitioning(msgspec.Struct, frozen=True):
    """An index in parts.

    `used` names the partitioners that cut, `tried` those that had nothing to cut with. `exact` says that each document
    is in exactly one part. `out_of_reach` are parts that nothing could make small enough; only their beginnings could
    be read, so they are not among `parts`.
    """

    parts: tuple[Partition, ...]
    used: tuple[str, ...]
    tried: tuple[str, ...]
    exact: bool
    out_of_reach: tuple[Partition, ...]


def partitioners_for(schema: Schema, *, comfortable: int = COMFORTABLE) -> list[Partitioner]:
    """Return the ways of cutting that an index's definition allows, the best first.

    First the key's own ranges, since keys never change. Then fields by rank (three small probe a part), fields by
    halving, facets, and last what does not cut exactly.
    """
    key = schema.key
    sortable = sortable_paths(schema)
    found: list[Partitioner] = []
    if key.filterable is not False:
        found.append(ByKeyRange(key, comfortable=comfortable))
    ranked = ordered_fields(schema)
    found += [ByField(path, field, comfortable=comfortable) for path, field in ranked]
    paths = {path for path, _field in ranked}
    found += [
        ByBisection(path, field, comfortable=comfortable)
        for path, field in bisectable_fields(schema)
        if path not in paths
    ]
    found += [
        ByFacets(path, field, comfortable=comfortable) for path, field in facetable_fields(schema) if path not in paths
    ]
    if key.searchable is not False:
        found.append(ByKeySearch(key, comfortable=comfortable))
    if sortable:
        found.append(ByOrderings(sortable))
    return found


async def divide(
    probe: IndexProbe, schema: Schema, documents: int, partitioners: Sequence[Partitioner]
) -> Partitioning:
    """Cut an index of so many documents."""
    work = _Work(probe, reading_order(schema))
    await work.divide(Partition(documents=documents), list(partitioners))
    tried = tuple(partitioner.name for partitioner in partitioners if partitioner.name not in work.used)
    return Partitioning(tuple(work.parts), tuple(work.used), tried, work.exact, tuple(work.out_of_reach))


def reading_order(schema: Schema) -> str | None:
    """Return the order to read parts in: that of the key, else one with as few ties as can be had.

    Documents that tie come in an order that may change from page to page.
    """
    paths = sortable_paths(schema)
    if not paths:
        return None
    key = schema.key.name
    return f"{key} asc" if paths[0] == key else ",".join(f"{path} asc" for path in paths[:_MOST_ORDERS])


class _Work:
    def __init__(self, probe: IndexProbe, order: str | None) -> None:
        self._questions = probe
        self._order = order
        self.parts: list[Partition] = []
        self.used: list[str] = []
        self.exact = True
        self.out_of_reach: list[Partition] = []

    async def divide(self, part: Partition, partitioners: Sequence[Partitioner]) -> None:
        """Cut a part with the first partitioner that can, and what is still too large with those after it."""
        if part.documents <= REACH or part.partial:
            self.parts.append(part if part.orderby else msgspec.structs.replace(part, orderby=self._order))
            return
        for position, partitioner in enumerate(partitioners):
            pieces = await partitioner.split(self._questions, part)
            if not pieces or (not pieces[0].partial and max(each.documents for each in pieces) >= part.documents):
                continue
            self.exact = self.exact and partitioner.exact
            if partitioner.name not in self.used:
                self.used.append(partitioner.name)
            for piece in pieces:
                await self.divide(piece, partitioners[position + 1 :])
            return
        self.out_of_reach.append(part)
