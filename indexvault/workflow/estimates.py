"""How far an item of a run is, and how long it still takes."""

from datetime import datetime

import msgspec

from indexvault.workflow.progress import RunProgress
from indexvault.workflow.runs import RunKind

_STAGES: dict[RunKind, int] = {"restore": 3, "drill": 3, "follow": 3, "failover": 3, "move": 5}
"""Number of stages that go through every document, if more than one: a restore verifies, loads and compares, also as a
part of something else; a move also reads, and then compares with its source."""


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """How far an item is.

    `documents` and `bytes` count the current stage, of which `expected` documents are known; `done` and `whole` count
    documents through all stages. `rate` is in documents per second over all stages so far.
    """

    stage: str
    documents: int
    bytes: int
    expected: int | None
    done: int
    whole: int | None
    rate: float | None
    seconds_left: int | None


def estimate(kind: RunKind, progress: RunProgress, now: datetime) -> Estimate:
    """Return how far an item of a run of this kind is."""
    name, stage = next(reversed(progress.stages.items()))
    done = sum(each.documents for each in progress.stages.values())
    expected = next((each.expected for each in progress.stages.values() if each.expected is not None), None)
    whole = None if expected is None else expected * _STAGES.get(kind, 1)
    elapsed = (now - progress.started).total_seconds()
    rate = done / elapsed if elapsed > 0 and done else None
    return Estimate(
        stage=name,
        documents=stage.documents,
        bytes=stage.bytes,
        expected=expected,
        done=done,
        whole=whole,
        rate=None if rate is None else round(rate, 1),
        seconds_left=None if rate is None or whole is None else max(0, round((whole - done) / rate)),
    )
