"""Whether a request may have snapshots removed, or let go: only where the settings say so, whoever holds a key."""

from indexvault.errors import RequestError
from indexvault.settings.model import Settings


def check_removal_request(settings: Settings, on: str) -> None:
    """Raise RequestError unless the settings let requests remove snapshots, and the pins that keep them."""
    if not settings.allow_removal_requests:
        raise RequestError(
            "the settings of the app don't let requests remove snapshots, or what keeps them",
            on=on,
            do='Do it where the settings are, or have "allow_removal_requests": true put into them',
        )
