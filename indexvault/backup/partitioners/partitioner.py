"""What every way of cutting an index into parts offers."""

from typing import Protocol

from indexvault.backup.index_probe import IndexProbe
from indexvault.backup.partition import Partition
from indexvault.search.query import MOST_SKIPPED

REACH = MOST_SKIPPED
"""Documents that a part may have at most to be read with `$skip`."""

COMFORTABLE = 25_000
"""Documents that a part should have at most: deep `$skip`s are slow for the service and for its users."""


class Partitioner(Protocol):
    """Cuts a part into smaller parts."""

    @property
    def name(self) -> str:
        """How a plan speaks of it."""
        ...

    @property
    def exact(self) -> bool:
        """Whether each document is in exactly one of the parts; if not, some may be in several, or in none."""
        ...

    async def split(self, probe: IndexProbe, part: Partition) -> list[Partition]:
        """Return parts that together hold the part's documents, empty ones left out.

        Some may be larger than can be read: then another partitioner has to cut those. The part itself, alone, means
        that this partitioner can't cut it.
        """
        ...
