"""Which verbs a deployment does, and how."""

import random
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any

from cli.output import Output
from cli.remote import backup, reading, rebuilding, runs
from cli.remote.address import Address
from cli.remote.deployment import Deployment
from cli.remote.offer import refuse_verb
from cli.remote.session import RemoteSession
from cli.requests import Request

VERBS: Mapping[str, Callable[[RemoteSession, Any], Awaitable[int]]] = {
    "backup": backup.run,
    "snapshots": reading.run_snapshots,
    "show": reading.run_show,
    "restore": rebuilding.run_restore,
    "move": rebuilding.run_move,
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
    chance: random.Random,
) -> int:
    """Do a verb through a deployment and give the exit code. Raises SettingsError for one that it does not offer."""
    if verb not in VERBS:
        raise refuse_verb(verb)
    async with Deployment(address, chance=chance) as deployment:
        return await VERBS[verb](RemoteSession(deployment=deployment, output=output, clock=clock), request)
