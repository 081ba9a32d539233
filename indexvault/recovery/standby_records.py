"""What is known of a standby that is kept equal to the active service of its pair, index by index.

The records lie in the store of the standby. One is written before the first write to its index, so that a standby
between two snapshots says so whatever happens to the run, and again when the index is proved or the run has failed.
"""

from datetime import datetime

import msgspec

from indexvault.errors import ErrorRecord
from indexvault.model import IndexName
from indexvault.snapshots.manifest import AwareTime
from indexvault.snapshots.records import RecordStore, Version
from indexvault.snapshots.run_names import standby_name, standbys_prefix
from indexvault.snapshots.store import RunBlobs

_LIMIT = 1024 * 1024


class StandbyState(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one index of a standby; `index` is `$service` for the service's other objects.

    `source` is the active service that is followed and `service` the standby, as of the pair's `generation`. The index
    equals `snapshot`, which was made at `created` and found `unchanged` at a later time if there is one, since
    `equal_at`. All of these are None until it was proved once.

    While it is brought on to `towards`, each document is as in one of the two snapshots. `failure` is why the last
    attempt, by `run` at `tried_at`, did not come to its end; `failed_since` when the first of these attempts was.
    `definition` is a digest of the definition in `snapshot`, `losses` are what the snapshots lack. `gone_since` is when
    the index was first seen to be deleted on the active service. `notes` say what else a person should know.
    """

    pair: str
    index: str
    source: str
    service: str
    generation: int
    run: str
    tried_at: AwareTime
    snapshot: str | None = None
    created: AwareTime | None = None
    unchanged: AwareTime | None = None
    equal_at: AwareTime | None = None
    towards: str | None = None
    failure: ErrorRecord | None = None
    failed_since: AwareTime | None = None
    definition: str = ""
    documents: int = 0
    losses: list[str] = []
    notes: list[str] = []
    gone_since: AwareTime | None = None

    @property
    def target(self) -> IndexName:
        """The index on the standby."""
        return IndexName(self.service, self.index)

    @property
    def as_of(self) -> datetime | None:
        """Up to when the standby holds what was in the active service's index. None if it was never proved."""
        if self.created is None:
            return None
        return self.created if self.unchanged is None else max(self.created, self.unchanged)

    @property
    def is_equal(self) -> bool:
        """Whether the index equals a snapshot, and nothing is being written to it or has failed."""
        return self.snapshot is not None and self.towards is None and self.failure is None


async def read_standby(runs: RunBlobs, pair: str, service: str | None = None) -> list[StandbyState]:
    """Return what is known of a pair's standby, by index. `runs` are those of the standby's store.

    With a `service`, only of that one: before roles were swapped, it was the other. Raises IntegrityError.
    """
    found = [state async for _name, state in _records(runs).list(standbys_prefix(pair))]
    return [each for each in found if service is None or each.service == service]


async def read_state(runs: RunBlobs, pair: str, target: IndexName) -> Version[StandbyState] | None:
    """Return what is known of one index of a standby. Raises IntegrityError."""
    return await _records(runs).read_version(standby_name(pair, target.service, target.index))


async def write_state(runs: RunBlobs, state: StandbyState, *, etag: str | None = None) -> None:
    """Write what is known of an index, under its lock, or in place of the record with an ETag. Raises ConflictError."""
    await _records(runs).write(standby_name(state.pair, state.service, state.index), state, if_match=etag)


async def forget_state(runs: RunBlobs, pair: str, target: IndexName) -> None:
    """Remove what is known of an index that is on neither service any more."""
    await _records(runs).remove(standby_name(pair, target.service, target.index))


def _records(runs: RunBlobs) -> RecordStore[StandbyState]:
    return RecordStore(
        runs,
        StandbyState,
        what="what is known of a standby can't be read",
        do="Delete the blob: the next following compares every document, and writes it again",
        limit=_LIMIT,
    )
