"""Runs of a deployment: where the API has them, and how one is printed."""

import re
from collections.abc import Mapping
from urllib.parse import quote

import msgspec
from rich.text import Text

from indexvault.api.parameters import RUN_NAME
from indexvault.api.run_views import RunView
from indexvault.cli.formatting import count, size
from indexvault.cli.output import Output
from indexvault.errors import NotFoundError

STYLES: Mapping[str, str] = {
    "done": "green",
    "lossy": "yellow",
    "unsettled": "yellow",
    "failed": "red",
    "cancelled": "red",
}


def run_path(run: str) -> str:
    """Return the path of a run below `/api`. Raises NotFoundError for a text that names no run."""
    if not re.fullmatch(RUN_NAME, run, re.ASCII):
        raise NotFoundError("no such run", on=f"run {run}", do="`indexvault runs` lists the runs")
    return f"runs/{quote(run, safe='')}"


def print_run(output: Output, view: RunView) -> None:
    """Print a run, index by index."""
    lines = [
        Text.assemble((view.state, STYLES.get(view.state, "")), "  ", (view.run, "bold"), f"  {view.asked}"),
        Text(f"  {count(view.documents, 'document')}, {size(view.bytes)}"),
    ]
    for index in view.indexes:
        documents = "" if index.documents is None else f", {count(index.documents, 'document')}"
        lines.append(Text(f"  {index.service}/{index.index}: {index.state}{documents}"))
        if index.failure is not None:
            lines.append(Text(f"    {index.failure}", style="red"))
    if view.failure is not None:
        lines.append(Text(f"  {view.failure}", style="red"))
    output.result("run", msgspec.to_builtins(view), *lines)
