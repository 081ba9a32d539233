"""Walk along a field that can be filtered and sorted, one answer after the other.

Each answer is sorted by the field and begins at a value. Documents below the last value of the answer are all there,
since sorting puts them before any that has it; those that have it may be cut off, so the next answer begins with it. A
value that fills an answer alone is a partition of its own. So there is no `$skip`, ties decide nothing, pages need not
join, and each answer is exact for its interval at its moment.
"""

from collections.abc import Sequence

from indexvault.backup.answers import is_whole, literal_reader
from indexvault.backup.cuts.cut import Cut, Reader, any_value, between, is_one_value, valueless
from indexvault.backup.partition import Between, Equals, Partition
from indexvault.search.page import Page
from indexvault.search.schema import Field


class ByWalking:
    """Walks along one field."""

    def __init__(self, path: str, field: Field) -> None:
        self.name = f"one answer after the other along {path} ({field.type.removeprefix('Edm.')})"
        self._path = path
        self._type = field.type
        self._literal = literal_reader(path, field.type)

    async def read(self, reader: Reader, partition: Partition, page: Page | None, rest: Sequence[Cut]) -> bool:
        """See `Cut.read`. It asks anew, since the answer that there was has no order."""
        del page
        if is_one_value(partition, self._path):
            return False
        for condition in valueless(partition, self._path, self._type):
            await reader.read(partition.narrowed(condition), rest)
        if valueless(partition, self._path, self._type) and self._type == "Edm.Double":
            partition = partition.narrowed(any_value(self._path, self._type))
        edge: Between | None = Between(self._path)
        while edge is not None:
            edge = await self._step(reader, partition, edge, rest)
        return True

    async def _step(self, reader: Reader, partition: Partition, edge: Between, rest: Sequence[Cut]) -> Between | None:
        """Read from an edge on; return the next edge, or None if that was all."""
        piece = between(partition, edge)
        page = await reader.answers.ask(piece, orderby=f"{self._path} asc")
        if is_whole(page):
            await reader.keep(piece, page.documents)
            return None
        last = self._literal(page.documents[-1].line) if page.documents else None
        begun = piece.conditions[-1]
        low, after = (begun.low, begun.after) if isinstance(begun, Between) else (None, False)
        if last is None or (low, after) == (last, True):
            await reader.read(piece, rest)  # the field does not sort as it compares
            return None
        below = len(page.documents)
        while below and self._literal(page.documents[below - 1].line) == last:
            below -= 1
        if below and low != last:
            await reader.keep(
                between(partition, Between(self._path, edge.low, last, edge.after)), page.documents[:below]
            )
            return Between(self._path, low=last)
        await reader.read(partition.narrowed(Equals(self._path, last)), rest)
        return Between(self._path, low=last, after=True)
