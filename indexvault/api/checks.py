"""`/checks`: whether every service and store can be used, and whether the app's roles suffice."""

import msgspec

from indexvault.api.endpoint import Call, DocumentedAnswer, Endpoint, Nothing, Reply
from indexvault.backup.changes.check import check_fields
from indexvault.clients import FIRST_CONTACT, Clients
from indexvault.maintenance.check import CheckReport, check_everything
from indexvault.workflow.submit import run_name


class CheckRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything is checked, so there is nothing to choose."""


async def check(call: Call[CheckRequest, Nothing, Nothing]) -> Reply:
    """Check everything. What fails is in the answer."""
    resources = call.resources
    run = run_name(resources.clock(), "check", resources.rng.randbytes(3))
    # Work under way is worth retrying for minutes; whoever waits for this answer is to see what is wrong in seconds.
    async with Clients(
        resources.clients.settings, environment=call.host.environment, rng=resources.rng, retry=FIRST_CONTACT
    ) as clients:
        report = await check_everything(clients, call.host.environment, run=run, clock=resources.clock)
        return Reply(200, await check_fields(clients, report, resources.clock))


ENDPOINTS = (
    Endpoint(
        name="check",
        method="POST",
        route="checks",
        summary="Check that every service and store can be used. One small blob is written and removed",
        handle=check,
        body=CheckRequest,
        answers={200: DocumentedAnswer("The findings, also if some are failures.", CheckReport)},
    ),
)
