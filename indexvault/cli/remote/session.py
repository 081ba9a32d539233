"""What a verb has around it when a deployment does the work."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from indexvault.cli.output import Output
from indexvault.cli.remote.deployment import Deployment


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteSession:
    """The deployment, and where to answer."""

    deployment: Deployment
    output: Output
    clock: Callable[[], datetime]
