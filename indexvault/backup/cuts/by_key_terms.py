"""Cut what a prefix query on the key finds by the character that follows the prefix.

The characters are put together in groups, by how many documents of a sample have them. Every character that a key can
have is in a group, so a document that the longer prefixes don't find is one that the shorter one found in another of
its terms; the count of the whole index decides whether any was missed. Keys never change, so no document moves.
"""

import re
from collections import Counter
from collections.abc import Sequence

import msgspec

from indexvault.backup.cuts.cut import Cut, Reader
from indexvault.backup.partition import Partition
from indexvault.backup.partitioners.by_key_prefix import CHARACTERS, LONGEST
from indexvault.search.page import Page

_PREFIX = re.compile(r"(?:\\.|[^\\*\s])*\*")
_FILLED = 0.7
_SPECIAL = re.compile(r"([-=])")


class ByKeyTerms:
    """Cuts by the key's next character."""

    def __init__(self, key_field: str) -> None:
        self.name = f"prefix queries on the key {key_field}, one answer each"

    async def read(self, reader: Reader, partition: Partition, page: Page | None, rest: Sequence[Cut]) -> bool:
        """See `Cut.read`. A query for more than one prefix is split into its prefixes first."""
        lucene = partition.lucene
        if lucene is None:
            return False
        prefixes = lucene.split(" ")
        if len(prefixes) > 1:
            for each in prefixes:
                await reader.read(_matching(partition, each), [self, *rest])
            return True
        if _PREFIX.fullmatch(lucene) is None:
            return False
        prefix = lucene[:-1].replace("\\", "")
        if len(prefix) >= LONGEST:
            return False
        size = reader.answers.size if page is None else min(reader.answers.size, max(1, len(page.documents)))
        if page is None:
            page = await reader.answers.ask_keys(partition)
        await reader.read(_matching(partition, _escaped(prefix)), rest)
        for group in self._groups(prefix, page, size):
            query = " ".join(f"{_escaped(prefix + character)}*" for character in group)
            await reader.read(_matching(partition, query), [self, *rest])
        return True

    def _groups(self, prefix: str, page: Page, size: int) -> list[str]:
        """Group the characters so that each group has about as many documents as an answer holds."""
        begins = re.compile(re.escape(prefix) + "(.)", re.IGNORECASE)
        found = Counter(match[1] for document in page.documents if (match := begins.search(document.key)))
        each = (page.count or 0) / max(1, found.total())
        groups, held = [""], 0.0
        for character in sorted(CHARACTERS, key=lambda one: (one.casefold(), one)):
            weight = found[character] * each
            if groups[-1] and held + weight > _FILLED * size:
                groups.append("")
                held = 0.0
            groups[-1] += character
            held += weight
        return groups


def _matching(partition: Partition, lucene: str) -> Partition:
    return msgspec.structs.replace(partition, lucene=lucene, documents=0)


def _escaped(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", text)
