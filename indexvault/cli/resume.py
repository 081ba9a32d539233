"""Resuming a backup whose process died."""

import os
import socket

from indexvault.cli.session import Session
from indexvault.errors import CancelledError, ConflictError, IndexvaultError, OutdatedReadingError, RemoteError
from indexvault.model import IndexName
from indexvault.snapshots.store import Store
from indexvault.workflow.checkpoints import Checkpoints
from indexvault.workflow.lock_holder import LocalProcess
from indexvault.workflow.lost_locks import forgive
from indexvault.workflow.unfinished import Unfinished, note_failed, note_finished, note_unfinished, read_unfinished


async def begin_backup(session: Session, store: Store, index: IndexName) -> tuple[str, bool, LocalProcess]:
    """Return the run to back an index up with, whether it resumes an earlier one, and the process for its lock to name.

    A run of this machine whose process is gone is resumed. One whose process lives, or that runs on another machine,
    is left unchanged: the index's lock decides whether it still counts.
    """
    process = LocalProcess(host=socket.gethostname(), process=os.getpid(), started=session.clock())
    earlier = await read_unfinished(store.runs, index)
    if earlier is None or not is_dead(earlier):
        return session.new_run("backup"), False, process
    await note_unfinished(store.runs, index, Unfinished(earlier.run, process.host, process.process, process.started))
    await forgive(store.runs, earlier.run, index)
    return earlier.run, True, process


async def end_backup(store: Store, index: IndexName, run: str, error: IndexvaultError | None = None) -> None:
    """Record that there is nothing to resume, unless the operator ended the run or its error is temporary.

    What a run has read that found contradictions is not used again: its checkpoints are cleared.
    """
    if isinstance(error, RemoteError | CancelledError | ConflictError) and not isinstance(error, OutdatedReadingError):
        return
    if error is None:
        await note_finished(store.runs, index)
        return
    await Checkpoints(store.runs, run).clear()
    await note_failed(store.runs, index, run)


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
