"""Cut at values of a field that can be filtered, taken from a sample: the answer that did not hold all documents.

Nothing has to be sorted, and any values may be the bounds: intervals between them hold each document, whatever order
the service compares by. Where the sample does not stand for the rest, one interval stays too large and is cut again.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from indexvault.backup.answers import is_whole, literal_reader, value_reader
from indexvault.backup.cuts.cut import Cut, Reader, any_value, between, is_one_value, valueless
from indexvault.backup.partition import Between, Condition, Equals, Partition
from indexvault.search.page import Page
from indexvault.search.schema import Field

_FILLED = 0.7
"""The part of an answer that a piece should fill: the sample only says about how many documents it has."""


class BySample:
    """Cuts at values of one field, which may be the key."""

    def __init__(self, path: str, field: Field) -> None:
        self.name = f"intervals of {'the key ' if field.key else ''}{path} ({field.type.removeprefix('Edm.')})"
        self._path = path
        self._type = field.type
        self._is_key = field.key
        self._literal = literal_reader(path, field.type)
        self._order = _order_of(path, field.type)

    async def read(self, reader: Reader, partition: Partition, page: Page | None, rest: Sequence[Cut]) -> bool:
        """See `Cut.read`."""
        if is_one_value(partition, self._path):
            return False
        if not self._is_key and valueless(partition, self._path, self._type):
            for condition in valueless(partition, self._path, self._type):
                await reader.read(partition.narrowed(condition), rest)
            partition, page = partition.narrowed(any_value(self._path, self._type)), None
        size = reader.answers.size
        if page is None:
            page = await reader.answers.ask_keys(partition, self._path)
        else:
            size = min(size, max(1, len(page.documents)))
        if (page.count or 0) <= size and is_whole(page):
            await reader.read(msgspec.structs.replace(partition, documents=0), [self, *rest])
            return True
        cut = self._cut(page, partition, size)
        if cut is None:
            return False
        for condition, about in cut:
            if isinstance(condition, Between):
                piece = msgspec.structs.replace(between(partition, condition), documents=about)
                await reader.read(piece, [self, *rest])
            else:
                await reader.read(partition.narrowed(condition), rest)
        return True

    def _cut(self, page: Page, partition: Partition, size: int) -> list[tuple[Condition, int]] | None:
        """Return conditions, each with about how many documents meet it; None if nothing would become smaller."""
        lines = sorted((document.line for document in page.documents), key=self._order)
        values = Counter(value for value in map(self._literal, lines) if value is not None)  # in the order of the lines
        if not values:
            return None
        each = (page.count or 0) / values.total()
        room = max(1.0, _FILLED * size)
        pieces: list[tuple[Condition, int]] = []
        low, after, held = None, False, 0.0
        for value, times in values.items():
            weight = times * each
            if weight > room and times > 1:
                pieces.append((Between(self._path, low, value, after), round(held)))
                pieces.append((Equals(self._path, value), 0))
                low, after, held = value, True, 0.0
            elif held and held + weight > room:
                pieces.append((Between(self._path, low, value, after), round(held)))
                low, after, held = value, False, weight
            else:
                held += weight
        if low is None:
            pieces, low, after, held = self._at_the_middle(list(values), each)
        pieces.append((Between(self._path, low, None, after), round(held)))
        own = partition.conditions[-1] if partition.conditions else None
        if isinstance(own, Between) and own.field == self._path and own.after and own.low == low and after:
            return None
        return pieces

    def _at_the_middle(self, values: list[str], each: float) -> tuple[list[tuple[Condition, int]], str, bool, float]:
        middle = values[len(values) // 2]
        below = round(each * len(values) / 2)
        pieces: list[tuple[Condition, int]] = [(Between(self._path, None, middle), below)]
        if len(values) > 1:
            return pieces, middle, False, float(below)
        return [*pieces, (Equals(self._path, middle), 0)], middle, True, 0.0


def _order_of(path: str, edm_type: str) -> Callable[[bytes], Any]:
    """Return what sorts lines by a value; exactly as the service does is not needed."""
    read = value_reader(path)

    def order(line: bytes) -> Any:
        value = read(line)
        if edm_type in {"Edm.Double", "Edm.Int32", "Edm.Int64"}:
            number = float("nan") if value is None else float(value)
            return (number == number, number if number == number else 0.0)  # noqa: PLR0124 - NaN differs from itself
        return (value is not None, str(value))

    return order
