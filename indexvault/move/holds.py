"""Hold the snapshots that a move is made of, from each one's start to the move's end."""

from indexvault.maintenance.holds import hold_snapshot, release_snapshots
from indexvault.move.job import MoveState
from indexvault.settings.load import service_settings
from indexvault.snapshots.holds import Hold
from indexvault.snapshots.names import SnapshotReference
from indexvault.snapshots.run_names import move_name
from indexvault.workflow.activity import Resources


async def hold_for_move(resources: Resources, move_state: MoveState, snapshot: str) -> None:
    """Hold a snapshot, by its id, for a move. Raises ConflictError if it is being removed."""
    job = move_state.job
    store = service_settings(resources.clients.settings, job.service).store
    wanted = Hold(
        run=move_state.records,
        kind="move",
        target=str(job.target),
        since=resources.clock(),
        store=store,
        state=move_name(job.service, job.index),
    )
    reference = SnapshotReference(service=job.service, index=job.index, id=snapshot)
    await hold_snapshot(resources, reference, wanted, store)


async def release_for_move(resources: Resources, service: str, index: str, records: str) -> None:
    """Remove the holds of a move that has ended or is forgotten."""
    await release_snapshots(resources, service, index, records)
