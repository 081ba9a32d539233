"""What every way of cutting a partition into pieces offers."""

from collections.abc import Sequence
from typing import Protocol

from indexvault.backup.answers import Answers
from indexvault.backup.index_probe import IndexProbe
from indexvault.backup.partition import Between, Condition, Equals, NotANumber, Null, Number, Partition
from indexvault.search.page import Document, Page


class Reader(Protocol):
    """Reads pieces, and cuts further those that don't fit one answer."""

    @property
    def answers(self) -> Answers:
        """Asks the index."""
        ...

    @property
    def probe(self) -> IndexProbe:
        """Asks the index for numbers."""
        ...

    async def read(self, partition: Partition, cuts: Sequence["Cut"]) -> None:
        """Read a partition with one answer if it fits, else with the cuts."""
        ...

    async def keep(self, partition: Partition, documents: Sequence[Document]) -> None:
        """Take the documents of a piece: all that it had when they were answered."""
        ...


class Cut(Protocol):
    """Cuts a partition into pieces."""

    @property
    def name(self) -> str:
        """How a report names it."""
        ...

    async def read(self, reader: Reader, partition: Partition, page: Page | None, rest: Sequence["Cut"]) -> bool:
        """Read a partition in pieces; return False, having read nothing, if it can't be cut this way.

        `page` is an answer that did not hold all of it, if there was one. `rest` are the cuts for pieces that this one
        can't make small enough.
        """
        ...


def is_one_value(partition: Partition, path: str) -> bool:
    """Return whether a partition's documents share one value of a field, or have none."""
    return any(
        condition.field == path and isinstance(condition, Equals | Null | NotANumber)
        for condition in partition.conditions
    )


def valueless(partition: Partition, path: str, edm_type: str) -> list[Condition]:
    """Return the conditions for a partition's documents that no range of a field's values holds."""
    if any(condition.field == path and isinstance(condition, Between | Number) for condition in partition.conditions):
        return []
    nulls: list[Condition] = [Null(path)]
    return [*nulls, NotANumber(path)] if edm_type == "Edm.Double" else nulls


def any_value(path: str, edm_type: str) -> Condition:
    """Return the condition for documents with a value that ranges hold."""
    return Number(path) if edm_type == "Edm.Double" else Between(path)


def between(partition: Partition, narrower: Between) -> Partition:
    """Return the documents of a partition between two values, with one condition for the field in place of several.

    A bound that is left out is the partition's own.
    """
    own = partition.conditions[-1] if partition.conditions else None
    if not isinstance(own, Between) or own.field != narrower.field:
        return partition.narrowed(narrower)
    low = (narrower.low, narrower.after) if narrower.low is not None else (own.low, own.after)
    high = narrower.high if narrower.high is not None else own.high
    merged = Between(own.field, low=low[0], high=high, after=low[1])
    return Partition(
        conditions=(*partition.conditions[:-1], merged), lucene=partition.lucene, orderby=partition.orderby
    )
