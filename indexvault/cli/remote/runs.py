"""`runs` and `cancel`: what a deployment does, and stopping it."""

from urllib.parse import quote

import msgspec
from rich.table import Table
from rich.text import Text

from indexvault.api.run_views import RunList, RunView
from indexvault.cli.deployments import CancelRequest, RunsRequest
from indexvault.cli.exit_codes import DONE
from indexvault.cli.formatting import count, instant, size
from indexvault.cli.remote.session import RemoteSession

_STYLES = {"done": "green", "lossy": "yellow", "failed": "red", "cancelled": "red"}


async def run_runs(session: RemoteSession, request: RunsRequest) -> int:
    """List the newest runs, or tell how far one is."""
    if request.run is not None:
        _tell(session, await session.deployment.get(_path(request.run), RunView))
        return DONE
    found = (await session.deployment.get("runs", RunList)).runs
    for view in found:
        session.output.result("run", msgspec.to_builtins(view))
    session.output.show(_listing(found) if found else "There are no runs")
    return DONE


async def run_cancel(session: RemoteSession, request: CancelRequest) -> int:
    """Stop a run."""
    _tell(session, await session.deployment.delete(_path(request.run), RunView))
    return DONE


def _path(run: str) -> str:
    return f"runs/{quote(run, safe='')}"


def _listing(found: list[RunView]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("run", "state", "created", "what"):
        table.add_column(heading, overflow="fold")
    for view in found:
        table.add_row(view.run, Text(view.state, style=_STYLES.get(view.state, "")), instant(view.created), view.asked)
    return table


def _tell(session: RemoteSession, view: RunView) -> None:
    lines = [
        Text.assemble((view.state, _STYLES.get(view.state, "")), "  ", (view.run, "bold"), f"  {view.asked}"),
        Text(f"  {count(view.documents, 'document')}, {size(view.bytes)}"),
    ]
    for index in view.indexes:
        documents = "" if index.documents is None else f", {count(index.documents, 'document')}"
        lines.append(Text(f"  {index.service}/{index.index}: {index.state}{documents}"))
        if index.failure is not None:
            lines.append(Text(f"    {index.failure}", style="red"))
    if view.failure is not None:
        lines.append(Text(f"  {view.failure}", style="red"))
    session.output.result("run", msgspec.to_builtins(view), *lines)
