"""`indexvault pin`: a snapshot that no policy removes."""

from indexvault.cli.connect import clients
from indexvault.cli.exit_codes import DONE
from indexvault.cli.session import Session
from indexvault.cli.upkeep import PinRequest
from indexvault.snapshots.pins import Pin, pin


async def run(session: Session, request: PinRequest) -> int:
    """Pin one snapshot."""
    async with clients(session) as opened:
        store = opened.store_of(request.snapshot.service)
        await store.prepare()
        reference = await pin(store, request.snapshot, Pin(session.clock(), request.reason))
    session.output.result("pinned", {"reference": str(reference)}, f"{reference} is pinned: no policy removes it")
    return DONE
