"""A comparison with a snapshot that may lack documents of the source proves nothing about these."""

from dataclasses import replace

import msgspec
import pytest

from indexvault.backup.job import BackupJob, BackupReport
from indexvault.backup.workflow import COMMIT
from indexvault.errors import VerificationError
from indexvault.move.workflow import ACTIVITIES, MOVE_INDEX
from indexvault.workflow.activity import Resources
from indexvault.workflow.local import LocalEngine
from tests import hotels
from tests.memory_store import MemoryStore
from tests.move.test_move_index import Mover
from tests.world import open_world


async def unsettled_when_compared(resources: Resources, job: BackupJob) -> BackupReport:
    """Commit a snapshot; the second one, with which the target is compared, leaves a document open."""
    report = await COMMIT.run(resources, job)
    is_first = job.run.endswith("-1")
    return report if is_first else msgspec.structs.replace(report, state="unsettled", unsettled=["1 document is open"])


@pytest.mark.parametrize("is_accepted", [False, True])
async def test_documents_that_the_comparison_left_open_are_told(*, is_accepted: bool) -> None:
    steps = [replace(each, run=unsettled_when_compared) if each is COMMIT else each for each in ACTIVITIES]
    async with (
        open_world(MemoryStore("local")) as world,
        LocalEngine(world.resources, steps, [MOVE_INDEX]) as engine,
    ):
        mover = Mover(world, engine)
        await world.fill(hotels.with_field("id", filterable=False, sortable=False), hotels.hotels(20))
        if is_accepted:
            report = await mover.move(accept_unsettled=True)
            assert any("1 document is open" in loss for loss in report.losses)
        else:
            with pytest.raises(VerificationError, match="1 document is open"):
                await mover.move()
