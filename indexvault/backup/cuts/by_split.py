"""Cut with a partitioner: by facets, or by bisecting the values of a field that is not returned."""

from collections.abc import Sequence

import msgspec

from indexvault.backup.cuts.cut import Cut, Reader, is_one_value
from indexvault.backup.limits import LIMITS, Limits
from indexvault.backup.partition import Partition
from indexvault.backup.partitioners.by_bisection import ByBisection
from indexvault.backup.partitioners.by_facets import ByFacets
from indexvault.search.page import Page
from indexvault.search.schema import Field


class BySplit:
    """Cuts by one field. `kind` is the partitioner, which is told how many documents an answer holds."""

    def __init__(
        self, path: str, field: Field, kind: type[ByBisection] | type[ByFacets], limits: Limits = LIMITS
    ) -> None:
        self.name = kind(path, field, limits).name
        self._path = path
        self._field = field
        self._kind = kind
        self._limits = limits

    async def read(self, reader: Reader, partition: Partition, page: Page | None, rest: Sequence[Cut]) -> bool:
        """See `Cut.read`."""
        if is_one_value(partition, self._path):
            return False
        size = reader.answers.size if page is None else min(reader.answers.size, max(1, len(page.documents)))
        limits = msgspec.structs.replace(self._limits, comfortable_partition=size)
        for piece in await self._kind(self._path, self._field, limits).split(reader.probe, partition):
            await reader.read(piece, rest)
        return True
