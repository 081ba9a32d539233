"""Upload documents to an index, each accounted for by its key.

A batch is done when the service has answered for every key in it. A batch that is too large or refused is split until
the document at fault stands alone; documents that the service may accept later are sent again, fewer at once. Documents
that it refuses for good are collected with their reasons.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable

import msgspec

from indexvault.errors import OverloadedError, QuotaError, RefusedError, TooLargeError, UnexpectedAnswerError
from indexvault.restore.batches import Actions, Batch, batches, halves, joined, only, pieces, without
from indexvault.search.batch import MOST_ACTIONS, ItemResult, batch, may_pass
from indexvault.search.client import SearchService
from indexvault.search.retry import RetryPolicy
from indexvault.search.telemetry import note_retry
from indexvault.workflow.telemetry import batch_span

MOST_REFUSED = 100
"""Refused documents after which an upload that must not have any gives up."""
QUOTA_ROUNDS = 3
"""Rounds after which documents that are refused for a quota, and nothing else, end an upload."""
_FEWEST_AT_ONCE = 50
_GROWTH = 100
_LOG = logging.getLogger(__name__)

type Acknowledged = Callable[[str], Awaitable[None]]
"""Called after each batch with the key up to which every document is stored or refused."""


class Refused(msgspec.Struct, frozen=True):
    """A document that the service refuses for good, and why, without its values."""

    key: str
    reason: str


class UploadTotals(msgspec.Struct):
    """What has been uploaded so far. `bytes` are those of the actions as sent.

    `given_up` says that too many documents were refused, and the rest was not tried.
    """

    documents: int = 0
    bytes: int = 0
    requests: int = 0
    refused: list[Refused] = []
    given_up: bool = False


class _TooManyRefusedError(Exception):
    """Ends an upload within this module."""


class Uploader:
    """Sends actions to one index.

    `begin` is what each action begins with and lacks. Gives up once `most_refused` documents are refused for good
    (None: never). Raises OverloadedError for a document
    that the service did not take within the retry limits, QuotaError if the service is full: then no document is at
    fault, and skipping them would skip all that follow.
    """

    def __init__(
        self,
        service: SearchService,
        index: str,
        *,
        rng: random.Random,
        retry: RetryPolicy | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        most_refused: int | None = MOST_REFUSED,
        begin: bytes = b"",
    ) -> None:
        self._service = service
        self._index = index
        self._on = f"{service.name} index {index}"
        self._rng = rng
        self._retry = retry or RetryPolicy()
        self._sleep = sleep
        self._most_refused = most_refused
        self._begin = begin
        self._at_once = MOST_ACTIONS
        self._quota = ""
        self.totals = UploadTotals()

    async def upload(self, actions: Actions, acknowledged: Acknowledged | None = None) -> UploadTotals:
        """Send actions, in the order of their keys, and return the totals."""
        async for each in batches(actions, len(self._begin)):
            try:
                await self._store(each)
            except _TooManyRefusedError:
                self.totals.given_up = True
                break
            if acknowledged is not None:
                await acknowledged(each.keys[-1])
        return self.totals

    async def _store(self, whole: Batch) -> None:
        failures = 0
        remaining = whole
        while remaining.keys:
            self._quota = ""
            left = joined([await self._send(piece) for piece in pieces(remaining, self._at_once)])
            if not left.keys:
                self._at_once = min(MOST_ACTIONS, self._at_once + _GROWTH)
                return
            failures = failures + 1 if len(left.keys) == len(remaining.keys) else 1
            remaining = left
            if self._quota and failures >= QUOTA_ROUNDS:
                raise QuotaError(
                    f"{len(remaining.keys)} documents were refused {failures} times, first {remaining.keys[0]!r}:"
                    f" {self._quota}",
                    on=self._on,
                    do="Free some of the quota or choose a larger tier, then run the same command again: it resumes",
                )
            if failures >= self._retry.attempts:
                raise OverloadedError(
                    f"{len(remaining.keys)} documents were put off {failures} times, first {remaining.keys[0]!r}",
                    on=self._on,
                    do="Try again when the service is less busy",
                )
            self._at_once = max(_FEWEST_AT_ONCE, self._at_once // 2)
            wait = self._retry.wait(failures, None, self._rng)
            _LOG.warning(
                "%d of %d documents put off by the service; again in %.1f s", len(remaining.keys), len(whole.keys), wait
            )
            note_retry(self._service.name)
            await self._sleep(wait)

    async def _send(self, part: Batch) -> Batch:
        """Send a batch and return what to send again."""
        size = self._size(part)
        with batch_span(self._service.name, self._index, len(part.keys), size) as span:
            again = await self._sent(part)
            span.set_attribute("indexvault.documents.again", len(again.keys))
        return again

    async def _sent(self, part: Batch) -> Batch:
        self.totals.requests += 1
        try:
            answer = await self._service.index_documents(self._index, batch(part.actions, self._begin))
        except RefusedError as error:
            if len(part.keys) > 1:
                return joined([await self._send(half) for half in halves(part)])
            self._refuse(
                part.keys[0],
                "it is larger than the service takes" if isinstance(error, TooLargeError) else error.what,
            )
            return Batch([], [])
        results = [answer.results.get(key) for key in part.keys]
        if all(result is not None and result.status for result in results):
            self.totals.documents += len(part.keys)
            self.totals.bytes += self._size(part)
            return Batch([], [])
        again: set[str] = set()
        others: set[str] = set()
        for key, result in zip(part.keys, results, strict=True):
            if result is None:
                raise UnexpectedAnswerError(
                    f"no result for the document with key {key!r}", on=self._on, do="Run the restore again"
                )
            if result.status:
                continue
            others.add(key)
            if result.names_quota:
                self._quota = result.error_message or ""
                again.add(key)
            elif may_pass(result.status_code):
                again.add(key)
            else:
                self._refuse(key, _reason(result))
        stored = without(part, others)
        self.totals.documents += len(stored.keys)
        self.totals.bytes += self._size(stored)
        return only(part, again)

    def _size(self, part: Batch) -> int:
        """Return the bytes of a batch's actions as sent."""
        return sum(map(len, part.actions)) + len(self._begin) * len(part.actions)

    def _refuse(self, key: str, reason: str) -> None:
        self.totals.refused.append(Refused(key=key, reason=reason))
        if self._most_refused is not None and len(self.totals.refused) >= self._most_refused:
            raise _TooManyRefusedError


def _reason(result: ItemResult) -> str:
    says = f": {result.error_message}" if result.error_message else ""
    return f"the service refuses the document (HTTP {result.status_code}){says}"
