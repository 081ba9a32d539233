"""Decide when to write all chunks again although they exist.

Snapshots of one generation share chunks, so for years an old chunk may be the only copy of its documents. A container
with an immutability period protects each blob from the day it is written. A new generation puts every chunk under that
protection again, and ends the dependence on old blobs.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from indexvault.snapshots.summary import Summary, is_in_future

_TIME = "%Y%m%dT%H%M%SZ"


def choose_generation(snapshots: Iterable[Summary], full_every: timedelta | None, now: datetime) -> str:
    """Return the generation that the next snapshot of an index belongs to.

    That is the newest readable snapshot's while it is younger than `full_every` (for ever, if that is None), else a new
    generation named by its time. The first generation has an empty name. Snapshots dated in the future don't count,
    since their generation would stay until that day, nor do those that are not authentic.
    """
    readable = [
        each
        for each in snapshots
        if each.state != "damaged" and each.is_trusted and not is_in_future(each.created, now)
    ]
    if not readable:
        return ""
    current = max(readable, key=lambda snapshot: (snapshot.created, snapshot.id)).generation
    if full_every is None or now - _began(current, readable) < full_every:
        return current
    return f"{now.astimezone(UTC):{_TIME}}"


def _began(generation: str, snapshots: list[Summary]) -> datetime:
    """Return when a generation began: the time in its name, or else the time of its oldest snapshot."""
    try:
        return datetime.strptime(generation, _TIME).replace(tzinfo=UTC)
    except ValueError:
        return min(snapshot.created for snapshot in snapshots if snapshot.generation == generation)
