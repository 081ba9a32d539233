"""`POST /followings`: bring the standby of a pair to the newest snapshots, and turn following on again."""

import msgspec

from indexvault.api.endpoint import Call, Endpoint, Nothing, Reply
from indexvault.api.parameters import PairName
from indexvault.api.start_run import STARTED, start_run
from indexvault.errors import ConflictError
from indexvault.recovery.follow_plan import plan_following
from indexvault.recovery.follow_run import record_of
from indexvault.recovery.follow_schedule import note_gone
from indexvault.recovery.follow_switch import turn_on
from indexvault.recovery.pair_role import pair_role
from indexvault.workflow.submit import run_name

OWNER = "POST /followings"


class FollowingRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The pair whose standby is brought on.

    After a failover that was not planned, following is off: `overwrite` turns it on again, so that what only the other
    service holds is lost.
    """

    pair: PairName
    overwrite: bool = False


async def bring_on(call: Call[FollowingRequest, Nothing, Nothing]) -> Reply:
    """Start a run; it has no items if the standby has what the newest snapshots hold.

    Raises NotFoundError for an unknown pair, ConflictError if nothing of it is followed, or if following is off.
    """
    asked, resources = call.body, call.resources
    seen = await pair_role(resources.clients, asked.pair)
    now = resources.clock()
    run = run_name(now, "follow", resources.rng.randbytes(3))
    if not seen.role.following:
        if not asked.overwrite:
            raise ConflictError(
                f"following is off since run {seen.role.run}: the other service may hold documents that"
                f" {seen.role.active} lacks",
                on=f"pair {asked.pair}",
                do='Compare the two services, then ask with "overwrite": true',
            )
        seen = await turn_on(resources, asked.pair, seen, run=run)
    plan = await plan_following(
        resources, asked.pair, run=run, owner=f"pair {asked.pair}: {OWNER}", again=True, seen=seen
    )
    await note_gone(resources, plan)
    record = record_of(plan, run=run, owner=OWNER, created=now)
    return await start_run(call, record, [])


ENDPOINTS = (
    Endpoint(
        name="start_following",
        method="POST",
        route="followings",
        summary="Bring the standby of a pair to the newest snapshots of the active service",
        handle=bring_on,
        body=FollowingRequest,
        answers={202: STARTED},
    ),
)
