"""The two sides of a comparison of snapshots, from one walk over both trees."""

from collections import deque
from collections.abc import AsyncGenerator

from indexvault.snapshots.manifest import Manifest
from indexvault.snapshots.spans import Span, SpanReader, gap
from indexvault.snapshots.store import SnapshotReader
from indexvault.snapshots.tree_difference import differing_regions
from indexvault.snapshots.tree_reader import TreeReader


class DifferingSpans:
    """The chunks in which two snapshots differ, as spans of each side: `one` and `other`. Close it after use.

    Where a side has nothing in a region of keys, a gap says so: so the other side's spans are used up before the walk
    goes on, and no more than two regions are held.
    """

    def __init__(self, blobs: SnapshotReader, before: Manifest, after_blobs: SnapshotReader, after: Manifest) -> None:
        self._readers = SpanReader(blobs, before), SpanReader(after_blobs, after)
        self._waiting: tuple[deque[Span], deque[Span]] = deque(), deque()
        self._regions = differing_regions(
            TreeReader(blobs, before.folder), before.tree, TreeReader(after_blobs, after.folder), after.tree
        )

    @property
    def held(self) -> int:
        """The number of spans that wait to be used."""
        return sum(len(waiting) for waiting in self._waiting)

    async def spans(self, side: int) -> AsyncGenerator[Span]:
        """Yield the spans of the first (0) or the second side (1), in key order."""
        waiting = self._waiting[side]
        while True:
            if not waiting:
                region = await anext(self._regions, None)
                if region is None:
                    return
                for reader, queue, chunks in zip(self._readers, self._waiting, (region.one, region.other), strict=True):
                    queue.extend(reader.spans(chunks))
                if not waiting:
                    yield gap(region.edge + _LEAST)
                    continue
            yield waiting.popleft()

    async def close(self) -> None:
        """Stop the walk and what is being read."""
        await self._regions.aclose()
        for reader in self._readers:
            await reader.close()


_LEAST = "\0"
"""After a key comes no other before the same one with this behind it."""
