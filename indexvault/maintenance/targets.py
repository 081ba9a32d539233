"""Which snapshots are meant, in one store: index by index all that it has, or a single one."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from indexvault.clients import Clients
from indexvault.errors import NotFoundError
from indexvault.maintenance.stock import Stock, count_packs, nothing_there, take_stock
from indexvault.model import IndexName
from indexvault.settings.load import service_settings
from indexvault.settings.model import Settings
from indexvault.settings.patterns import select
from indexvault.settings.policies import reading_order
from indexvault.snapshots.catalogue import choose, resolve
from indexvault.snapshots.names import SERVICE_OBJECTS, SnapshotReference, parse_segment, service_prefix
from indexvault.snapshots.store import Store
from indexvault.snapshots.summary import Summary
from indexvault.suggestions import suggestion


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotSet:
    """Snapshots that an operator names: all of a service, of an index or of those that a pattern fits, or a single one.

    `index` is a name or a pattern, `snapshot` set for a single one.
    """

    service: str
    index: str | None = None
    snapshot: SnapshotReference | None = None

    def __str__(self) -> str:
        """As a person writes it."""
        return str(self.snapshot) if self.snapshot else "/".join(filter(None, (self.service, self.index)))


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
        packs = await count_packs(clients.store(store), target.service, target.index)
        known = await store_indexes(clients.store(store), target.service)
        raise nothing_there(stock, index, packs=packs, elsewhere=others, known=known)
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


def is_pattern(index: str | None) -> bool:
    """Return whether the name of an index is a pattern, which may fit several."""
    return index is not None and "*" in index


def fitting(names: Iterable[str], index: str | None) -> list[str]:
    """Return the names that an index, or a pattern, means, in their order; all of them for None.

    A pattern fits indexes only, and not a service's other objects.
    """
    if index is None or not is_pattern(index):
        return [name for name in names if index in {None, name}]
    known = [name for name in names if name != SERVICE_OBJECTS]
    chosen = set(select(known, [index]).found)
    return [name for name in known if name in chosen]


async def store_indexes(store: Store, service: str) -> list[str]:
    """Return the indexes of a service that have a folder in a store, `$service` among them."""
    names = [parse_segment(segment) async for segment in store.snapshots.folders(service_prefix(service))]
    return [name for name in names if name is not None]


async def indexes_with_snapshots(settings: Settings, store: Store, service: str, index: str | None) -> list[str]:
    """Return the indexes of a service that have snapshots in a store, `$service` among them, or only those named.

    Raises NotFoundError for an unknown service, and when there are no snapshots.
    """
    service_settings(settings, service)
    names = await store_indexes(store, service)
    found = fitting(names, index)
    if not found:
        raise no_snapshots(service, index, names)
    return found


def no_snapshots(service: str, index: str | None, known: Iterable[str]) -> NotFoundError:
    """Return the error for a service, index or pattern that has no snapshots; `known` are the indexes that have."""
    names = list(known)
    return NotFoundError(
        "there are no snapshots of it",
        on=service if index is None else f"{service}/{index}",
        do=f"There are: {', '.join(names) or 'none at all'}{suggestion(index or '', names)}",
    )
