"""Reaching services and stores.

Work under way is worth waiting for, so its requests are repeated for minutes. A first contact is not: a service that is
down, a wrong key or a missing role should show in seconds.
"""

from indexvault.cli.session import Session
from indexvault.clients import Clients
from indexvault.search.retry import RetryPolicy

FIRST_CONTACT = RetryPolicy(attempts=3, first_wait=0.5, longest_wait=1.0, longest_retry_after=5.0)


def clients(session: Session, *, retry: RetryPolicy | None = None) -> Clients:
    """Return the clients of what is configured, to be used as a block."""
    return Clients(session.settings, environment=session.environment, rng=session.rng, retry=retry)


async def index_names(session: Session, service: str) -> list[str]:
    """Return the names of a service's indexes as the first contact with it. Raises what is wrong with it, soon."""
    async with clients(session, retry=FIRST_CONTACT) as contacts:
        return await contacts.service(service).index_names()


async def prepare_store_of(session: Session, service: str) -> None:
    """Make the first contact with the store of a service's snapshots. Raises what is wrong with it, soon."""
    async with clients(session, retry=FIRST_CONTACT) as contacts:
        await contacts.store_of(service).prepare()
