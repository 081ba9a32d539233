"""Two apps on the same settings, one in each region: which of them works on a run that this engine does not know.

An app's engine knows the runs of that app alone. To take another's run for lost would be to work on it twice. So each
tick notes in every store that its app is there, and a run is its app's for as long as that goes on.
"""

from datetime import datetime, timedelta

import msgspec

from indexvault.snapshots.manifest import AwareTime
from indexvault.snapshots.records import RecordStore
from indexvault.snapshots.run_names import app_name
from indexvault.snapshots.store import RunBlobs
from indexvault.snapshots.summary import is_in_future
from indexvault.workflow.activity import Resources
from indexvault.workflow.runs import RunRecord

GONE_AFTER = timedelta(minutes=30)
"""How long an app may be silent until its runs are taken up: several ticks, each of which can be late."""

_LIMIT = 4 * 1024


class AppTick(msgspec.Struct, frozen=True):
    """When an app last looked at a store's runs."""

    at: AwareTime


async def note_app(resources: Resources, blobs: RunBlobs) -> None:
    """Note that this app looks at a store's runs. An app without a name is the only one."""
    if resources.app:
        await _records(blobs).write(app_name(resources.app), AppTick(resources.clock()))


async def works_elsewhere(resources: Resources, blobs: RunBlobs, record: RunRecord) -> bool:
    """Return whether a run is that of another app, which was there lately. Raises IntegrityError."""
    if not resources.app or record.app in {"", resources.app}:
        return False
    seen, now = await seen_at(blobs, record.app), resources.clock()
    return seen is not None and not is_in_future(seen, now) and now - seen <= GONE_AFTER


async def seen_at(blobs: RunBlobs, app: str) -> datetime | None:
    """Return when an app last looked at a store's runs, or None. Raises IntegrityError."""
    record = await _records(blobs).read(app_name(app))
    return None if record is None else record.at


def _records(blobs: RunBlobs) -> RecordStore[AppTick]:
    return RecordStore(
        blobs,
        AppTick,
        what="the record of when an app was there can't be read",
        do="Delete the blob: the app's next tick writes it again",
        limit=_LIMIT,
    )
