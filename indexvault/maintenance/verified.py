"""The durable record of what verification found of an index in one store: when, and damage that is not mended yet."""

from collections.abc import Collection, Sequence
from datetime import datetime

import msgspec

from indexvault.snapshots.damage import Finding
from indexvault.snapshots.manifest import AwareTime
from indexvault.snapshots.names import parse_pack_name
from indexvault.snapshots.records import RecordStore
from indexvault.snapshots.run_names import verified_name
from indexvault.snapshots.slices import Slice
from indexvault.snapshots.store import RunBlobs

MOST_FINDINGS = 20
"""Findings of a turn that are kept with their words; of the others only the number is."""
_MOST_KEPT = 1000
"""Findings that are kept of all turns. Those of a turn must not push out those of others: their slices come later."""
_LIMIT = 1024 * 1024


class KnownDamage(msgspec.Struct, frozen=True):
    """A damaged or missing blob, what is wrong with it, and when that was found."""

    blob: str
    what: str
    found: AwareTime


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """The last turn that was read back, and when. `at` is None in records of older versions.

    `damage` is what was found and not seen sound since, of `damaged` blobs in all.
    """

    turn: int
    at: AwareTime | None = None
    damage: tuple[KnownDamage, ...] = ()
    damaged: int = 0


def verified_after(
    before: Verified | None, turn: int, slices: Sequence[Slice], found: Collection[Finding], now: datetime
) -> Verified:
    """Return the record after a turn: earlier damage stays unless its pack was in one of the slices read now."""
    names = {finding.blob for finding in found}
    earlier = before.damage if before is not None else ()
    kept = [each for each in earlier if each.blob not in names and not _was_read(each.blob, slices)]
    new = [KnownDamage(blob=finding.blob, what=finding.what, found=now) for finding in found]
    return Verified(
        turn=turn, at=now, damage=tuple([*new[:MOST_FINDINGS], *kept][:_MOST_KEPT]), damaged=len(new) + len(kept)
    )


def _was_read(blob: str, slices: Sequence[Slice]) -> bool:
    """Return whether a blob was looked at: each turn looks at every manifest, and at the packs of its slices."""
    pack = parse_pack_name(blob)
    return pack is None or any(each.has(pack.sha256) for each in slices)


def verified_records(runs: RunBlobs) -> RecordStore[Verified]:
    """Return the records of a store."""
    return RecordStore(runs, Verified, limit=_LIMIT)


async def read_verified(runs: RunBlobs, service: str, index: str) -> Verified | None:
    """Return what is recorded of an index, or None. Raises IntegrityError if it can't be read."""
    return await verified_records(runs).read(verified_name(service, index))
