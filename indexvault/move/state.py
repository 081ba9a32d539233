"""What is durable of a move: one record under the source's name, in the store of the source's service."""

import msgspec

from indexvault.errors import ConflictError, IntegrityError
from indexvault.model import IndexName
from indexvault.move.job import IndexState, MoveState
from indexvault.search.client import SearchService
from indexvault.snapshots.names import move_name
from indexvault.snapshots.store import RunBlobs

_LIMIT = 1024 * 1024


async def read_move_state(runs: RunBlobs, source: IndexName) -> MoveState | None:
    """Return the move of an index that has begun and not ended, or None. Raises IntegrityError if it can't be read."""
    name = move_name(source.service, source.index)
    blob = await runs.read(name, _LIMIT)
    if blob is None:
        return None
    try:
        return msgspec.json.decode(blob.data, type=MoveState)
    except msgspec.MsgspecError:
        raise IntegrityError(
            "this record of a move can't be read", on=name, do="Look at source and target, then delete the record"
        ) from None


async def require_move_state(runs: RunBlobs, source: IndexName, records: str) -> MoveState:
    """Return the record of a move. Raises IntegrityError if it is gone or another move's."""
    move_state = await read_move_state(runs, source)
    if move_state is None or move_state.records != records:
        raise IntegrityError("the record of this move is gone", on=str(source), do="Start the move again")
    return move_state


def other_move(move_state: MoveState) -> ConflictError:
    """Return the error for an index of which another move has begun and not ended."""
    return ConflictError(
        f"a move of it to {move_state.job.target} began {move_state.started:%Y-%m-%d %H:%M:%SZ} and has not ended",
        on=str(move_state.job.source),
        do="Give the same command again to go on with it, or indexvault move --forget to leave it as it is",
    )


async def add_move_state(runs: RunBlobs, move_state: MoveState) -> None:
    """Write the record of a new move. Raises ConflictError if another one of the index came first."""
    source = move_state.job.source
    try:
        await runs.put(move_name(source.service, source.index), msgspec.json.encode(move_state), if_absent=True)
    except ConflictError:
        there = await read_move_state(runs, source)
        # The answer to a first attempt may have been lost.
        if there is None or there.records != move_state.records:
            raise other_move(there or move_state) from None


async def write_move_state(runs: RunBlobs, move_state: MoveState) -> None:
    """Write the record."""
    source = move_state.job.source
    await runs.put(move_name(source.service, source.index), msgspec.json.encode(move_state))


async def forget_move_state(runs: RunBlobs, source: IndexName) -> None:
    """Remove the record: the move has ended."""
    await runs.delete(move_name(source.service, source.index))


async def state_of(service: SearchService, index: str) -> IndexState:
    """Return how an index is now. Raises NotFoundError if there is none."""
    definition = await service.index_definition(index)
    return IndexState(etag=definition.etag, count=await service.count(index))
