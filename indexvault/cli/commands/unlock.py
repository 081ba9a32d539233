"""`indexvault unlock`: free an index that a dead run has locked."""

from argparse import ArgumentParser, Namespace
from dataclasses import dataclass

from indexvault.cli.command import Command
from indexvault.cli.exit_codes import DONE
from indexvault.cli.references import index_name
from indexvault.cli.session import FIRST_CONTACT, Session
from indexvault.errors import IntegrityError
from indexvault.model import IndexName
from indexvault.workflow.lock import read_holder, unlock


@dataclass(frozen=True, slots=True, kw_only=True)
class UnlockRequest:
    """Take the lock of one index from whatever run has it."""

    index: IndexName


def add_arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("index", metavar="SERVICE/INDEX", help="the index")


def read_request(arguments: Namespace) -> UnlockRequest:
    """Return what the arguments ask for. Raises SettingsError for a name that can't be one."""
    return UnlockRequest(index=index_name(arguments.index))


async def run(session: Session, request: UnlockRequest) -> int:
    """Take the lock and print which run had it. A run that is alive can't commit after this."""
    index = request.index
    async with session.clients(retry=FIRST_CONTACT) as clients:
        store = clients.store_of(index.service)
        await store.prepare()
        try:
            holder = await read_holder(store.runs, index)
        except IntegrityError:
            # A lock that can't be read is repaired by taking it away.
            holder = None
        outcome = await unlock(store.runs, index)
    had = None if holder is None or outcome == "free" else f"run {holder.run} ({holder.owner})"
    session.output.result(
        "unlock",
        {"service": index.service, "index": index.index, "lock": outcome, "had": had},
        f"{index}: it was not locked" if outcome == "free" else f"{index}: unlocked; {had or 'a lock'} held it",
    )
    return DONE


COMMAND = Command(
    description="Free the lock of an index, whichever run holds it, after which that run can't commit. A lock"
    " expires by itself ten minutes after its run last renewed it; use this if that is too long.",
    add_arguments=add_arguments,
    read_request=read_request,
    run=run,
)
