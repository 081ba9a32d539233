"""One verb, run through a deployment."""

import random
from typing import Any

from indexvault.cli.command import Command
from indexvault.cli.output import Output
from indexvault.cli.remote.address import Address
from indexvault.cli.remote.deployment import Deployment
from indexvault.cli.remote.options import unsupported_verb
from indexvault.cli.remote.session import RemoteSession
from indexvault.model import Clock


async def run_on_deployment(
    verb: str,
    command: Command[Any],
    request: Any,
    address: Address,
    *,
    output: Output,
    clock: Clock,
    rng: random.Random,
) -> int:
    """Run a verb through a deployment and return the exit code. Raises SettingsError for one that it doesn't offer."""
    if command.run_remotely is None:
        raise unsupported_verb(verb)
    async with Deployment(address, rng=rng) as deployment:
        return await command.run_remotely(RemoteSession(deployment=deployment, output=output, clock=clock), request)
