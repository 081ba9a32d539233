"""Resuming a backup whose process died."""

import os
import socket

from indexvault.cli.session import Session
from indexvault.errors import CancelledError, ConflictError, IndexvaultError, OutdatedReadingError, RemoteError
from indexvault.model import IndexName
from indexvault.snapshots.store import Store
from indexvault.workflow.checkpoints import Checkpoints
from indexvault.workflow.lost_locks import forgive
from indexvault.workflow.unfinished import Unfinished, note_finished, note_unfinished, read_unfinished


async def begin_backup(session: Session, store: Store, index: IndexName) -> tuple[str, bool]:
    """Return the run to back an index up with, recorded durably, and whether it resumes an earlier one.

    A run of this machine whose process is gone is resumed. One whose process lives, or that runs on another machine,
    is left unchanged: the index's lock decides whether it still counts.
    """
    host, process = socket.gethostname(), os.getpid()
    earlier = await read_unfinished(store.runs, index)
    resumed = earlier is not None and is_dead(earlier)
    run = earlier.run if earlier is not None and resumed else session.new_run("backup")
    if resumed:
        await forgive(store.runs, run, index)
    if earlier is None or resumed or earlier.host != host:
        await note_unfinished(
            store.runs, index, Unfinished(run=run, host=host, process=process, started=session.clock())
        )
    return run, resumed


async def end_backup(store: Store, index: IndexName, run: str, error: IndexvaultError | None = None) -> None:
    """Record that there is nothing to resume, unless the operator ended the run or its error is temporary.

    What a run has read that found contradictions is not used again: its checkpoints are cleared.
    """
    if isinstance(error, RemoteError | CancelledError | ConflictError) and not isinstance(error, OutdatedReadingError):
        return
    if error is not None:
        await Checkpoints(store.runs, run).clear()
    noted = await read_unfinished(store.runs, index)
    if noted is not None and noted.run == run:
        await note_finished(store.runs, index)


def is_dead(unfinished: Unfinished) -> bool:
    """Return whether a run is known to be dead: its process ran on this machine and has ended."""
    return unfinished.host == socket.gethostname() and not _is_alive(unfinished.process)


def _is_alive(process: int) -> bool:
    if process == os.getpid():
        return False
    if os.name == "nt":  # on Windows, os.kill with signal 0 would end the process
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
