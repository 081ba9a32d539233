"""Make a run read its index once more when what it has read can't become a snapshot.

A definition that was changed meanwhile, or a chunk that a sweep removed, then costs a second reading instead of a night
without a snapshot. Chunks that are still stored are not sent again.
"""

from indexvault.backup.job import StartOverInput
from indexvault.backup.state import STARTED_OVER_RECORD, StartedOver
from indexvault.snapshots.announcements import is_being_swept
from indexvault.workflow.activity import Resources
from indexvault.workflow.checkpoints import Checkpoints
from indexvault.workflow.lock_activities import Done

SWEPT_SECONDS = 300
"""How long to wait for a sweep: it takes seconds, or minutes if it removes very much."""
_POLL_SECONDS = 5


async def start_over(resources: Resources, given: StartOverInput) -> Done:
    """Delete the run's records, once no sweep is running that could remove its chunks again."""
    job, store = given.job, resources.clients.store_of(given.job.service)
    for _ in range(SWEPT_SECONDS // _POLL_SECONDS):
        if not await is_being_swept(store.runs, job.service, job.index, resources.clock()):
            break
        await resources.sleep(_POLL_SECONDS)
    checkpoints = Checkpoints(store.runs, job.run)
    await checkpoints.clear()
    await checkpoints.write(STARTED_OVER_RECORD, StartedOver(given.why))
    return Done()
