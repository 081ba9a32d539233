"""Snapshots of a deployment."""

from urllib.parse import quote

from indexvault.api.snapshot_views import SnapshotView
from indexvault.cli.remote.session import RemoteSession
from indexvault.snapshots.names import SnapshotReference


async def read_snapshot(session: RemoteSession, reference: SnapshotReference, *, sharing: bool = False) -> SnapshotView:
    """Read one snapshot; `sharing` asks for the chunks it shares with others, too. Raises NotFoundError."""
    path = f"snapshots/{snapshot_path(reference)}"
    query = {name: "true" for name, is_asked in (("sharing", sharing), ("proved", reference.proved)) if is_asked}
    return await session.deployment.get(path, SnapshotView, query or None)


def snapshot_path(reference: SnapshotReference) -> str:
    """Return a snapshot as the end of a path below `/api`: service, index and point."""
    service, rest = str(reference).split("/", 1)
    index, point = rest.split("@", 1)
    return "/".join(quote(part, safe="") for part in (service, index, point))


def point_of(reference: SnapshotReference) -> str:
    """Return which snapshot of its index is meant, as a person writes it after the @."""
    return str(reference).partition("@")[2]
