"""When chunks are written anew although they are there.

Snapshots of one generation share chunks, so an old chunk may be all there is of a document for years. A container with
an immutability period protects each blob from the day it was written; a new generation brings every chunk back under
that protection, and ends the dependence on blobs that were written long ago.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from indexvault.snapshots.summary import Summary

_TIME = "%Y%m%dT%H%M%SZ"


def choose_generation(snapshots: Iterable[Summary], full_every: timedelta | None, now: datetime) -> str:
    """Return the generation that the next snapshot of an index belongs to.

    It is that of the newest readable snapshot while this generation is younger than `full_every`, and for ever without
    one; else a new generation, named by its time. A first snapshot begins the generation without a name.
    """
    readable = [snapshot for snapshot in snapshots if snapshot.state != "damaged"]
    if not readable:
        return ""
    current = max(readable, key=lambda snapshot: (snapshot.created, snapshot.id)).generation
    if full_every is None or now - _began(current, readable) < full_every:
        return current
    return f"{now.astimezone(UTC):{_TIME}}"


def _began(generation: str, snapshots: list[Summary]) -> datetime:
    """Return the time a generation began: its name, or for one that was named otherwise its oldest snapshot's."""
    try:
        return datetime.strptime(generation, _TIME).replace(tzinfo=UTC)
    except ValueError:
        return min(snapshot.created for snapshot in snapshots if snapshot.generation == generation)
