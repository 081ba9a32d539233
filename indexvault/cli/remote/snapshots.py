"""`snapshots` and `show`, through a deployment."""

from urllib.parse import quote

from indexvault.api.snapshot_views import SnapshotList, SnapshotView, manifest_of
from indexvault.cli.commands.show import tell_manifest
from indexvault.cli.commands.snapshots import tell_snapshots
from indexvault.cli.exit_codes import DONE
from indexvault.cli.remote.session import RemoteSession
from indexvault.cli.remote.unsupported import refuse_verb
from indexvault.cli.requests import ShowRequest, SnapshotsRequest
from indexvault.errors import UnexpectedAnswerError
from indexvault.snapshots.names import SERVICE_OBJECTS, SnapshotReference

MOST_LISTED = 1000


async def run_snapshots(session: RemoteSession, request: SnapshotsRequest) -> int:
    """List the snapshots of an index, a service, or every store of the deployment."""
    asked = {"service": request.service, "index": request.index, "limit": str(MOST_LISTED)}
    query = {name: value for name, value in asked.items() if value is not None}
    found = await session.deployment.get("snapshots", SnapshotList, query)
    if not found.snapshots and request.service is not None and request.index is not None:
        await read_snapshot(session, SnapshotReference(service=request.service, index=request.index))
    tell_snapshots(session.output, found.snapshots, session.clock())
    if found.more:
        session.output.notes.print(
            f"the first {MOST_LISTED:,} are listed: name a service or an index to see the others"
        )
    return DONE


async def run_show(session: RemoteSession, request: ShowRequest) -> int:
    """Show one snapshot."""
    if request.snapshot.index == SERVICE_OBJECTS:
        raise refuse_verb(f"show {request.snapshot}")
    view = await read_snapshot(session, request.snapshot, sharing=True)
    if view.sharing is None:
        raise UnexpectedAnswerError(
            "the app does not tell what it shares", on=str(request.snapshot), do="Deploy the app of this version"
        )
    tell_manifest(session.output, manifest_of(view), view.summary.chunks, view.sharing)
    return DONE


async def read_snapshot(session: RemoteSession, reference: SnapshotReference, *, sharing: bool = False) -> SnapshotView:
    """Read one snapshot. Raises NotFoundError."""
    service, rest = str(reference).split("/", 1)
    index, point = rest.split("@", 1)
    path = "/".join(quote(part, safe="") for part in (service, index, point))
    return await session.deployment.get(f"snapshots/{path}", SnapshotView, {"sharing": "true"} if sharing else None)
