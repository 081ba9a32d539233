"""What a verb works with when a deployment does the work."""

from dataclasses import dataclass

from indexvault.cli.output import Output
from indexvault.cli.remote.deployment import Deployment
from indexvault.model import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteSession:
    """The deployment, the output and the clock."""

    deployment: Deployment
    output: Output
    clock: Clock
