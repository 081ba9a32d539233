"""Take stock of a store: the snapshots that are there, and those that should be.

A snapshot should be in a store if it is recorded there as committed (`snapshots.known`). Where a service's own store
holds no snapshot of an index at all, those in its replicas are expected too: replicas are copied from it.
"""

import logging
from collections.abc import AsyncIterator, Iterable, Sequence

import msgspec

from indexvault.clients import Clients
from indexvault.errors import NotFoundError, RemoteError
from indexvault.model import IndexName
from indexvault.settings.policies import reading_order
from indexvault.snapshots.catalogue import list_snapshots
from indexvault.snapshots.known import known_snapshots, lost_snapshots
from indexvault.snapshots.names import SnapshotReference, index_prefix, parse_pack_name, parse_segment, service_prefix
from indexvault.snapshots.store import Store
from indexvault.snapshots.summary import Summary, missing_summary
from indexvault.suggestions import suggestion

_LOG = logging.getLogger(__name__)


class Missing(msgspec.Struct, frozen=True):
    """A snapshot whose manifest has vanished from a store, and the names of the stores that still have it."""

    reference: SnapshotReference
    copies: tuple[str, ...]

    @property
    def what(self) -> str:
        """What is wrong, in words."""
        held = f"; store {' and '.join(self.copies)} still has it" if self.copies else "; no other store has it"
        return f"the manifest has vanished, and nobody removed it{held}"


class Stock(msgspec.Struct, frozen=True):
    """What one store holds, and lacks.

    `present` is as `list_snapshots` returns it, `missing` by service, index and id. `unrecorded` are those present that
    no record says were committed, without those that are not authentic.
    """

    store: str
    present: tuple[Summary, ...]
    missing: tuple[Missing, ...]
    unrecorded: tuple[Summary, ...] = ()

    def listed(self) -> list[Summary]:
        """Return all snapshots by service and index, the newest first, missing ones in the state `missing`."""
        found = [*self.present, *(missing_summary(each.reference) for each in self.missing)]
        found.sort(key=lambda summary: (summary.created, summary.id), reverse=True)
        found.sort(key=lambda summary: (summary.service, summary.index))
        return found


async def take_stock(
    clients: Clients, name: str, service: str | None = None, index: str | None = None, *, certain: bool = True
) -> Stock:
    """Return what the store of a name holds, and lacks, of an index, a service or everything.

    Raises NotFoundError if the store has no container and nothing is known of what it held, RemoteError if it can't be
    read. Another store that can't be read is logged and left out. So are the records of what was committed, unless the
    answer must be `certain`, as where something is to be called whole.
    """
    store = clients.store(name)
    absent: NotFoundError | None = None
    present: list[Summary] = []
    try:
        present = await list_snapshots(store.snapshots, service, index)
    except NotFoundError as error:
        absent = error
    try:
        known = await known_snapshots(store.runs, service, index)
    except RemoteError as error:
        if certain:
            raise
        _LOG.warning("which snapshots store %s should hold is not known: %s", name, error)
        known = {summary.reference for summary in present}
    expected = known - {summary.reference for summary in present}
    held = await _held_by_others(clients, name, present, expected, service=service, index=index)
    lost = await lost_snapshots(store.snapshots, store.runs, expected | held.keys())
    if absent is not None and not lost:
        raise absent
    missing = tuple(Missing(reference, tuple(held.get(reference, ()))) for reference in lost)
    unrecorded = tuple(summary for summary in present if summary.reference not in known and summary.is_trusted)
    return Stock(store=name, present=tuple(present), missing=missing, unrecorded=unrecorded)


def nothing_there(
    stock: Stock, index: IndexName, *, packs: int, elsewhere: Sequence[str], known: Iterable[str]
) -> NotFoundError:
    """Return the error for an index that was asked for by name and of which a store has no snapshot.

    `packs` are left of it, `elsewhere` are the other stores of its service, `known` the indexes of which this one has
    snapshots.
    """
    left = (
        f", and {packs:,} packs are there that no snapshot needs: left by a backup that did not finish, or by"
        " manifests that were deleted"
        if packs
        else ""
    )
    do = f"Look in store {' or '.join(elsewhere)}" if elsewhere else "List the snapshots there are"
    do += suggestion(index.index, known)
    return NotFoundError(f"store {stock.store} has no snapshot of this index{left}", on=str(index), do=do)


async def count_packs(store: Store, service: str, index: str) -> int:
    """Return how many packs a store holds of an index, needed by a snapshot or not."""
    names = [blob.name async for blob in store.snapshots.list(index_prefix(service, index))]
    return sum(parse_pack_name(name) is not None for name in names)


async def _held_by_others(
    clients: Clients,
    name: str,
    present: Sequence[Summary],
    expected: Iterable[SnapshotReference],
    *,
    service: str | None,
    index: str | None,
) -> dict[SnapshotReference, list[str]]:
    """Return which stores hold the expected snapshots, and those of indexes that their own store has nothing of."""
    settings = clients.settings
    wanted = set(expected)
    services = {service} if service is not None else settings.services.keys()
    held: dict[SnapshotReference, list[str]] = {}
    for each in sorted(services & settings.services.keys()):
        is_own = settings.services[each].store == name
        there = {summary.index for summary in present if summary.service == each}
        lost = {reference.index for reference in wanted if reference.service == each}
        for other in reading_order(settings, each):
            if other == name:
                continue
            async for summary in _snapshots_in(clients.store(other), each, index, there, lost, is_own=is_own):
                if summary.reference in wanted or (is_own and summary.index not in there):
                    held.setdefault(summary.reference, []).append(other)
    return held


async def _snapshots_in(
    store: Store, service: str, index: str | None, there: set[str], lost: set[str], *, is_own: bool
) -> AsyncIterator[Summary]:
    """Yield the readable snapshots in another store, of the indexes of which some may be missing."""
    try:
        asked = set(lost)
        if is_own:
            asked |= {index} - there if index is not None else await _indexes(store, service) - there
        for each in sorted(asked):
            for summary in await list_snapshots(store.snapshots, service, each):
                if summary.state != "damaged":
                    yield summary
    except NotFoundError:  # nothing has been copied to it yet
        return
    except RemoteError as error:
        _LOG.warning("store %s is not asked for copies: %s", store.name, error)


async def _indexes(store: Store, service: str) -> set[str]:
    names = [parse_segment(segment) async for segment in store.snapshots.folders(service_prefix(service))]
    return {name for name in names if name is not None}
