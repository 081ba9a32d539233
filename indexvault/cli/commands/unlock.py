"""`indexvault unlock`: the lock of an index, taken from a run that is dead."""

from indexvault.cli.connect import FIRST_CONTACT, clients
from indexvault.cli.exit_codes import DONE
from indexvault.cli.requests import UnlockRequest
from indexvault.cli.session import Session
from indexvault.errors import IntegrityError
from indexvault.model import IndexName
from indexvault.workflow.lock import read_holder, unlock


async def run(session: Session, request: UnlockRequest) -> int:
    """Take the lock away, whoever has it, and say who that was. A run that lives can't commit after this."""
    index = IndexName(request.service, request.index)
    async with clients(session, retry=FIRST_CONTACT) as opened:
        store = opened.store_of(request.service)
        await store.prepare()
        try:
            holder = await read_holder(store.runs, index)
        except IntegrityError:
            # Whatever stands in it can't be read; taking it away is what mends it.
            holder = None
        came_to = await unlock(store.runs, index)
    had = None if holder is None or came_to == "free" else f"run {holder.run} ({holder.owner})"
    session.output.result(
        "unlock",
        {"service": index.service, "index": index.index, "lock": came_to, "had": had},
        f"{index}: it was not locked" if came_to == "free" else f"{index}: unlocked; {had or 'a lock'} had it",
    )
    return DONE
