"""Choose how many documents to ask for at once."""

from indexvault.search.query import MOST_PER_PAGE

PAGE_BYTES = 2 * 1024 * 1024
"""Bytes that an answer should have: small in memory, quick on the wire."""
_GROWTH = 1.5


def page_size(average_document_bytes: float) -> int:
    """Return how many documents of that size make an answer of about PAGE_BYTES."""
    return max(1, min(MOST_PER_PAGE, int(PAGE_BYTES / max(1.0, average_document_bytes))))


class PageSize:
    """A page size that adapts to the size of the documents and to what the service manages to answer.

    Documents often grow along an index, so only the last page counts.
    """

    def __init__(self, average_document_bytes: float) -> None:
        self._fitting = page_size(average_document_bytes)
        self._limit = MOST_PER_PAGE

    @property
    def current(self) -> int:
        """Documents to ask for next."""
        return min(self._fitting, self._limit)

    def answered(self, documents: int, size: int) -> None:
        """Note an answer of so many documents and bytes. A page size that had to shrink grows back step by step."""
        if documents:
            self._fitting = page_size(size / documents)
        if documents >= self._limit:
            self._limit = min(MOST_PER_PAGE, max(self._limit + 1, int(self._limit * _GROWTH)))

    def shrink(self) -> bool:
        """Note that a page was too large or too slow. Return False if no smaller one can be asked for."""
        if self.current <= 1:
            return False
        self._limit = self.current // 2
        return True
