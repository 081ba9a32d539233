"""Stop work that holds no lock when its run is cancelled."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from indexvault.errors import CancelledError
from indexvault.workflow.activity import Resources, Work
from indexvault.workflow.lock_activities import is_revoked

POLL_SECONDS = 10.0


async def unless_cancelled[Result](resources: Resources, work: Work, doing: Coroutine[Any, Any, Result]) -> Result:
    """Return what a coroutine returns. Raises CancelledError, after it has ended, if the run is cancelled meanwhile.

    Work under a lock needs none of this: it loses the lock.
    """
    task = asyncio.create_task(doing)
    try:
        while not await is_revoked(resources, work):
            finished, _ = await asyncio.wait([task], timeout=POLL_SECONDS)
            if finished:
                return task.result()
    finally:
        task.cancel()
        await asyncio.wait([task])
    raise CancelledError("it was cancelled", on=f"run {work.known_run}", do="Start a new run")
