"""`indexvault unlock`: free an index that a dead run has locked."""

from argparse import ArgumentParser, Namespace
from dataclasses import dataclass
from urllib.parse import quote

import msgspec

from indexvault.cli.command import Command
from indexvault.cli.exit_codes import DONE
from indexvault.cli.output import Output
from indexvault.cli.references import index_name
from indexvault.cli.remote.session import RemoteSession
from indexvault.cli.session import FIRST_CONTACT, Session
from indexvault.maintenance.unlock import Unlocked, unlock_index
from indexvault.model import IndexName


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
    async with session.clients(retry=FIRST_CONTACT) as clients:
        return _print_unlocked(session.output, await unlock_index(clients, request.index, session.clock))


async def run_remotely(session: RemoteSession, request: UnlockRequest) -> int:
    """Have a deployment take the lock."""
    path = f"locks/{quote(request.index.service, safe='')}/{quote(request.index.index, safe='')}"
    return _print_unlocked(session.output, await session.deployment.delete(path, Unlocked))


def _print_unlocked(output: Output, unlocked: Unlocked) -> int:
    name = f"{unlocked.service}/{unlocked.index}"
    output.result(
        "unlock",
        msgspec.to_builtins(unlocked),
        f"{name}: it was not locked"
        if unlocked.lock == "free"
        else f"{name}: unlocked; {unlocked.had or 'a lock'} held it",
    )
    return DONE


COMMAND = Command(
    description="Free the lock of an index, whichever run holds it, after which that run can't commit. A lock"
    " expires by itself ten minutes after its run last renewed it; use this if that is too long.",
    add_arguments=add_arguments,
    read_request=read_request,
    run=run,
    run_remotely=run_remotely,
)
