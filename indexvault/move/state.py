"""The durable state of a move: one record under the source's name, in the store of the source's service."""

from indexvault.bounds import decode
from indexvault.errors import UNDECODABLE, ConflictError, IntegrityError, UnauthenticError
from indexvault.model import IndexName
from indexvault.move.job import IndexState, MoveJob, MoveRun, MoveState
from indexvault.restore.proof import read_proof
from indexvault.restore.upload import Refused
from indexvault.search.client import SearchService
from indexvault.search.definition_content import content_digest
from indexvault.snapshots.manifest import Manifest
from indexvault.snapshots.records import RecordStore
from indexvault.snapshots.run_names import move_name, report_name
from indexvault.snapshots.store import RunBlobs
from indexvault.workflow.resume import altered

_LIMIT = 1024 * 1024
_REFUSED_LIMIT = 256 * 1024 * 1024


async def read_move_state(runs: RunBlobs, source: IndexName) -> MoveState | None:
    """Return the unended move of an index, or None. Raises IntegrityError if its state can't be read."""
    return await _states(runs).read(_name(source))


async def follow_move_state(runs: RunBlobs, run: MoveRun) -> MoveState:
    """Return the state of a run's move. Raises IntegrityError as `require_move_state`, or if its job was altered."""
    move_state = await require_move_state(runs, run.source, run.records)
    if move_state.job.digest != run.job:
        raise altered("the job in this move's record is not what this move wrote", str(run.source))
    return move_state


async def require_move_state(runs: RunBlobs, source: IndexName, records: str) -> MoveState:
    """Return the state of a move. Raises IntegrityError if it is gone or another move's."""
    move_state = await read_move_state(runs, source)
    if move_state is None or move_state.records != records:
        raise IntegrityError("the record of this move is gone", on=str(source), do="Start the move again")
    return move_state


def require_state_of(job: MoveJob, move_state: MoveState) -> None:
    """Raise ConflictError if an unended move is another one, IntegrityError if it only claims to be the asked one."""
    if not job.resumes(move_state.fingerprint):
        raise other_move(move_state)
    if not job.is_same(move_state.job):
        raise altered("the record of the unended move asks for another move than this", str(job.source))


def require_own_snapshot(move_state: MoveState, manifest: Manifest) -> None:
    """Raise IntegrityError for a snapshot that the move was not asked to take and that no backup of it has made.

    What a manifest says of its run is in the snapshot container, out of reach of who can only write runs. With a record
    key it is signed: raises UnauthenticError for one that is not, except one that the move was told to accept.
    """
    is_accepted = move_state.job.accept_unauthentic and manifest.id == move_state.job.snapshot
    if manifest.authenticity == "unauthentic" and not is_accepted:
        raise UnauthenticError(
            f"no record key has signed the snapshot {manifest.id}, so it proves nothing; nothing was deleted",
            on=str(move_state.job.source),
            do="Find out who can write to the store; then start the move anew",
        )
    _run, is_fresh, number = manifest.run.rpartition("-now-")
    if is_fresh and number.isdecimal():
        return
    if manifest.id == move_state.job.snapshot or manifest.run.rpartition("-")[0] == f"{move_state.records}-backup":
        return
    raise altered(
        f"the record of the unended move names the snapshot {manifest.id}, which this move did not make",
        str(move_state.job.source),
    )


def other_move(move_state: MoveState) -> ConflictError:
    """Return the error for an index of which another move has not ended."""
    return ConflictError(
        f"a move of it to {move_state.job.target} began {move_state.started:%Y-%m-%d %H:%M:%SZ} and has not ended",
        on=str(move_state.job.source),
        do="Run the same command again to resume it, or indexvault move --forget to leave it as it is",
    )


async def add_move_state(runs: RunBlobs, move_state: MoveState) -> None:
    """Write the state of a new move. Raises ConflictError if another move of the index came first."""
    added = await _states(runs).write_once(_name(move_state.job.source), move_state)
    # An earlier attempt of this run may have written it without having heard so.
    if added.records != move_state.records:
        raise other_move(added)


async def write_move_state(runs: RunBlobs, move_state: MoveState) -> None:
    """Write the state."""
    await _states(runs).write(_name(move_state.job.source), move_state)


async def forget_move_state(runs: RunBlobs, source: IndexName) -> None:
    """Remove the state: the move has ended."""
    await _states(runs).remove(_name(source))


async def state_of(service: SearchService, index: str) -> IndexState:
    """Return the state of an index. Raises NotFoundError if there is no such index."""
    definition = await service.index_definition(index)
    return IndexState(etag=definition.etag, count=await service.count(index), content=content_digest(definition.body))


async def refused_report(runs: RunBlobs, move_state: MoveState) -> str | None:
    """Return the report of the documents that the restore which proved the target last has skipped, or None.

    `runs` is the runs container of the target's store.
    """
    for restore in reversed([*move_state.restores, *move_state.syncs]):
        proof = await read_proof(runs, restore)
        if proof is not None and proof.proved and proof.target == str(move_state.job.target):
            return report_name(restore, "refused") if proof.refused else None
    return None


async def excepted_keys(runs: RunBlobs, move_state: MoveState) -> frozenset[str]:
    """Return the keys of the documents that the target refused, if the user has said to skip these.

    Raises IntegrityError if the report that names them can't be read.
    """
    if move_state.refused is None or not move_state.job.skip_refused:
        return frozenset()
    blob = await runs.read(move_state.refused, _REFUSED_LIMIT)
    if blob is None:
        return frozenset()
    try:
        return frozenset(each.key for each in decode(blob.data, list[Refused]))
    except UNDECODABLE as error:
        raise IntegrityError(
            f"this report of refused documents can't be read ({type(error).__name__})",
            on=move_state.refused,
            do="Delete it; the documents then count as missing",
        ) from None


def _name(source: IndexName) -> str:
    return move_name(source.service, source.index)


def _states(runs: RunBlobs) -> RecordStore[MoveState]:
    return RecordStore(
        runs,
        MoveState,
        what="this record of a move can't be read",
        do="Look at source and target, then delete the record",
        limit=_LIMIT,
    )
