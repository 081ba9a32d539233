"""`indexvault unpin`: the policies decide again."""

from cli.contact import connections
from cli.exit_codes import DONE
from cli.session import Session
from cli.upkeep import UnpinRequest
from snapshots.catalogue import resolve
from snapshots.pins import unpin


async def run(session: Session, request: UnpinRequest) -> int:
    """Take the pin of one snapshot away."""
    async with connections(session) as opened:
        store = opened.store_of(request.snapshot.service)
        reference = (await resolve(store.snapshots, request.snapshot)).reference
        was = await unpin(store.runs, reference)
    told = f"{reference} is no longer pinned" if was else f"{reference} was not pinned"
    session.output.result("unpinned", {"reference": str(reference), "was_pinned": was}, told)
    return DONE
