"""Reaching services and stores.

Work under way is worth waiting for, so its requests are repeated for minutes. A first contact is not: a service that is
down, a wrong key or a missing role should show in seconds.
"""

from cli.session import Session
from search.retry import RetryPolicy
from settings.connections import Connections

FIRST_CONTACT = RetryPolicy(attempts=3, first_wait=0.5, longest_wait=1.0, longest_retry_after=5.0)


def connections(session: Session, *, retry: RetryPolicy | None = None) -> Connections:
    """Give the clients of what is configured, to be used as a block."""
    return Connections(session.settings, environment=session.environment, chance=session.chance, retry=retry)


async def index_names(session: Session, service: str) -> list[str]:
    """Give the names of a service's indexes as the first contact with it. Raises what is wrong with it, soon."""
    async with connections(session, retry=FIRST_CONTACT) as contacts:
        return await contacts.service(service).index_names()


async def prepare_store_of(session: Session, service: str) -> None:
    """Make the first contact with the store of a service's snapshots. Raises what is wrong with it, soon."""
    async with connections(session, retry=FIRST_CONTACT) as contacts:
        await contacts.store_of(service).prepare()
