"""`indexvault unpin`: the policies decide again."""

from indexvault.cli.connect import clients
from indexvault.cli.exit_codes import DONE
from indexvault.cli.session import Session
from indexvault.cli.upkeep import UnpinRequest
from indexvault.snapshots.catalogue import resolve
from indexvault.snapshots.pins import unpin


async def run(session: Session, request: UnpinRequest) -> int:
    """Take the pin of one snapshot away."""
    async with clients(session) as opened:
        store = opened.store_of(request.snapshot.service)
        reference = (await resolve(store.snapshots, request.snapshot)).reference
        was = await unpin(store.runs, reference)
    told = f"{reference} is no longer pinned" if was else f"{reference} was not pinned"
    session.output.result("unpinned", {"reference": str(reference), "was_pinned": was}, told)
    return DONE
