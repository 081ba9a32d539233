"""Whether a request may let data leave its region: only where the settings say so, whoever holds a key."""

from indexvault.errors import RequestError
from indexvault.settings.model import Settings


def check_region_request(settings: Settings, *, asks_to_leave: bool) -> None:
    """Raise RequestError if a request lets data leave its region and the settings don't leave that to requests."""
    if asks_to_leave and not (settings.allow_cross_region or settings.allow_cross_region_requests):
        raise RequestError(
            "the settings of the app don't let requests take data out of its region",
            on="body.allow_cross_region",
            do='Leave it out, or have "allow_cross_region_requests": true put into the settings',
        )
