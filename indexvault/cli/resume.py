"""Going on with a backup that was killed: finding its run, if nothing works on it any more."""

import os
import socket

from indexvault.cli.session import Session
from indexvault.cli.workflows import run_name
from indexvault.errors import CancelledError, ConflictError, IndexvaultError, OutdatedReadingError, RemoteError
from indexvault.model import IndexName
from indexvault.snapshots.store import Store
from indexvault.workflow.checkpoints import Checkpoints
from indexvault.workflow.unfinished import Unfinished, note_finished, note_unfinished, read_unfinished


async def begin(session: Session, store: Store, index: IndexName) -> tuple[str, bool]:
    """Return the name of the run to use for an index, noted durably, and whether it goes on with an earlier one.

    A run of this machine whose process is gone is gone on with. One whose process lives, or that lives on another
    machine, is left alone: the index's lock knows whether it still counts.
    """
    host, process = socket.gethostname(), os.getpid()
    earlier = await read_unfinished(store.runs, index)
    continued = earlier is not None and is_dead(earlier)
    run = earlier.run if earlier is not None and continued else run_name(session, "backup")
    if earlier is None or continued or earlier.host != host:
        await note_unfinished(
            store.runs, index, Unfinished(run=run, host=host, process=process, started=session.clock())
        )
    return run, continued


async def end(store: Store, index: IndexName, run: str, error: IndexvaultError | None = None) -> None:
    """Note that nothing is left to go on with, unless what ended the run may pass or was the operator.

    What was read by a run that ended in contradictions is not gone on with.
    """
    if isinstance(error, RemoteError | CancelledError | ConflictError) and not isinstance(error, OutdatedReadingError):
        return
    if error is not None:
        await Checkpoints(store.runs, run).clear()
    noted = await read_unfinished(store.runs, index)
    if noted is not None and noted.run == run:
        await note_finished(store.runs, index)


def is_dead(unfinished: Unfinished) -> bool:
    """Return whether a run is known to have died: its process was on this machine, and is gone."""
    return unfinished.host == socket.gethostname() and not _is_alive(unfinished.process)


def _is_alive(process: int) -> bool:
    if process == os.getpid():
        return False
    if os.name == "nt":  # there, a signal of number 0 would end the process
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
