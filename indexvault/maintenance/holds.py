"""Hold snapshots in every store that has them while a restore or a move needs them, and say who holds what."""

import logging
from collections.abc import Collection, Iterable

import msgspec

from indexvault.clients import Clients
from indexvault.errors import ConflictError, IndexvaultError, NotFoundError, RemoteError
from indexvault.maintenance.pass_over import is_unused, passed_over
from indexvault.settings.policies import reading_order
from indexvault.snapshots.holds import Hold, is_live, place_hold, read_holds, release_holds
from indexvault.snapshots.names import SnapshotReference
from indexvault.snapshots.run_names import HOLDS_PREFIX, held_index
from indexvault.workflow.activity import Resources

_LOG = logging.getLogger(__name__)


class Held(msgspec.Struct, frozen=True):
    """Where a snapshot is held now; `notes` name the stores that have it, perhaps, and took no hold."""

    stores: list[str]
    notes: list[str]


async def hold_snapshot(
    resources: Resources, reference: SnapshotReference, wanted: Hold, also: str, *, without: Collection[str] = ()
) -> Held:
    """Hold a snapshot, by its id, in the store `also` and all others of its service that have it.

    Those in `without` are passed over, as they don't answer: a prune there may remove it. A store that can't be written
    is noted, so that a restore works from stores that can only be read. Raises ConflictError if the snapshot is being
    removed from every store that has it. Raises RemoteError if no store holds it and `also` may do so at another
    attempt.
    """
    held, notes = [], []
    removals: list[ConflictError] = []
    may_pass: RemoteError | None = None
    for name in _stores(resources.clients, reference.service, also, without):
        try:
            if await place_hold(resources.clients.store(name), reference, wanted, resources.clock()):
                held.append(name)
        except ConflictError as error:
            removals.append(error)
        except RemoteError as error:
            if name == also and error.may_pass:
                may_pass = error
            _LOG.warning("%s is not held in store %s, and a prune there may remove it: %s", reference, name, error)
            notes.append(
                f"the snapshot could not be held in store {name} ({error.what}): a prune there may have removed it"
            )
    if removals and not held:
        raise removals[0]
    if may_pass is not None and not held:
        raise may_pass
    return Held(held, notes)


async def release_snapshots(
    resources: Resources,
    service: str,
    index: str,
    run: str,
    also: str | None = None,
    *,
    without: Collection[str] = (),
) -> None:
    """Remove every hold that a run has on snapshots of an index. One that can't be removed expires by itself.

    Stores in `without` are not asked.
    """
    for name in _stores(resources.clients, service, also, without):
        try:
            await release_holds(resources.clients.store(name).runs, service, index, run)
        except (RemoteError, NotFoundError) as error:
            _LOG.warning("a hold of run %s in store %s stays until it expires: %s", run, name, error)


async def live_holds(resources: Resources, stores: Iterable[str], service: str, index: str) -> dict[str, list[Hold]]:
    """Return the holds that count, by the ids of the snapshots. A hold in one store holds in all."""
    now = resources.clock()
    found: dict[str, dict[str, Hold]] = {}
    for store in stores:
        async for snapshot, hold in read_holds(resources.clients.store(store).runs, service, index):
            if hold.run not in found.get(snapshot, {}) and await is_live(
                hold, lambda name: resources.clients.store(name).runs, now
            ):
                found.setdefault(snapshot, {})[hold.run] = hold
    return {snapshot: list(holds.values()) for snapshot, holds in found.items()}


async def list_holds(resources: Resources, indexes: Collection[tuple[str, str]]) -> dict[SnapshotReference, list[Hold]]:
    """Return the holds that count, by the snapshots of some indexes, each named by service and index.

    A store that can't be read is logged and left out.
    """
    found: dict[SnapshotReference, list[Hold]] = {}
    for name in resources.clients.settings.stores:
        with passed_over(f"reading who holds the snapshots in store {name}"):
            try:
                await _add_holds(resources, name, indexes, found)
            except IndexvaultError as error:
                if isinstance(error, NotFoundError) and await is_unused(resources.clients.store(name)):
                    continue
                _LOG.warning("who holds the snapshots in store %s is not known: %s", name, error)
    return found


async def _add_holds(
    resources: Resources,
    name: str,
    indexes: Collection[tuple[str, str]],
    found: dict[SnapshotReference, list[Hold]],
) -> None:
    listed = resources.clients.store(name).runs.list(HOLDS_PREFIX)
    places = {place async for blob in listed if (place := held_index(blob.name)) in indexes and place}
    for service, index in sorted(places):
        for snapshot, holds in (await live_holds(resources, [name], service, index)).items():
            reference = SnapshotReference(service=service, index=index, id=snapshot)
            known = found.setdefault(reference, [])
            known += [hold for hold in holds if hold.run not in {each.run for each in known}]


def _stores(clients: Clients, service: str, also: str | None, without: Collection[str]) -> list[str]:
    """Return the stores that may have snapshots of a service, the one in `also` first, without some."""
    known = reading_order(clients.settings, service) if service in clients.settings.services else []
    return [
        name
        for name in dict.fromkeys([*filter(None, [also]), *known])
        if name in clients.settings.stores.keys() - set(without)
    ]
