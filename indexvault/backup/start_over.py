"""Reading an index once more within a run, where what was read can't become a snapshot.

So a definition that was changed meanwhile, or a chunk that was removed from under the run, costs a second reading and
not a night without a snapshot. Chunks that are stored already are not sent again.
"""

import msgspec

from indexvault.backup.job import BackupJob
from indexvault.snapshots.announcements import is_being_swept
from indexvault.workflow.activity import Resources
from indexvault.workflow.checkpoints import Checkpoints
from indexvault.workflow.lock_activities import Done

AGAIN = "again"
SWEPT_SECONDS = 300
"""How long a sweep is waited for: it takes seconds, or minutes where very much is removed."""
_POLL_SECONDS = 5


class StartOver(msgspec.Struct, frozen=True):
    """A run that reads its index once more, and why."""

    job: BackupJob
    why: str


class Again(msgspec.Struct, frozen=True):
    """The record that a run reads its index once more, and takes no chunk of an earlier snapshot on trust."""

    why: str


async def start_over(resources: Resources, given: StartOver) -> Done:
    """Forget what the run has read, when no sweep is under way that could take its chunks again."""
    job, store = given.job, resources.clients.store_of(given.job.service)
    for _ in range(SWEPT_SECONDS // _POLL_SECONDS):
        if not await is_being_swept(store.runs, job.service, job.index, resources.clock()):
            break
        await resources.sleep(_POLL_SECONDS)
    checkpoints = Checkpoints(store.runs, job.run)
    await checkpoints.clear()
    await checkpoints.write(AGAIN, Again(given.why))
    return Done()
