"""What is durable of a move: one record under the source's name, in the store of the source's service."""

import msgspec

from engine.step import IndexName
from errors import ConflictError, IntegrityError
from move.job import IndexState, Moving
from search.service import SearchService
from snapshots.names import move_name
from snapshots.store import RunBlobs

_LIMIT = 1024 * 1024


async def read_moving(runs: RunBlobs, source: IndexName) -> Moving | None:
    """Give the move of an index that has begun and not ended, or None. Raises IntegrityError if it can't be read."""
    name = move_name(source.service, source.index)
    blob = await runs.read(name, _LIMIT)
    if blob is None:
        return None
    try:
        return msgspec.json.decode(blob.data, type=Moving)
    except msgspec.MsgspecError:
        raise IntegrityError(
            "this record of a move can't be read", on=name, do="Look at source and target, then delete the record"
        ) from None


async def require_moving(runs: RunBlobs, source: IndexName, records: str) -> Moving:
    """Give the record of a move. Raises IntegrityError if it is gone or another move's."""
    moving = await read_moving(runs, source)
    if moving is None or moving.records != records:
        raise IntegrityError("the record of this move is gone", on=str(source), do="Start the move again")
    return moving


def other_move(moving: Moving) -> ConflictError:
    """Give the error for an index of which another move has begun and not ended."""
    return ConflictError(
        f"a move of it to {moving.job.target} began {moving.started:%Y-%m-%d %H:%M:%SZ} and has not ended",
        on=str(moving.job.source),
        do="Give the same command again to go on with it, or indexvault move --forget to leave it as it is",
    )


async def add_moving(runs: RunBlobs, moving: Moving) -> None:
    """Write the record of a new move. Raises ConflictError if another one of the index came first."""
    source = moving.job.source
    try:
        await runs.put(move_name(source.service, source.index), msgspec.json.encode(moving), if_absent=True)
    except ConflictError:
        there = await read_moving(runs, source)
        # The answer to a first attempt may have been lost.
        if there is None or there.records != moving.records:
            raise other_move(there or moving) from None


async def write_moving(runs: RunBlobs, moving: Moving) -> None:
    """Write the record."""
    source = moving.job.source
    await runs.put(move_name(source.service, source.index), msgspec.json.encode(moving))


async def forget_moving(runs: RunBlobs, source: IndexName) -> None:
    """Remove the record: the move has ended."""
    await runs.delete(move_name(source.service, source.index))


async def state_of(service: SearchService, index: str) -> IndexState:
    """Give how an index is now. Raises NotFoundError if there is none."""
    definition = await service.index_definition(index)
    return IndexState(etag=definition.etag, count=await service.count(index))
