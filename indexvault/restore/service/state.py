"""The durable state of a service's restore: its plan, and the runs that have worked on it.

One record under the name of the target service. The same restore given again follows it; it is removed when the restore
has reported what became of every object.
"""

import msgspec

from indexvault.restore.service.job import ServicePlan
from indexvault.snapshots.names import SERVICE_OBJECTS
from indexvault.snapshots.records import RecordStore
from indexvault.snapshots.run_names import restore_name
from indexvault.snapshots.store import RunBlobs

_LIMIT = 64 * 1024 * 1024


class ServiceRestoreState(msgspec.Struct, frozen=True, kw_only=True):
    """A service's restore that has started and not ended.

    `executions` are the runs that have worked on it; the last one still does, or did last.
    """

    fingerprint: str
    executions: list[str]
    plan: ServicePlan


async def read_service_restore_state(runs: RunBlobs, service: str) -> ServiceRestoreState | None:
    """Return the restore under way into a service, or None. Raises IntegrityError if its state can't be read."""
    return await _states(runs).read(restore_name(service, SERVICE_OBJECTS))


async def write_service_restore_state(runs: RunBlobs, service: str, restore_state: ServiceRestoreState) -> None:
    """Write the state. The lock of the service's objects keeps other restores from doing so."""
    await _states(runs).write(restore_name(service, SERVICE_OBJECTS), restore_state)


async def forget_service_restore_state(runs: RunBlobs, service: str) -> None:
    """Remove the state: nothing is left to resume."""
    await _states(runs).remove(restore_name(service, SERVICE_OBJECTS))


def _states(runs: RunBlobs) -> RecordStore[ServiceRestoreState]:
    return RecordStore(
        runs,
        ServiceRestoreState,
        what="this record of a service's restore can't be read",
        do="Look at the target, then delete the record",
        limit=_LIMIT,
    )
