"""`indexvault records`: what stands in a runs container that nobody with the record key has written."""

from argparse import ArgumentParser, Namespace
from dataclasses import dataclass

from rich.text import Text

from indexvault.cli.command import Command
from indexvault.cli.exit_codes import DONE, FAILED
from indexvault.cli.formatting import count
from indexvault.cli.session import Session
from indexvault.errors import SettingsError
from indexvault.snapshots.record_keys import MAKE_A_KEY

ACCEPTABLE = ("pins/", "holds/", "known/", "tombstones/", "verified/", "records/", "reports/")
"""Prefixes of records that order nothing. The others do: a run, a lock, a restore under way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordsRequest:
    """List what is not signed in a store; sign what is under the prefixes `accept`, remove what is under `delete`."""

    store: str
    accept: tuple[str, ...]
    delete: tuple[str, ...]


def add_arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("store", metavar="STORE", help="the store")
    parser.add_argument(
        "--accept",
        metavar="PREFIX",
        action="append",
        default=[],
        help=f"sign those whose names begin so, as they are: {', '.join(ACCEPTABLE)} or below; repeatable",
    )
    parser.add_argument(
        "--delete", metavar="PREFIX", action="append", default=[], help="delete those whose names begin so; repeatable"
    )


def read_request(arguments: Namespace) -> RecordsRequest:
    """Return what the arguments ask for. Raises SettingsError for records that must not be accepted unseen."""
    for prefix in arguments.accept:
        if not prefix.startswith(ACCEPTABLE):
            raise SettingsError(
                "such records are orders: whoever wrote them would have them carried out",
                on=f"--accept {prefix}",
                do=f"Accept {', '.join(ACCEPTABLE)}; start again what was under way",
            )
    return RecordsRequest(
        store=arguments.store, accept=tuple(arguments.accept), delete=tuple(each for each in arguments.delete if each)
    )


async def run(session: Session, request: RecordsRequest) -> int:
    """List what counts for nothing, and accept or delete what was asked for. FAILED if something of it is left."""
    left = 0
    async with session.clients() as clients:
        records = clients.signed_records(request.store)
        if records is None:
            raise SettingsError("no record key is set, so every record counts", on="record_key", do=MAKE_A_KEY)
        await clients.store(request.store).prepare()
        async for found in records.tampering():
            if found.blob.startswith(request.accept) and await records.accept(found.blob):
                outcome, style = "accepted", "green"
            elif found.blob.startswith(request.delete) and await records.remove_foreign(found.blob):
                outcome, style = "deleted", "green"
            else:
                outcome, style = "foreign", "red"
                left += 1
            session.output.result(
                "record",
                {"store": request.store, "blob": found.blob, "why": found.why, "outcome": outcome},
                Text.assemble((f"{outcome:8}", style), f"  {found.blob}: {found.why}"),
            )
    if left:
        session.output.show(Text(f"{count(left, 'record')} of store {request.store} count for nothing", style="yellow"))
        return FAILED
    session.output.show(f"every record of store {request.store} is signed")
    return DONE


COMMAND = Command(
    description="List the records of a store that nobody with the record key has written: they count for nothing, and"
    " are either from before there was a key or tampering. Accept or delete them by the beginnings of their names.",
    add_arguments=add_arguments,
    read_request=read_request,
    run=run,
)
