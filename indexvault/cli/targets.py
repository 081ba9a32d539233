"""What `verify` and `repair` are asked to look at: index by index all its snapshots in one store, or one of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from indexvault.cli.references import SnapshotSet, fitting, is_pattern, no_snapshots, store_indexes
from indexvault.clients import Clients
from indexvault.errors import NotFoundError
from indexvault.maintenance.stock import Stock, count_chunks, nothing_there, take_stock
from indexvault.model import IndexName
from indexvault.settings.load import service_settings
from indexvault.settings.policies import reading_order
from indexvault.snapshots.catalogue import choose, resolve
from indexvault.snapshots.names import SnapshotReference
from indexvault.snapshots.summary import Summary


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """An index. `summary` is the one snapshot that is meant, or None for all.

    `missing` says by id what has vanished, and how.
    """

    index: IndexName
    summary: Summary | None
    missing: Mapping[str, str]

    @property
    def only(self) -> list[str] | None:
        """The id of the one snapshot that is meant, or None for all."""
        return None if self.summary is None else [self.summary.id]


async def find_targets(clients: Clients, store: str, asked: SnapshotSet, now: datetime) -> list[Target]:
    """Return what is meant in the store of a name, snapshots that have vanished from it included.

    Raises NotFoundError for a service, an index or a pattern that has no snapshot there and lacks none, and for a
    snapshot that nobody knows: what was asked for by name and is not there is no success.
    """
    service_settings(clients.settings, asked.service)
    if asked.snapshot is not None:
        return [await find_target(clients, store, asked.snapshot, now)]
    if asked.index is not None and not is_pattern(asked.index):
        return [await find_target(clients, store, IndexName(asked.service, asked.index), now)]
    stock = await take_stock(clients, store, asked.service)
    names = sorted({summary.index for summary in stock.listed()})
    found = fitting(names, asked.index)
    if not found:
        raise no_snapshots(asked.service, asked.index, names)
    return [Target(index=IndexName(asked.service, name), summary=None, missing=_missing(stock, name)) for name in found]


async def find_target(clients: Clients, store: str, target: IndexName | SnapshotReference, now: datetime) -> Target:
    """Return what an index or a snapshot means in the store of a name. Raises as `find_targets` does."""
    stock = await take_stock(clients, store, target.service, target.index)
    listed = stock.listed()
    index = IndexName(target.service, target.index)
    if not listed:
        others = [name for name in reading_order(clients.settings, target.service) if name != store]
        chunks = await count_chunks(clients.store(store), target.service, target.index)
        known = await store_indexes(clients.store(store), target.service)
        raise nothing_there(stock, index, chunks=chunks, elsewhere=others, known=known)
    missing = _missing(stock, target.index)
    if isinstance(target, IndexName):
        return Target(index=index, summary=None, missing=missing)
    found = choose(listed, target, now)
    if found is None:
        await resolve(clients.store(store).snapshots, target, now=now)
        raise NotFoundError("there is no such snapshot", on=str(target), do="List the snapshots there are")
    return Target(index=index, summary=found, missing=missing)


def _missing(stock: Stock, index: str) -> dict[str, str]:
    return {each.reference.id or "": each.what for each in stock.missing if each.reference.index == index}
