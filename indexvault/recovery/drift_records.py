"""The last measured drift of each index of a pair whose services are both written to.

The records lie in the store of the pair's standby.
"""

from datetime import datetime

import msgspec

from indexvault.errors import ErrorRecord
from indexvault.snapshots.manifest import AwareTime
from indexvault.snapshots.records import RecordStore
from indexvault.snapshots.run_names import drift_name, drifts_prefix
from indexvault.snapshots.store import RunBlobs

_LIMIT = 1024 * 1024


class DriftState(msgspec.Struct, frozen=True, kw_only=True):
    """What differs between an index of the authority `one` and that of `other`.

    `index` is `$service` for the other objects of both. `changed`, `missing` and `extra` are documents: `other` lacks
    the missing ones, and only it has the extra ones. `definition` names what differs in the definitions, or objects
    that only one side has. `absent` is the service that lacks the whole index. `since` is when a drift was first
    measured that has not been seen to end, None if the two are alike. `failure` is why the last measurement, at
    `tried_at`, did not come to its end: what the others say is of `measured` then.
    """

    pair: str
    index: str
    one: str
    other: str
    run: str
    tried_at: AwareTime
    measured: AwareTime | None = None
    changed: int = 0
    missing: int = 0
    extra: int = 0
    moving: int = 0
    documents: int = 0
    definition: list[str] = []
    absent: str | None = None
    since: AwareTime | None = None
    failure: ErrorRecord | None = None
    requests: int = 0

    @property
    def deviating(self) -> int:
        """How many documents differ."""
        return self.changed + self.missing + self.extra

    @property
    def differs(self) -> bool:
        """Whether the two sides are known to differ."""
        return bool(self.deviating or self.definition or self.absent)


def with_since(state: DriftState, before: DriftState | None, now: datetime) -> DriftState:
    """Return a measured drift with the time at which it was first seen, given what was known before."""
    if not state.differs:
        return msgspec.structs.replace(state, since=None)
    known = None if before is None else before.since
    return msgspec.structs.replace(state, since=known or now)


async def read_drifts(runs: RunBlobs, pair: str) -> list[DriftState]:
    """Return the last measured drifts of a pair, by index. `runs` are those of the standby's store.

    Raises IntegrityError.
    """
    return [state async for _name, state in _records(runs).list(drifts_prefix(pair))]


async def read_drift(runs: RunBlobs, pair: str, index: str) -> DriftState | None:
    """Return the last measured drift of one index. Raises IntegrityError."""
    return await _records(runs).read(drift_name(pair, index))


async def write_drift(runs: RunBlobs, state: DriftState) -> None:
    """Keep a measured drift."""
    await _records(runs).write(drift_name(state.pair, state.index), state)


async def forget_drift(runs: RunBlobs, pair: str, index: str) -> None:
    """Remove the drift of an index that neither service has any more."""
    await _records(runs).remove(drift_name(pair, index))


def _records(runs: RunBlobs) -> RecordStore[DriftState]:
    return RecordStore(
        runs,
        DriftState,
        what="what is known of a drift can't be read",
        do="Delete the blob: the next measurement writes it again",
        limit=_LIMIT,
    )
