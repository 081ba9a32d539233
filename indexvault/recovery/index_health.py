"""Whether a service answers queries on the indexes of its pairs, asked with few requests.

Whoever routes by it asks all day long, so a turn asks at most `MOST_QUERIES`; with more indexes than that, the next
turn asks the next ones. An index that did not answer is asked in every turn until it does.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from typing import Literal

import msgspec

from indexvault.errors import IndexvaultError, NotFoundError
from indexvault.search.client import SearchService
from indexvault.search.page import PageReader
from indexvault.search.query import DocumentQuery
from indexvault.settings.patterns import plain_names, select

QUERY_SECONDS = 2.0
"""How long a query may take, asked again after an answer such as 503 within that time."""
MOST_QUERIES = 20
"""Queries of one turn."""
AT_ONCE = 4
TURN_SECONDS = 4.5
"""How long a turn may take. What could not be asked by then is asked first in the next one."""
NAMES_SECONDS = 30.0
"""How long a list of indexes is kept: a service lists them three times a second at most. Source: Throttling limits in
Azure AI Search, 2026-06."""

type Finding = Literal["answers", "silent", "not listed", "none"]
"""Every index that was asked answers; one did not; the indexes can't be listed; there is none."""

type Answer = Literal["answers", "silent", "gone", "not asked"]

_QUERY = DocumentQuery()
_READER = PageReader("key")
"""The query asks for no document, so that no key is looked for."""
_LOG = logging.getLogger(__name__)


class Turn(msgspec.Struct, frozen=True):
    """Which indexes to ask now: those that were silent, then the next ones of all."""

    names: tuple[str, ...]
    start: int
    """Where the next turn starts."""


def next_turn(names: Sequence[str], silent: frozenset[str], start: int, most: int = MOST_QUERIES) -> Turn:
    """Return the indexes to ask. Silent ones take half of a turn at most, so that the others are asked, too."""
    if not names:
        return Turn((), 0)
    again = [name for name in names if name in silent][: max(1, most // 2)]
    start %= len(names)
    rotated = [*names[start:], *names[:start]]
    fresh = [name for name in rotated if name not in again][: most - len(again)]
    last = names.index(fresh[-1]) + 1 if fresh else start
    return Turn((*again, *fresh), last % len(names))


class IndexHealth:
    """What is known of a service's indexes that `patterns` name."""

    def __init__(
        self,
        service: SearchService,
        patterns: Sequence[str],
        *,
        seconds: float = QUERY_SECONDS,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._service = service
        self._patterns = patterns
        self._seconds = seconds
        self._now = now
        self._names: list[str] | None = None
        self._listed_until = 0.0
        self._silent = frozenset[str]()
        self._start = 0

    async def ask(self) -> Finding:
        """Ask one turn and return what is known after it, within `TURN_SECONDS`."""
        begin_until = self._now() + TURN_SECONDS - self._seconds
        await self._list()
        if self._names is None:
            return "not listed"
        turn = next_turn(self._names, self._silent, self._start)
        gate = asyncio.Semaphore(AT_ONCE)
        found: dict[str, Answer] = {}
        async with asyncio.TaskGroup() as group:
            for name in turn.names:
                group.create_task(self._ask_one(name, gate, found, begin_until))
        left = [name for name in turn.names if found[name] == "not asked"]
        self._start = self._names.index(left[0]) if left else turn.start
        silent = {name for name, answer in found.items() if answer == "silent"}
        asked = {name for name, answer in found.items() if answer != "not asked"}
        self._silent = frozenset((self._silent - asked | silent).intersection(self._names))
        if self._silent:
            return "silent"
        return "answers" if self._names else "none"

    async def _list(self) -> None:
        """Keep the names of the indexes. If they can't be listed, those of the last time stand."""
        if self._names is not None and self._now() < self._listed_until:
            return
        try:
            async with asyncio.timeout(self._seconds):
                there = await self._service.index_names()
        except (IndexvaultError, TimeoutError) as error:
            _LOG.info("health: the indexes of %s can't be listed: %s", self._service.name, self._said(error))
            return
        # One that is named in full has to be there; what a pattern matches may be deleted by its owner.
        chosen = select(there, self._patterns)
        self._names = sorted([*chosen.found, *chosen.missing])
        self._listed_until = self._now() + NAMES_SECONDS

    async def _ask_one(self, name: str, gate: asyncio.Semaphore, found: dict[str, Answer], begin_until: float) -> None:
        async with gate:
            # One that is silent decides the answer: the others need not be asked of a service that is in trouble.
            is_decided = "silent" in found.values() or self._now() >= begin_until
            found[name] = "not asked" if is_decided else await self._answer(name)

    async def _answer(self, name: str) -> Answer:
        try:
            async with asyncio.timeout(self._seconds):
                await self._service.count_found(name, _QUERY, _READER)
        except NotFoundError:
            if name in plain_names(self._patterns):
                return "silent"
            self._listed_until = 0.0
            return "gone"
        except (IndexvaultError, TimeoutError) as error:
            _LOG.info("health: index %s of %s does not answer: %s", name, self._service.name, self._said(error))
            return "silent"
        return "answers"

    def _said(self, error: IndexvaultError | TimeoutError) -> str:
        return str(error) if isinstance(error, IndexvaultError) else f"no answer within {self._seconds:g} s"
