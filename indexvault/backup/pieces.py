"""Read a partition in pieces that fit one answer each; what nothing can cut is read in many readings."""

from collections.abc import Awaitable, Callable, Sequence

import msgspec

from indexvault.backup.answers import Answers, is_whole
from indexvault.backup.cuts.by_key_terms import ByKeyTerms
from indexvault.backup.cuts.by_sample import BySample
from indexvault.backup.cuts.by_split import BySplit
from indexvault.backup.cuts.by_walking import ByWalking
from indexvault.backup.cuts.cut import Cut
from indexvault.backup.index_probe import IndexProbe
from indexvault.backup.limits import LIMITS, Limits
from indexvault.backup.partition import Partition
from indexvault.backup.partitioners.by_bisection import ByBisection, bisectable_fields
from indexvault.backup.partitioners.by_facets import ByFacets, facetable_fields
from indexvault.backup.partitioners.by_field import ordered_fields, single_valued
from indexvault.search.literals import LITERAL_TYPES
from indexvault.search.page import Document
from indexvault.search.schema import Field, Schema

type Take = Callable[[Sequence[Document]], Awaitable[None]]


class Piece(msgspec.Struct, frozen=True):
    """A piece of a partition that was read, and its documents' number.

    A piece is read in one answer, or, if `paged`, in several readings; then `marks` are those of its keys, and `open`
    is how many documents its counts leave open, 0 if none.
    """

    partition: Partition
    documents: int
    paged: bool = False
    open: int = 0
    marks: bytes = b""


type ReadPaged = Callable[[Partition], Awaitable[Piece]]


def cuts_for(schema: Schema, limits: Limits = LIMITS) -> list[Cut]:
    """Return the ways to cut that an index's definition allows, the best first.

    A key comes first, since no document moves along it. Then fields that can be walked, one answer after the other;
    then those that can only be filtered.
    """
    key = schema.key
    found: list[Cut] = []
    if key.filterable is not False and not key.normalizer:
        found.append(BySample(key.name, key))
    walked = [(path, field) for path, field in ordered_fields(schema) if not field.normalizer]
    found += [ByWalking(path, field) for path, field in walked]
    used = {path for path, _field in walked}
    for path, field in single_valued(schema):
        if path not in used and _can_be_sampled(field):
            found.append(BySample(path, field))
            used.add(path)
    found += [
        BySplit(path, field, ByBisection, limits) for path, field in bisectable_fields(schema) if path not in used
    ]
    found += [BySplit(path, field, ByFacets, limits) for path, field in facetable_fields(schema) if path not in used]
    if key.searchable is not False:
        found.append(ByKeyTerms(key.name))
    return found


def _can_be_sampled(field: Field) -> bool:
    return (
        field.type in LITERAL_TYPES
        and field.type != "Edm.Boolean"
        and field.filterable is not False
        and field.is_readable
        and not field.key
        and not field.normalizer
    )


class PieceReader:
    """Reads partitions; see `cuts.cut.Reader`. `pieces` are those read so far."""

    def __init__(self, answers: Answers, probe: IndexProbe, take: Take, read_paged: ReadPaged) -> None:
        self.answers = answers
        self.probe = probe
        self.pieces: list[Piece] = []
        self._take = take
        self._read_paged = read_paged

    async def read(self, partition: Partition, cuts: Sequence[Cut]) -> None:
        """See `Reader.read`."""
        page = None
        if partition.documents <= self.answers.size:
            page = await self.answers.ask(partition)
            if is_whole(page):
                await self.keep(partition, page.documents)
                return
        for position, cut in enumerate(cuts):
            if await cut.read(self, partition, page, cuts[position + 1 :]):
                return
        self.pieces.append(await self._read_paged(partition))

    async def keep(self, partition: Partition, documents: Sequence[Document]) -> None:
        """See `Reader.keep`."""
        await self._take(documents)
        self.pieces.append(Piece(msgspec.structs.replace(partition, documents=len(documents)), len(documents)))
