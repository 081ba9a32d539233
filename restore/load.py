"""Documents into an index, each accounted for by its key.

A batch is done when the service has said of every key in it that it is stored. Too large a batch is split, a refused
one is split until the document that spoils it stands alone, and what the service may accept later is sent again.
"""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable

import msgspec

from errors import OverloadedError, RefusedError, TooLargeError, UnexpectedAnswerError
from restore.batches import Batch, batches, halves, only
from search.batch import may_pass, upload_batch
from search.retry import RetryPolicy
from search.service import SearchService

_LOG = logging.getLogger(__name__)


class Loaded(msgspec.Struct):
    """What has been stored so far."""

    documents: int = 0
    bytes: int = 0
    requests: int = 0


class Loader:
    """Loads documents into one index.

    Raises RefusedError naming the key of a document that the service refuses for good, OverloadedError for one
    it would not take within the retry limits.
    """

    def __init__(
        self,
        service: SearchService,
        index: str,
        *,
        chance: random.Random,
        retry: RetryPolicy | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._service = service
        self._index = index
        self._on = f"{service.name} index {index}"
        self._chance = chance
        self._retry = retry or RetryPolicy()
        self._sleep = sleep
        self.loaded = Loaded()

    async def load(self, documents: AsyncIterator[tuple[str, bytes]]) -> Loaded:
        """Store documents, given as keys and lines, and say what was stored."""
        async for batch in batches(documents):
            await self._store(batch)
        return self.loaded

    async def _store(self, batch: Batch) -> None:
        failures = 0
        remaining = batch
        while remaining.keys:
            left = await self._send(remaining)
            failures = failures + 1 if len(left.keys) == len(remaining.keys) else 1
            remaining = left
            if not remaining.keys:
                return
            if failures >= self._retry.attempts:
                raise OverloadedError(
                    f"{len(remaining.keys)} documents were put off {failures} times, first {remaining.keys[0]!r}",
                    on=self._on,
                    do="Try again when the service is less busy",
                )
            wait = self._retry.wait(failures, None, self._chance)
            _LOG.warning(
                "%d of %d documents put off by the service; again in %.1f s", len(remaining.keys), len(batch.keys), wait
            )
            await self._sleep(wait)

    async def _send(self, batch: Batch) -> Batch:
        """Send a batch and give what is to be sent again."""
        self.loaded.requests += 1
        try:
            answer = await self._service.index_documents(self._index, upload_batch(batch.lines))
        except RefusedError as error:
            if len(batch.keys) > 1:
                return await self._send_halves(batch)
            reason = "it is larger than the service takes" if isinstance(error, TooLargeError) else error.what
            raise RefusedError(
                f"the service refuses the document with key {batch.keys[0]!r}: {reason}",
                on=self._on,
                do="Compare the document with the index's definition",
            ) from None
        stored: set[str] = set()
        again: set[str] = set()
        for key in batch.keys:
            result = answer.results.get(key)
            if result is None:
                raise UnexpectedAnswerError(
                    f"no result for the document with key {key!r}", on=self._on, do="Run the restore again"
                )
            if result.status:
                stored.add(key)
            elif may_pass(result.status_code):
                again.add(key)
            else:
                raise RefusedError(
                    f"the service refuses the document with key {key!r} (HTTP {result.status_code})",
                    on=self._on,
                    do="Compare the document with the index's definition",
                )
        self.loaded.documents += len(stored)
        self.loaded.bytes += sum(len(line) for line in only(batch, stored).lines)
        return only(batch, again)

    async def _send_halves(self, batch: Batch) -> Batch:
        first, second = halves(batch)
        left, right = await self._send(first), await self._send(second)
        return Batch(left.keys + right.keys, left.lines + right.lines)
