"""Which of a pair's two services is active: records that are created once, one for each swap.

The record of the highest generation counts. Generation 0 has no record: the primary is active. A swap creates the next
generation, and a name is taken once: of two failovers at the same time, one creates it. The record is created first in
the store of the service that becomes active, and copied to the other's as soon as that answers.

A blob that stands where a record belongs and is none, because it is damaged, foreign or unsigned, is an error and never
"no record": without the last record, a service that has been replaced would be taken for active.
"""

from datetime import timedelta

import msgspec

from indexvault.errors import ConflictError, IntegrityError
from indexvault.snapshots.manifest import AwareTime
from indexvault.snapshots.records import RecordStore
from indexvault.snapshots.run_names import ROLES_PREFIX, role_generation, role_name, roles_prefix
from indexvault.snapshots.signed_records import SignedRunBlobs
from indexvault.snapshots.store import RunBlobs

_LIMIT = 16 * 1024
_DO = "Find out who wrote it; delete it if the pair's other store has a later one, or nobody knows of a failover"


class PairRole(msgspec.Struct, frozen=True, kw_only=True):
    """The service of a pair that is active since a swap.

    `run` is the failover that set it. After a planned one nothing is lost, and the other service follows the active
    one. After another one `window` is what may be lost, and nothing overwrites the other service until a failback or an
    operator says so: `following` is false. `since` is None for generation 0.
    """

    pair: str
    generation: int
    active: str
    since: AwareTime | None = None
    run: str = ""
    planned: bool = True
    following: bool = True
    window: timedelta | None = None


def first_role(pair: str, primary: str) -> PairRole:
    """Return the role before the first swap: the primary is active, and followed."""
    return PairRole(pair=pair, generation=0, active=primary)


async def read_role(runs: RunBlobs, pair: str) -> PairRole | None:
    """Return the role of the highest generation in a store, or None before the first swap.

    Raises IntegrityError if anything among the records of roles is none.
    """
    if isinstance(runs, SignedRunBlobs):
        async for found in runs.tampering(roles_prefix(pair)):
            raise IntegrityError(f"this record of a role counts for nothing: {found.why}", on=found.blob, do=_DO)
    generations: list[int] = []
    async for blob in runs.list(roles_prefix(pair)):
        generation = role_generation(blob.name)
        if generation is None:
            raise IntegrityError("this is no record of a role", on=blob.name, do=_DO)
        generations.append(generation)
    return await _read(runs, pair, max(generations)) if generations else None


async def last_roles(runs: RunBlobs) -> list[PairRole]:
    """Return the role of the highest generation of each pair that has one in a store, whatever the settings name.

    What is no record of a role counts for nothing.
    """
    newest: dict[str, str] = {}
    async for blob in runs.list(ROLES_PREFIX):
        if role_generation(blob.name) is not None:
            pair = blob.name.rpartition("/")[0]
            newest[pair] = max(blob.name, newest.get(pair, ""))
    found: list[PairRole] = []
    for name in newest.values():
        try:
            role = await _records(runs).read(name)
        except IntegrityError:
            continue
        if role is not None and role_name(role.pair, role.generation) == name:
            found.append(role)
    return found


async def create_role(runs: RunBlobs, role: PairRole) -> PairRole:
    """Create the record of a swap and return it; if the same run has created it before, return that one.

    Raises ConflictError if another run has swapped first, IntegrityError if what is there is no record.
    """
    name = role_name(role.pair, role.generation)
    try:
        await _records(runs).write(name, role, if_absent=True)
    except ConflictError:
        there = await _read(runs, role.pair, role.generation)
        if there.run == role.run and there.active == role.active:
            return there
        raise ConflictError(
            f"{there.active} has become active meanwhile, by run {there.run}",
            on=f"pair {role.pair}",
            do="See which service is to be active, then run the failover again if it is the other one",
        ) from None
    return role


async def copy_role(runs: RunBlobs, role: PairRole) -> bool:
    """Copy a role to the pair's other store; return False if it is there.

    Raises ConflictError if another role of that generation is there.
    """
    there = await read_role(runs, role.pair)
    if there is not None and there.generation > role.generation:
        return False
    if there == role:
        return False
    try:
        await _records(runs).write(role_name(role.pair, role.generation), role, if_absent=True)
    except ConflictError:
        if await _read(runs, role.pair, role.generation) == role:
            return False
        raise
    return True


async def _read(runs: RunBlobs, pair: str, generation: int) -> PairRole:
    name = role_name(pair, generation)
    role = await _records(runs).read(name)
    if role is None:
        raise IntegrityError("this record of a role can't be read", on=name, do=_DO)
    if (role.pair, role.generation) != (pair, generation):
        raise IntegrityError("this is the record of another role", on=name, do=_DO)
    return role


def _records(runs: RunBlobs) -> RecordStore[PairRole]:
    return RecordStore(runs, PairRole, what="this record of a role can't be read", do=_DO, limit=_LIMIT)
