"""The record that an index of a target equals a snapshot, and lets a sync write only what has changed since.

It is written when a sync has proved the whole index, and when following has brought it on to another snapshot. It is
changed before the first write of a following, and removed before any other write of ours to the index. So it never says
more than is so: an index that is being brought on from one snapshot to the next is said to be between the two.
"""

import logging
from datetime import datetime, timedelta

import msgspec

from indexvault.errors import ConflictError, IntegrityError
from indexvault.model import IndexName
from indexvault.search.definition_content import content_digest
from indexvault.search.definitions import FetchedDefinition
from indexvault.snapshots.chunks import Digest, Size
from indexvault.snapshots.manifest import AwareTime
from indexvault.snapshots.names import is_snapshot_id
from indexvault.snapshots.records import RecordStore, Version
from indexvault.snapshots.run_names import followed_name
from indexvault.snapshots.store import RunBlobs
from indexvault.snapshots.summary import is_in_future

_LIMIT = 64 * 1024
_LOG = logging.getLogger(__name__)


class FollowedSnapshot(msgspec.Struct, frozen=True):
    """A snapshot by its id, and what it holds."""

    id: str
    documents: Size
    content_digest: Digest


class Written(msgspec.Struct, frozen=True):
    """What a following has written so far: documents uploaded and deleted, the bytes sent, the requests."""

    uploaded: Size = 0
    deleted: Size = 0
    bytes: Size = 0
    requests: Size = 0


class Followed(msgspec.Struct, frozen=True, kw_only=True):
    """An index of a target that equals a snapshot of `service`/`index`, as far as our own writes tell.

    `equal` is that snapshot, `towards` the one that the index is being brought on to: with it each document is as in
    one of the two, `after` is the key up to which all are as in the latter, `written` what that took. `etag` and
    `definition` (a digest) are those of the target's definition. `proved` is when every document was last read back,
    `at` when the index last came to equal a snapshot, `times` how often it was followed since it was proved.
    """

    target: IndexName
    service: str
    index: str
    equal: FollowedSnapshot
    towards: FollowedSnapshot | None = None
    after: str = ""
    written: Written = Written()
    etag: str
    definition: Digest
    proved: AwareTime
    at: AwareTime
    times: Size = 0
    run: str


async def read_followed(runs: RunBlobs, target: IndexName) -> Version[Followed] | None:
    """Return the record of an index. One that can't be read, or is another index's, counts for nothing."""
    try:
        found = await _records(runs).read_version(followed_name(target.service, target.index))
    except IntegrityError as error:
        _LOG.warning("the record of what %s equals counts for nothing: %s", target, error)
        return None
    if found is None or found.record.target != target:
        return None
    snapshots = [found.record.equal, *([found.record.towards] if found.record.towards is not None else [])]
    return found if all(is_snapshot_id(each.id) for each in snapshots) else None


async def write_followed(runs: RunBlobs, record: Followed, *, etag: str | None = None) -> str:
    """Write a record, in place of the one with an ETag if there is one, and return its ETag. Raises ConflictError."""
    name = followed_name(record.target.service, record.target.index)
    return await _records(runs).write(name, record, if_match=etag)


async def forget_followed(runs: RunBlobs, target: IndexName) -> None:
    """Remove the record of an index, before anything else than a following writes to it."""
    await _records(runs).remove(followed_name(target.service, target.index))


def why_not_followed(
    record: Followed | None,
    *,
    service: str,
    index: str,
    present: FetchedDefinition,
    counted: int,
    prove_every: timedelta,
    now: datetime,
) -> str | None:
    """Return why an index can't be brought on from its record, in words, or None if it can be.

    `present` is its definition now, `counted` how many documents it counts.
    """
    if record is None:
        return "no sync has proved which snapshot it equals"
    if (record.service, record.index) != (service, index):
        return f"it was last proved equal to a snapshot of {record.service}/{record.index}"
    if (record.etag, record.definition) != (present.etag, content_digest(present.body)):
        return "its definition was changed, or the index made anew, since it was proved"
    if is_in_future(record.proved, now) or now - record.proved >= prove_every:
        return f"it was last proved {record.proved:%Y-%m-%d %H:%M} UTC"
    if record.towards is None and counted != record.equal.documents:
        return f"it counts {counted:,} documents, and {record.equal.documents:,} are in the snapshot that it equalled"
    return None


def changed_meanwhile(target: IndexName) -> ConflictError:
    """Return the error for a record that another run has changed."""
    return ConflictError(
        "another run has written to it since this one began", on=str(target), do="Run the same command again"
    )


def _records(runs: RunBlobs) -> RecordStore[Followed]:
    return RecordStore(runs, Followed, limit=_LIMIT)
