"""What snapshots take up: sizes, what sharing saves, growth, and an estimate of the cost.

Indexes are looked at one after the other, and blobs are counted as they are listed, so memory does not grow with how
many there are. Of snapshots only the listing is read.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

import msgspec

from indexvault.errors import NotFoundError
from indexvault.maintenance.targets import fitting, no_snapshots, store_indexes
from indexvault.settings.load import service_settings
from indexvault.settings.model import PriceSettings
from indexvault.settings.policies import reading_order
from indexvault.snapshots.catalogue import list_snapshots
from indexvault.snapshots.manifest import AwareTime
from indexvault.snapshots.names import index_prefix
from indexvault.snapshots.store import Store
from indexvault.snapshots.summary import Summary
from indexvault.workflow.activity import Resources

LATELY = timedelta(days=30)
"""The time that growth is taken from."""
_GIGABYTE = 1_000_000_000
_DAY = timedelta(days=1)
_UNUSABLE = frozenset({"damaged", "missing"})


class IndexStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """What the snapshots of an index take up in one store. All sizes are in bytes.

    `documents` and `bytes` are those of the newest snapshot, uncompressed. `apart` is what all snapshots would take up
    if none shared a chunk with another, compressed; `stored` what their blobs do take up, with all that prunes have not
    removed yet. `growth` is what snapshots of the last 30 days have added a day, `writes` the blobs written then.
    """

    service: str
    index: str
    store: str
    snapshots: int
    documents: int = 0
    bytes: int = 0
    apart: int = 0
    stored: int = 0
    blobs: int = 0
    growth: float = 0
    writes: int = 0
    oldest: AwareTime | None = None
    newest: AwareTime | None = None

    @property
    def shared(self) -> float | None:
        """How many times more the snapshots would take up apart; None without documents."""
        return self.apart / self.stored if self.stored and self.apart else None


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """The cost of a month: of what is stored now, and of the writes of the last 30 days. `as_of` says of what prices.

    `next_month` is that of storage in 30 days if it grows on, and nothing is removed.
    """

    currency: str
    as_of: str
    storage: float
    writes: float
    next_month: float


class Statistics(msgspec.Struct, frozen=True, kw_only=True):
    """The statistics of each index in each store, and what they cost together."""

    indexes: tuple[IndexStatistics, ...]
    estimate: Estimate


async def statistics_of(resources: Resources, service: str | None = None, index: str | None = None) -> Statistics:
    """Return the statistics of all services, a service, or an index or pattern of it, by service, index and store.

    Raises NotFoundError if a service is not configured, or has no snapshots of an index, RemoteError if a store can't
    be read.
    """
    clients = resources.clients
    if service is not None:
        service_settings(clients.settings, service)
    found: list[IndexStatistics] = []
    for name in [service] if service is not None else sorted(clients.settings.services):
        for each in reading_order(clients.settings, name):
            store = clients.store(each)
            known = await _indexes(store, name)
            found += [
                await _of_index(store, name, each_index, resources.clock()) for each_index in fitting(known, index)
            ]
    if not found and index is not None and service is not None:
        raise no_snapshots(service, index, await _indexes(clients.store_of(service), service))
    found.sort(key=lambda each: (each.service, each.index))
    return Statistics(indexes=tuple(found), estimate=estimate(found, clients.settings.prices))


def estimate(found: Iterable[IndexStatistics], prices: PriceSettings) -> Estimate:
    """Return what indexes cost together."""
    stored = growth = writes = 0.0
    for each in found:
        stored, growth, writes = stored + each.stored, growth + each.growth, writes + each.writes
    return Estimate(
        currency=prices.currency,
        as_of=prices.as_of,
        storage=round(stored / _GIGABYTE * prices.gigabyte_month, 4),
        writes=round(writes / 10_000 * prices.ten_thousand_writes, 4),
        next_month=round((stored + growth * (LATELY / _DAY)) / _GIGABYTE * prices.gigabyte_month, 4),
    )


def growth_of(snapshots: Iterable[Summary], now: datetime) -> float:
    """Return the stored bytes that snapshots of the last 30 days have added a day.

    The first snapshot of an index adds all of it, which is no growth, so it does not count. Days are counted from the
    snapshot before the first that counts, 30 at most and one at least.
    """
    times = sorted((each for each in snapshots if each.created <= now), key=lambda each: each.created)
    late = [each for each in times[1:] if now - each.created <= LATELY]
    if not late:
        return 0.0
    before = times[times.index(late[0]) - 1].created
    days = max(min(now - before, LATELY) / _DAY, 1.0)
    return sum(each.added_stored for each in late) / days


async def _indexes(store: Store, service: str) -> list[str]:
    try:
        return await store_indexes(store, service)
    except NotFoundError:  # no container yet
        return []


async def _of_index(store: Store, service: str, index: str, now: datetime) -> IndexStatistics:
    summaries = [
        each for each in await list_snapshots(store.snapshots, service, index) if each.state not in _UNUSABLE
    ]  # fmt: skip
    stored = blobs = writes = 0
    async for blob in store.snapshots.list(index_prefix(service, index)):
        stored, blobs = stored + blob.size, blobs + 1
        writes += now - blob.modified <= LATELY
    newest = summaries[0] if summaries else None
    return IndexStatistics(
        service=service,
        index=index,
        store=store.name,
        snapshots=len(summaries),
        documents=newest.documents if newest is not None else 0,
        bytes=newest.bytes if newest is not None else 0,
        apart=sum(each.stored for each in summaries),
        stored=stored,
        blobs=blobs,
        growth=round(growth_of(summaries, now), 1),
        writes=writes,
        oldest=summaries[-1].created if summaries else None,
        newest=newest.created if newest is not None else None,
    )
