"""`indexvault find`: one document through the snapshots of its index."""

import msgspec
from rich.table import Table
from rich.text import Text

from indexvault.cli.connect import clients
from indexvault.cli.contents import FindRequest
from indexvault.cli.exit_codes import DONE
from indexvault.cli.formatting import count, instant, one_line
from indexvault.cli.session import Session
from indexvault.errors import IntegrityError, NotFoundError
from indexvault.snapshots.history import Event, find_key

_STYLES = {"appeared": "green", "changed": "yellow", "vanished": "red", "unreadable": "red"}


async def run(session: Session, request: FindRequest) -> int:
    """Follow one document. Raises NotFoundError when it is in no snapshot, IntegrityError when that can't be known."""
    async with clients(session) as opened:
        blobs = opened.reading_store(request.index.service).snapshots
        history = await find_key(blobs, request.index.service, request.index.index, request.key)
    if all(event.kind == "unreadable" for event in history.events):
        if history.events:
            raise IntegrityError(
                f"whether the document was there is not known: {len(history.events):,} of"
                f" {count(history.snapshots, 'snapshot')} can't be read, and the others do not have it;"
                f" first {one_line(history.events[0].detail)}",
                on=f"{request.index} key {one_line(request.key)}",
                do="Run `indexvault verify` on the index, then `indexvault repair`",
            )
        raise NotFoundError(
            f"no document of this key is in any of {count(history.snapshots, 'snapshot')}",
            on=f"{request.index} key {one_line(request.key)}",
            do="Keys are case-sensitive",
        )
    for event in history.events:
        session.output.result("version", _record(event, show=request.show))
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("", "snapshot", "taken", "state"):
        table.add_column(heading, no_wrap=True)
    for event in history.events:
        snapshot = event.snapshot
        kind = Text(event.kind, style=_STYLES[event.kind])
        table.add_row(kind, snapshot.id, instant(snapshot.created), one_line(event.detail) or snapshot.state)
    session.output.show(table)
    session.output.show(f"{count(history.snapshots, 'snapshot')} looked at, {count(history.chunks_read, 'chunk')} read")
    if request.show:
        for event in history.events:
            if event.line is not None:
                document = msgspec.json.format(event.line, indent=2).decode()
                session.output.show(Text(f"\n{event.snapshot.id}", style="bold"), Text(document))
    return DONE


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
