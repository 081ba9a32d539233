"""What `verify` and `repair` are asked to look at: all snapshots of an index in one store, or one of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from indexvault.clients import Clients
from indexvault.errors import NotFoundError
from indexvault.maintenance.stock import count_chunks, nothing_there, take_stock
from indexvault.model import IndexName
from indexvault.settings.policies import reading_order
from indexvault.snapshots.catalogue import choose, resolve
from indexvault.snapshots.names import SnapshotReference
from indexvault.snapshots.summary import Summary


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """`summary` is the one snapshot that is meant, or None for all. `missing` says by id what has vanished, and how."""

    summary: Summary | None
    missing: Mapping[str, str]

    @property
    def only(self) -> list[str] | None:
        """The id of the one snapshot that is meant, or None for all."""
        return None if self.summary is None else [self.summary.id]


async def find_target(clients: Clients, store: str, target: IndexName | SnapshotReference, now: datetime) -> Target:
    """Return what a target means in the store of a name, snapshots that have vanished from it included.

    Raises NotFoundError for an index that has no snapshot there and lacks none, and for a snapshot that nobody knows:
    what was asked for by name and is not there is no success.
    """
    stock = await take_stock(clients, store, target.service, target.index)
    listed = stock.listed()
    if not listed:
        others = [name for name in reading_order(clients.settings, target.service) if name != store]
        chunks = await count_chunks(clients.store(store), target.service, target.index)
        raise nothing_there(stock, target.service, target.index, chunks, others)
    missing = {each.reference.id or "": each.what for each in stock.missing}
    if isinstance(target, IndexName):
        return Target(summary=None, missing=missing)
    found = choose(listed, target, now)
    if found is None:
        await resolve(clients.store(store).snapshots, target, now=now)
        raise NotFoundError("there is no such snapshot", on=str(target), do="List the snapshots there are")
    return Target(summary=found, missing=missing)
