"""Divide an index that can't be read in key order into partitions that can be read.

`$skip` reaches 100,000 documents, so a partition must not be larger. Partitioners are tried from the cheapest and most
reliable to the last resort; what one leaves too large goes to the next.
"""

from collections.abc import Sequence

import msgspec

from indexvault.backup.index_probe import IndexProbe
from indexvault.backup.limits import LIMITS, Limits
from indexvault.backup.partition import Partition
from indexvault.backup.partitioners.by_bisection import ByBisection, bisectable_fields
from indexvault.backup.partitioners.by_facets import ByFacets, facetable_fields
from indexvault.backup.partitioners.by_field import ByField, ordered_fields
from indexvault.backup.partitioners.by_key_prefix import ByKeyRange, ByKeySearch
from indexvault.backup.partitioners.by_orderings import ByOrderings, sortable_paths
from indexvault.backup.partitioners.partitioner import Partitioner
from indexvault.search.schema import Schema

_MOST_ORDERS = 4
"""Fields in the order that partitions are read in, at most."""


class Partitioning(msgspec.Struct, frozen=True):
    """An index divided into partitions.

    `used` names the partitioners that divided it, `tried` those that could not. `exact` says that each document is in
    exactly one partition. `out_of_reach` are partitions that nothing could make small enough: only their beginnings and
    ends can be read. They are not among `partitions`.
    """

    partitions: tuple[Partition, ...]
    used: tuple[str, ...]
    tried: tuple[str, ...]
    exact: bool
    out_of_reach: tuple[Partition, ...]


def partitioners_for(schema: Schema, limits: Limits = LIMITS) -> list[Partitioner]:
    """Return the partitioners that an index's definition allows, the best first.

    First the key's own ranges, since keys never change. Then fields by rank (three small queries a partition), fields
    by bisection, facets, and last the partitioners that are not exact.
    """
    key = schema.key
    sortable = sortable_paths(schema)
    found: list[Partitioner] = []
    if key.filterable is not False:
        found.append(ByKeyRange(key, limits))
    ranked = ordered_fields(schema)
    found += [ByField(path, field, limits) for path, field in ranked]
    paths = {path for path, _field in ranked}
    found += [ByBisection(path, field, limits) for path, field in bisectable_fields(schema) if path not in paths]
    found += [ByFacets(path, field, limits) for path, field in facetable_fields(schema) if path not in paths]
    if key.searchable is not False:
        found.append(ByKeySearch(key, limits))
    if sortable:
        found.append(ByOrderings(sortable))
    return found


async def divide(
    probe: IndexProbe,
    schema: Schema,
    documents: int,
    partitioners: Sequence[Partitioner],
    limits: Limits = LIMITS,
) -> Partitioning:
    """Divide an index with that many documents."""
    divider = _Divider(probe, reading_order(schema), limits)
    await divider.divide(Partition(documents=documents), list(partitioners))
    return Partitioning(
        partitions=tuple(divider.partitions),
        used=tuple(divider.used),
        tried=tuple(partitioner.name for partitioner in partitioners if partitioner.name not in divider.used),
        exact=divider.exact,
        out_of_reach=tuple(divider.out_of_reach),
    )


def reading_order(schema: Schema) -> str | None:
    """Return the order to read partitions in: the key's, else one with as few ties as possible; None if there is none.

    The order of documents that tie may change from page to page.
    """
    paths = sortable_paths(schema)
    if not paths:
        return None
    key = schema.key.name
    return f"{key} asc" if paths[0] == key else ",".join(f"{path} asc" for path in paths[:_MOST_ORDERS])


class _Divider:
    def __init__(self, probe: IndexProbe, order: str | None, limits: Limits) -> None:
        self._probe = probe
        self._limits = limits
        self._order = order
        self.partitions: list[Partition] = []
        self.used: list[str] = []
        self.exact = True
        self.out_of_reach: list[Partition] = []

    async def divide(self, partition: Partition, partitioners: Sequence[Partitioner]) -> None:
        """Split a partition with the first partitioner that can, and what is still too large with those after it."""
        if partition.documents <= self._limits.largest_partition or partition.partial:
            if not partition.orderby:
                partition = msgspec.structs.replace(partition, orderby=self._order)
            self.partitions.append(partition)
            return
        for position, partitioner in enumerate(partitioners):
            smaller = await partitioner.split(self._probe, partition)
            if not smaller or (
                not smaller[0].partial and max(each.documents for each in smaller) >= partition.documents
            ):
                continue
            self.exact = self.exact and partitioner.exact
            if partitioner.name not in self.used:
                self.used.append(partitioner.name)
            for each in smaller:
                await self.divide(each, partitioners[position + 1 :])
            return
        self.out_of_reach.append(msgspec.structs.replace(partition, orderby=partition.orderby or self._order))
