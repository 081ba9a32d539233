"""Cutting an index that can't be read in key order into parts that can be read at all.

`$skip` reaches 100,000 documents, so a part must not be larger. Strategies are tried from the cheapest and surest to
the last resort; what one leaves too large is handed to the next.
"""

from collections.abc import Sequence

import msgspec

from backup.parts import Part
from backup.questions import Questions
from backup.strategies.by_bisection import ByBisection, bisectable_fields
from backup.strategies.by_facets import ByFacets, facetable_fields
from backup.strategies.by_field import ByField, ordered_fields
from backup.strategies.by_key_prefix import ByKeyRange, ByKeySearch
from backup.strategies.by_orderings import ByOrderings, sortable_paths
from backup.strategies.strategy import COMFORTABLE, REACH, Strategy
from search.schema import Schema

_MOST_ORDERS = 4


class Division(msgspec.Struct, frozen=True):
    """An index in parts.

    `used` names the strategies that cut, `tried` those that had nothing to cut with. `exact` says that each document is
    in exactly one part. `out_of_reach` are parts that nothing could make small enough; only their beginnings could be
    read, so they are not among `parts`.
    """

    parts: tuple[Part, ...]
    used: tuple[str, ...]
    tried: tuple[str, ...]
    exact: bool
    out_of_reach: tuple[Part, ...]


def strategies_for(schema: Schema, *, comfortable: int = COMFORTABLE) -> list[Strategy]:
    """Give the ways of cutting that an index's definition allows, the best first.

    First the key's own ranges, since keys never change. Then fields by rank (three small questions a part), fields by
    halving, facets, and last what does not cut exactly.
    """
    key = schema.key
    sortable = sortable_paths(schema)
    found: list[Strategy] = []
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


async def divide(questions: Questions, schema: Schema, documents: int, strategies: Sequence[Strategy]) -> Division:
    """Cut an index of so many documents."""
    work = _Work(questions, reading_order(schema))
    await work.divide(Part(documents=documents), list(strategies))
    tried = tuple(strategy.name for strategy in strategies if strategy.name not in work.used)
    return Division(tuple(work.parts), tuple(work.used), tried, work.exact, tuple(work.out_of_reach))


def reading_order(schema: Schema) -> str | None:
    """Give the order to read parts in: that of the key, else one with as few ties as can be had.

    Documents that tie come in an order that may change from page to page.
    """
    paths = sortable_paths(schema)
    if not paths:
        return None
    key = schema.key.name
    return f"{key} asc" if paths[0] == key else ",".join(f"{path} asc" for path in paths[:_MOST_ORDERS])


class _Work:
    def __init__(self, questions: Questions, order: str | None) -> None:
        self._questions = questions
        self._order = order
        self.parts: list[Part] = []
        self.used: list[str] = []
        self.exact = True
        self.out_of_reach: list[Part] = []

    async def divide(self, part: Part, strategies: Sequence[Strategy]) -> None:
        """Cut a part with the first strategy that can, and what is still too large with those after it."""
        if part.documents <= REACH or part.partial:
            self.parts.append(part if part.orderby else msgspec.structs.replace(part, orderby=self._order))
            return
        for position, strategy in enumerate(strategies):
            pieces = await strategy.split(self._questions, part)
            if not pieces or (not pieces[0].partial and max(each.documents for each in pieces) >= part.documents):
                continue
            self.exact = self.exact and strategy.exact
            if strategy.name not in self.used:
                self.used.append(strategy.name)
            for piece in pieces:
                await self.divide(piece, strategies[position + 1 :])
            return
        self.out_of_reach.append(part)
