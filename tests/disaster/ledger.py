"""What a writer was told is stored: the truth that a disaster is measured against.

Every write of a document has a number, which stands in the document as `seq`. From what an index holds afterwards
follows which writes are in it, and which were lost.
"""

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

type Content = Mapping[str, Mapping[str, Any]]
"""Documents by key."""


@dataclass(frozen=True, slots=True)
class Write:
    """A write of one document, None if it was deleted. Times are seconds since 1970.

    `acknowledged` is when its service said that it is stored; None if nobody knows.
    """

    seq: int
    key: str
    document: Mapping[str, Any] | None
    service: str
    sent: float
    acknowledged: float | None


@dataclass(frozen=True, slots=True)
class Loss:
    """What an index lacks: acknowledged writes, and documents that no write explains."""

    lost: tuple[Write, ...]
    strange: tuple[str, ...]

    def since(self, failure: float) -> float:
        """Return how many seconds before the failure the first lost write was acknowledged."""
        return max((failure - each.acknowledged for each in self.lost if each.acknowledged), default=0.0)


@dataclass
class Ledger:
    """The writes to one pair, in their order."""

    writes: list[Write] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, writes: Iterable[Write]) -> None:
        """Note writes."""
        with self._lock:
            self.writes.extend(writes)

    def known(self) -> list[Write]:
        """Return a copy of what was noted."""
        with self._lock:
            return list(self.writes)


def judge(writes: Iterable[Write], content: Content, *, forgiven: frozenset[int] = frozenset()) -> Loss:
    """Return what content lacks of acknowledged writes.

    A write that nobody knows of may be there or not. `forgiven` are the numbers of writes that were lost before: what
    they wrote over counts again.
    """
    by_key: dict[str, list[Write]] = {}
    for each in sorted(writes, key=lambda write: write.seq):
        if each.seq not in forgiven:
            by_key.setdefault(each.key, []).append(each)
    lost: list[Write] = []
    strange = [key for key in content if key not in by_key]
    for key, of_key in by_key.items():
        there = content.get(key)
        position = _position(of_key, there)
        if position is None:
            strange.append(key)
            continue
        lost += [each for each in of_key[position + 1 :] if each.acknowledged is not None]
    return Loss(tuple(sorted(lost, key=lambda write: write.seq)), tuple(sorted(strange)))


def _position(writes: list[Write], there: Mapping[str, Any] | None) -> int | None:
    """Return the newest write that a document's state is of, -1 if it is as before all, or None if it is of none."""
    if there is None:
        deletions = [at for at, each in enumerate(writes) if each.document is None]
        # Before its first write a document is not there either: whichever is newer explains the state.
        return deletions[-1] if deletions else -1
    for at in range(len(writes) - 1, -1, -1):
        if writes[at].document is not None and dict(writes[at].document or {}) == dict(there):
            return at
    return None
