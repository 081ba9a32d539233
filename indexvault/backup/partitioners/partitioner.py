"""What every way of dividing an index into partitions offers."""

from typing import Protocol

from indexvault.backup.index_probe import IndexProbe
from indexvault.backup.partition import Partition


class Partitioner(Protocol):
    """Splits a partition into smaller ones."""

    @property
    def name(self) -> str:
        """How a plan names it."""
        ...

    @property
    def exact(self) -> bool:
        """Whether each document is in exactly one of the partitions; if not, some may be in several, or in none."""
        ...

    async def split(self, probe: IndexProbe, partition: Partition) -> list[Partition]:
        """Return partitions that together hold the documents of this one, empty ones left out.

        Some may still be too large to be read: then another partitioner has to split those. The partition itself,
        alone, means that this partitioner can't split it.
        """
        ...
