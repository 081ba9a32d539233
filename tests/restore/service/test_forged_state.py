"""The state of a service's restore does not say what is restored: the snapshots do."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from indexvault.errors import IntegrityError
from indexvault.restore.report import Proof
from indexvault.restore.service.activities import plan
from indexvault.restore.service.job import PlannedIndex, ServicePlan
from indexvault.restore.service.state import ServiceRestoreState, write_service_restore_state
from indexvault.snapshots.run_names import report_name
from tests import hotels
from tests.restore.service.test_restore_service import Clock, Services, clock, outcomes, services
from tests.world import EAST, WEST

__all__ = ["clock", "services"]


def to_another_name(found: ServicePlan) -> ServicePlan:
    return msgspec.structs.replace(
        found, indexes=[PlannedIndex(each.index, each.snapshot, "stolen") for each in found.indexes]
    )


def of_another_snapshot(found: ServicePlan) -> ServicePlan:
    return msgspec.structs.replace(
        found, indexes=[PlannedIndex(each.index, OLDER[0], each.target) for each in found.indexes]
    )


FORGED: dict[str, Callable[[ServicePlan], ServicePlan]] = {
    "no index": lambda found: msgspec.structs.replace(found, indexes=[]),
    "no object": lambda found: msgspec.structs.replace(found, objects=[]),
    "another name": to_another_name,
    "another snapshot": of_another_snapshot,
    "another beginning": lambda found: msgspec.structs.replace(
        found, indexes=[], started=datetime(2000, 1, 1, tzinfo=UTC)
    ),
}
OLDER = [""]


@pytest.mark.parametrize("forged", FORGED)
async def test_a_plan_that_the_snapshots_do_not_give_is_refused(services: Services, clock: Clock, forged: str) -> None:
    OLDER[0] = (await services.world.back_up("hotels")).snapshot
    clock.now += timedelta(hours=1)
    snapshot = await services.back_up()
    job = services.job(snapshot, run="whole-1")
    found = FORGED[forged](await plan(services.world.resources, job))
    state = ServiceRestoreState(fingerprint=job.fingerprint, executions=["forged"], plan=found)
    await write_service_restore_state(services.world.store.runs, WEST, state)
    with pytest.raises(IntegrityError, match="follow from"):
        await services.restore(snapshot)
    assert await services.world.west.index_names() == []


async def test_an_index_that_a_forged_proof_calls_restored_is_not_taken_for_it(services: Services) -> None:
    snapshot = await services.back_up()
    await services.world.fill(hotels.DEFINITION, hotels.hotels(3), service=WEST)
    job = services.job(snapshot, run="whole-1")
    found = await plan(services.world.resources, job)
    state = ServiceRestoreState(fingerprint=job.fingerprint, executions=["forged"], plan=found)
    await write_service_restore_state(services.world.store.runs, WEST, state)
    proof = Proof(
        snapshot=f"{EAST}/hotels@20200101T000000Z-7f3a9c",
        target=f"{WEST}/hotels",
        mode="create",
        compared=3,
        identical=3,
        equal=0,
        different=0,
        missing=0,
        extra=0,
        refused=0,
        differences=[],
        proved=True,
    )
    await services.world.store.runs.put(report_name("forged-0", "proof"), msgspec.json.encode(proof))
    assert outcomes(await services.restore(snapshot))["indexes/hotels"] == "left out"
