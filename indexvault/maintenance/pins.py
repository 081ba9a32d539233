"""Say which snapshots are pinned, and why, over all stores."""

import logging
from collections.abc import Collection
from datetime import UTC, datetime

import msgspec

from indexvault.errors import IndexvaultError, NotFoundError
from indexvault.maintenance.pass_over import is_unused, passed_over
from indexvault.snapshots.names import SnapshotReference
from indexvault.snapshots.pins import Identity, Pin, Release, pins_by_id
from indexvault.snapshots.run_names import PINS_PREFIX, pinned_index
from indexvault.workflow.activity import Resources

_LOG = logging.getLogger(__name__)


class Pinned(msgspec.Struct, frozen=True):
    """A pin: since when, and why in the operator's words. `since` is None if the pin can't be read; it keeps too.

    With `protected_by` it is a protection; `release` is a request to lift it.
    """

    since: datetime | None = None
    reason: str = ""
    protected_by: Identity | None = None
    release: Release | None = None

    @property
    def words(self) -> str:
        """Why the snapshot stays: `pinned`, `pinned: audit`, `protected by operator ann on desk-1: audit`."""
        since = self.since or datetime.min.replace(tzinfo=UTC)
        return Pin(since, self.reason, self.protected_by, self.release).words


async def list_pins(resources: Resources, indexes: Collection[tuple[str, str]]) -> dict[SnapshotReference, Pinned]:
    """Return the pins of the snapshots of some indexes, each named by service and index.

    A pin in one store holds in all. A store that can't be read is logged and left out.
    """
    found: dict[SnapshotReference, Pinned] = {}
    for name in resources.clients.settings.stores:
        with passed_over(f"reading the pins in store {name}"):
            try:
                await _add_pins(resources, name, indexes, found)
            except IndexvaultError as error:
                if isinstance(error, NotFoundError) and await is_unused(resources.clients.store(name)):
                    continue
                _LOG.warning("which snapshots are pinned in store %s is not known: %s", name, error)
    return found


async def _add_pins(
    resources: Resources, name: str, indexes: Collection[tuple[str, str]], found: dict[SnapshotReference, Pinned]
) -> None:
    runs = resources.clients.store(name).runs
    places = {place async for blob in runs.list(PINS_PREFIX) if (place := pinned_index(blob.name)) in indexes and place}
    for service, index in sorted(places):
        for snapshot, pin in (await pins_by_id(runs, service, index)).items():
            reference = SnapshotReference(service=service, index=index, id=snapshot)
            known = found.get(reference)
            if known is None or (not known.reason and known.protected_by is None):
                found[reference] = (
                    Pinned() if pin is None else Pinned(pin.since, pin.reason, pin.protected_by, pin.release)
                )
