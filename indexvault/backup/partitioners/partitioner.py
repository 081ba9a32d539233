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
        """Return partitions that together hold the documents of this one.

        Partitions by values cover every value that a document can have, whether one has it now or not: a document that
        is changed while the index is read must not leave all of them. Only partitions by keys, which never change,
        leave out what is empty.

        Some may still be too large to be read: then another partitioner has to split those. The partition itself,
        alone, means that this partitioner can't split it.
        """
        ...
