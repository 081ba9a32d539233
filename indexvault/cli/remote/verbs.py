"""Which verbs a deployment does, and how."""

import random
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any

from indexvault.cli.output import Output
from indexvault.cli.remote import backup, restore, runs, snapshots
from indexvault.cli.remote.address import Address
from indexvault.cli.remote.deployment import Deployment
from indexvault.cli.remote.session import RemoteSession
from indexvault.cli.remote.unsupported import refuse_verb
from indexvault.cli.requests import Request

VERBS: Mapping[str, Callable[[RemoteSession, Any], Awaitable[int]]] = {
    "backup": backup.run,
    "snapshots": snapshots.run_snapshots,
    "show": snapshots.run_show,
    "restore": restore.run_restore,
    "move": restore.run_move,
    "runs": runs.run_runs,
    "cancel": runs.run_cancel,
}


async def answer(
    verb: str,
    request: Request,
    address: Address,
    *,
    output: Output,
    clock: Callable[[], datetime],
    rng: random.Random,
) -> int:
    """Do a verb through a deployment and give the exit code. Raises SettingsError for one that it does not offer."""
    if verb not in VERBS:
        raise refuse_verb(verb)
    async with Deployment(address, rng=rng) as deployment:
        return await VERBS[verb](RemoteSession(deployment=deployment, output=output, clock=clock), request)
