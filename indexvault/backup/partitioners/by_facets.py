"""Partitions by the values of a string field that can be filtered and counted by facets.

Facets list the most common values. Documents with an unlisted value, or with none, are in partitions of their own, so
the list need not be complete. A document whose collection holds several values is in several partitions, but in the
snapshot once.
"""

from indexvault.backup.index_probe import IndexProbe
from indexvault.backup.limits import LIMITS, Limits
from indexvault.backup.partition import Condition, Empty, NoneOf, Null, OneOf, Partition
from indexvault.search.page import Facet
from indexvault.search.schema import Field, Schema

MOST_VALUES = 10_000
"""Facet values to ask for. A filter with this many short strings stays far below the size limit of a request."""


def facetable_fields(schema: Schema) -> list[tuple[str, Field]]:
    """Return the string fields, with paths, that can be filtered and have facets, collections last."""
    collections = [f"{path}/" for path, field in schema.walk() if field.is_collection and field.is_complex]
    found = [
        (path, field)
        for path, field in schema.walk()
        if field.item_type == "Edm.String" and not field.key and not field.normalizer
        if field.filterable is not False and field.facetable is not False
        if not any(path.startswith(collection) for collection in collections)
    ]
    return sorted(found, key=lambda entry: entry[1].is_collection)


class ByFacets:
    """Splits by the values of one field."""

    def __init__(self, path: str, field: Field, limits: Limits = LIMITS) -> None:
        self.name = f"facets of {path}"
        self.exact = not field.is_collection
        self._path = path
        self._collection = field.is_collection
        self._comfortable = limits.comfortable_partition

    async def split(self, probe: IndexProbe, partition: Partition) -> list[Partition]:
        """See `Partitioner.split`."""
        facets = await probe.facets(partition, self._path, MOST_VALUES)
        listed = tuple(str(facet.value) for facet in facets)
        conditions: list[Condition] = [Empty(self._path) if self._collection else Null(self._path)]
        conditions += [OneOf(self._path, group, self._collection) for group in self._groups(facets)]
        conditions.append(NoneOf(self._path, listed, self._collection))
        return [partition.narrowed(each, documents=await probe.count(partition.narrowed(each))) for each in conditions]

    def _groups(self, facets: list[Facet]) -> list[tuple[str, ...]]:
        """Group values until a partition has about as many documents as it should."""
        groups: list[list[str]] = []
        size = 0
        for facet in facets:
            if not groups or size + facet.count > self._comfortable:
                groups.append([])
                size = 0
            groups[-1].append(str(facet.value))
            size += facet.count
        return [tuple(group) for group in groups]
