"""What steps that a verb runs by itself have around them, without an engine."""

from cli.progress import Progress
from cli.session import Session
from engine.step import Progress as StepProgress
from engine.step import Resources
from errors import NotFoundError
from settings.connections import Connections
from settings.read import service_settings
from snapshots.names import parse_segment, service_prefix
from snapshots.store import Store


def resources(session: Session, connections: Connections, progress: Progress) -> Resources:
    """Give the resources of steps whose progress is shown."""

    def report(done: StepProgress) -> None:
        progress.advance(done.stage, documents=done.documents, bytes=done.bytes, expected=done.expected)

    return Resources(connections=connections, clock=session.clock, chance=session.chance, report=report)


async def indexes_with_snapshots(session: Session, store: Store, service: str, index: str | None) -> list[str]:
    """Give the indexes of a service that a store has something of, `$service` among them, or the one that is asked for.

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
