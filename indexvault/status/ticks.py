"""The record of the last tick, by which an outside monitor sees that the app still looks.

A tick that has stopped can't tell so itself. So each one that has looked at everything writes when that was, and how
old the oldest recovery point is; `/health?within=` reads it.
"""

import logging
from datetime import datetime, timedelta
from typing import Literal

import msgspec

from indexvault.clients import Clients
from indexvault.errors import IndexvaultError
from indexvault.snapshots.manifest import AwareTime
from indexvault.snapshots.records import RecordStore
from indexvault.snapshots.run_names import LAST_TICK
from indexvault.snapshots.summary import is_in_future

type Timeliness = Literal["in time", "late", "unknown"]

_LIMIT = 64 * 1024
_LOG = logging.getLogger(__name__)


class TickRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A tick that looked at everything, at `at`.

    `oldest` is when the oldest of the newest complete snapshots of all watched indexes was made, None if none is
    watched. `all_there` says that each of them has one, and that everything could be read.
    """

    at: AwareTime
    oldest: AwareTime | None = None
    all_there: bool = True


class DeadMansSwitch(msgspec.Struct, frozen=True):
    """Whether the last tick, and every recovery point, is recent enough."""

    tick: Timeliness
    recovery_points: Timeliness

    @property
    def is_up(self) -> bool:
        """Whether both are."""
        return self.tick == self.recovery_points == "in time"


def judge_tick(last: TickRecord | None, within: timedelta, now: datetime) -> DeadMansSwitch:
    """Return whether the last tick and every recovery point are no older than `within`. Fails closed.

    A tick dated in the future, by a clock that was wrong, tells nothing.
    """
    if last is None or is_in_future(last.at, now):
        return DeadMansSwitch("unknown", "unknown")
    tick: Timeliness = "in time" if now - last.at <= within else "late"
    if not last.all_there:
        return DeadMansSwitch(tick, "late")
    is_recent = last.oldest is None or now - last.oldest <= within
    return DeadMansSwitch(tick, "in time" if is_recent else "late")


async def write_tick(clients: Clients, record: TickRecord) -> None:
    """Record a tick in every store that answers."""
    for name in clients.settings.stores:
        try:
            store = clients.store(name)
            await store.prepare()
            await RecordStore(store.runs, TickRecord).write(LAST_TICK, record)
        except IndexvaultError as error:
            _LOG.warning("this tick can't be recorded in store %s: %s", name, error)


async def read_tick(clients: Clients) -> TickRecord | None:
    """Return the newest recorded tick of all stores that answer, or None. Writes nothing."""
    found: TickRecord | None = None
    for name in clients.settings.stores:
        try:
            record = await RecordStore(clients.store(name).runs, TickRecord, limit=_LIMIT).read(LAST_TICK)
        except IndexvaultError as error:
            _LOG.info("the last tick can't be read in store %s: %s", name, error)
            continue
        if record is not None and (found is None or record.at > found.at):
            found = record
    return found
