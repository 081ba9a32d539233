"""`indexvault find`: one document through the snapshots of its index."""

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
from rich.text import Text

from indexvault.api.histories import HistoryView, history_of
from indexvault.cli.command import Command
from indexvault.cli.exit_codes import DONE
from indexvault.cli.formatting import count, instant, one_line
from indexvault.cli.output import Output
from indexvault.cli.references import index_name
from indexvault.cli.remote.session import RemoteSession
from indexvault.cli.session import Session
from indexvault.cli.tables import Column, Table
from indexvault.errors import IntegrityError, NotFoundError
from indexvault.model import IndexName
from indexvault.snapshots.history import Event, History, find_key

_STYLES = {"appeared": "green", "changed": "yellow", "vanished": "red", "unreadable": "red"}


@dataclass(frozen=True, slots=True, kw_only=True)
class FindRequest:
    """Follow one document through the snapshots of an index; `show` asks for its versions."""

    index: IndexName
    key: str
    show: bool


def add_arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("index", metavar="SERVICE/INDEX", help="whose snapshots")
    parser.add_argument("key", metavar="KEY", help="the document's key")
    parser.add_argument("--show", action="store_true", help="print each version of the document")


def read_request(arguments: Namespace) -> FindRequest:
    """Return what the arguments ask for. Raises SettingsError for a name that can't be one."""
    return FindRequest(index=index_name(arguments.index), key=arguments.key, show=arguments.show)


async def run(session: Session, request: FindRequest) -> int:
    """Follow one document. Raises NotFoundError when it is in no snapshot, IntegrityError when that can't be known."""
    async with session.clients() as clients:
        blobs = clients.reading_store(request.index.service).snapshots
        history = await find_key(blobs, request.index.service, request.index.index, request.key)
    return _print_history(session.output, request, history)


async def run_remotely(session: RemoteSession, request: FindRequest) -> int:
    """Have a deployment follow one document. Raises as `run` does."""
    index = request.index
    body = {"service": index.service, "index": index.index, "key": request.key, "show": request.show}
    found = history_of(await session.deployment.post("histories", body, HistoryView))
    return _print_history(session.output, request, found)


def _print_history(output: Output, request: FindRequest, history: History) -> int:
    """Print the events. Raises NotFoundError when there are none, IntegrityError when that can't be known."""
    if all(event.kind == "unreadable" for event in history.events):
        if history.events:
            raise IntegrityError(
                f"whether the document existed is not known: {len(history.events):,} of"
                f" {count(history.snapshots, 'snapshot')} can't be read, and the others do not have it;"
                f" first {one_line(history.events[0].detail)}",
                on=f"{request.index} key {one_line(request.key)}",
                do="Run `indexvault verify` on the index, then `indexvault repair`",
            )
        raise NotFoundError(
            f"no document with this key in any of {count(history.snapshots, 'snapshot')}",
            on=f"{request.index} key {one_line(request.key)}",
            do="Keys are case-sensitive",
        )
    for event in history.events:
        output.result("version", _record(event, show=request.show))
    output.show(history_table(history.events))
    output.show(f"{count(history.snapshots, 'snapshot')} looked at, {count(history.chunks_read, 'chunk')} read")
    if request.show:
        for event in history.events:
            if event.line is not None:
                document = msgspec.json.format(event.line, indent=2).decode()
                output.show("", Text(event.snapshot.id, style="bold"), *map(Text, document.split("\n")))
    return DONE


def history_table(events: Sequence[Event]) -> Table:
    """Return the events of a document as a table."""
    columns = [Column("", names=True), Column("snapshot", names=True), Column("taken"), Column("state", prose=True)]
    return Table(
        columns,
        [
            (
                Text(event.kind, style=_STYLES[event.kind]),
                event.snapshot.id,
                instant(event.snapshot.created),
                event.detail or event.snapshot.state,
            )
            for event in events
        ],
    )


def _record(event: Event, *, show: bool) -> dict[str, object]:
    record: dict[str, object] = {
        "kind": event.kind,
        "reference": str(event.snapshot.reference),
        "created": event.snapshot.created.isoformat(),
        "detail": event.detail,
    }
    if show and event.line is not None:
        record["document"] = msgspec.Raw(event.line)
    return record


COMMAND = Command(
    description="List the snapshots of an index in which a document appeared, changed or disappeared.",
    add_arguments=add_arguments,
    read_request=read_request,
    run=run,
    run_remotely=run_remotely,
)
