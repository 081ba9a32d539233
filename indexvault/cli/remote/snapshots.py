"""Snapshots of a deployment."""

from urllib.parse import quote

from indexvault.api.snapshot_views import SnapshotView
from indexvault.cli.remote.session import RemoteSession
from indexvault.snapshots.names import SnapshotReference


async def read_snapshot(session: RemoteSession, reference: SnapshotReference, *, sharing: bool = False) -> SnapshotView:
    """Read one snapshot; `sharing` asks for the chunks it shares with others, too. Raises NotFoundError."""
    service, rest = str(reference).split("/", 1)
    index, point = rest.split("@", 1)
    path = "/".join(quote(part, safe="") for part in (service, index, point))
    return await session.deployment.get(f"snapshots/{path}", SnapshotView, {"sharing": "true"} if sharing else None)
