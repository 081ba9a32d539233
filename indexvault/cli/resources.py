"""What steps that a verb runs by itself have around them, without an engine."""

from indexvault.cli.progress import Progress
from indexvault.cli.session import Session
from indexvault.clients import Clients
from indexvault.errors import NotFoundError
from indexvault.settings.load import service_settings
from indexvault.snapshots.names import parse_segment, service_prefix
from indexvault.snapshots.store import Store
from indexvault.workflow.activity import ProgressUpdate, Resources


def resources(session: Session, clients: Clients, progress: Progress) -> Resources:
    """Return the resources of steps whose progress is shown."""

    def report(done: ProgressUpdate) -> None:
        progress.advance(done.stage, documents=done.documents, bytes=done.bytes, expected=done.expected)

    return Resources(clients=clients, clock=session.clock, rng=session.rng, report=report)


async def indexes_with_snapshots(session: Session, store: Store, service: str, index: str | None) -> list[str]:
    """Return the indexes of a service that a store has snapshots of, `$service` among them, or the one asked for.

    Raises NotFoundError for an unknown service, and when there is nothing.
    """
    service_settings(session.settings, service)
    names = [parse_segment(segment) async for segment in store.snapshots.folders(service_prefix(service))]
    found = [name for name in names if name is not None and index in {None, name}]
    if not found:
        there = ", ".join(name for name in names if name is not None) or "none at all"
        raise NotFoundError(
            "there are no snapshots of it",
            on=service if index is None else f"{service}/{index}",
            do=f"There are: {there}",
        )
    return found
