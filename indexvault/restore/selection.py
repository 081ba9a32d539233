"""Select documents of a snapshot: all, those with listed keys, or those that a filter matches.

A filter is a JMESPath expression over one document, as `az --query` takes it, such as "Rating >= `4`" or
"contains(Tags, 'pool')". A document matches if the result is true in JMESPath's sense: not null, false or empty.
"""

import asyncio
from bisect import bisect_left
from collections.abc import Sequence
from contextlib import aclosing
from itertools import batched

from indexvault.errors import NotFoundError, SettingsError
from indexvault.restore.document_filter import DocumentFilter
from indexvault.snapshots.chunk_documents import KeyedLine
from indexvault.snapshots.chunks import Chunk
from indexvault.snapshots.tree import Tree
from indexvault.snapshots.tree_keys import chunks_with_keys
from indexvault.snapshots.tree_reader import TreeReader

MOST_KEYS = 10_000
MOST_KEY_BYTES = 256 * 1024
"""All listed keys together: they are part of the job, which is passed between the steps of a workflow."""
_NAMED = 10
_FILTERED_AT_ONCE = 256
"""Documents: a thread can't be ended, so it is given no more than a few seconds' work."""


class Selection:
    """The documents that a restore is about. Raises SettingsError for too many keys, or a filter that can't be read."""

    def __init__(self, keys: Sequence[str] = (), filter: str | None = None) -> None:  # noqa: A002 - what people call it
        if len(keys) > MOST_KEYS:
            raise SettingsError(
                f"{len(keys)} keys are listed", on="keys", do=f"List at most {MOST_KEYS}, or use a filter"
            )
        if (size := sum(len(key.encode()) for key in keys)) > MOST_KEY_BYTES:
            raise SettingsError(
                f"the listed keys have {size} bytes",
                on="keys",
                do=f"List at most {MOST_KEY_BYTES} bytes of keys, or use a filter",
            )
        self.keys = frozenset(keys)
        self._in_order = sorted(self.keys)
        self._filter = DocumentFilter(filter) if filter is not None else None

    @property
    def everything(self) -> bool:
        """Whether every document is selected."""
        return not self.keys and self._filter is None

    def takes(self, key: str, line: bytes) -> bool:
        """Return whether a document is selected. Raises SettingsError if the filter can't be applied to it."""
        if self.keys and key not in self.keys:
            return False
        return self._filter is None or self._filter.matches(line)

    async def selected(self, documents: Sequence[KeyedLine]) -> Sequence[KeyedLine]:
        """Return the selected documents, in order. A filter is evaluated in a thread.

        Raises SettingsError if the filter can't be applied to a document.
        """
        if self.everything:
            return documents
        if self._filter is None:
            return self._selected(documents)
        found: list[KeyedLine] = []
        for few in batched(documents, _FILTERED_AT_ONCE, strict=False):
            found += await asyncio.to_thread(self._selected, few)
        return found

    def _selected(self, documents: Sequence[KeyedLine]) -> list[KeyedLine]:
        return [(key, line) for key, line in documents if self.takes(key, line)]

    def chunks(self, chunks: Sequence[Chunk]) -> Sequence[Chunk]:
        """Return those of consecutive chunks that can hold listed keys; all of them if no keys are listed."""
        return chunks_holding(chunks, self._in_order) if self.keys else chunks

    async def positions(self, reader: TreeReader, tree: Tree) -> list[int]:
        """Return the positions of the chunks of a tree that can hold listed keys: no more than there are keys.

        Raises IntegrityError and NotFoundError as `TreeReader.open` does.
        """
        async with aclosing(chunks_with_keys(reader, tree, self.keys)) as found:
            return [each.position async for each in found]

    def require_all(self, found: set[str], *, on: str) -> None:
        """Raise NotFoundError naming the listed keys that were not found."""
        missing = sorted(self.keys - found)
        if missing:
            more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
            raise NotFoundError(
                f"it has no document with key {', '.join(map(repr, missing[:_NAMED]))}{more}; nothing was touched",
                on=on,
                do="Leave these keys out, or use an older snapshot",
            )


def chunks_holding(chunks: Sequence[Chunk], keys: Sequence[str]) -> list[Chunk]:
    """Return those of consecutive chunks that can hold some keys, which rise."""
    found, at = [], 0
    for chunk in chunks:
        at = bisect_left(keys, chunk.first, at)
        if at < len(keys) and keys[at] <= chunk.last:
            found.append(chunk)
    return found
