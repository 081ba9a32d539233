"""What is durable of a service's restore while it is under way: its plan, and the runs that have worked on it.

One record, under the name of the target service. The same restore given again goes on by it; it goes when the restore
has told what became of every object.
"""

import msgspec

from indexvault.errors import IntegrityError
from indexvault.restore.service.job import ServicePlan
from indexvault.snapshots.names import SERVICE_OBJECTS, restore_name
from indexvault.snapshots.store import RunBlobs

_LIMIT = 64 * 1024 * 1024


class ServiceRestoreState(msgspec.Struct, frozen=True, kw_only=True):
    """A service's restore that has begun and not ended.

    `executions` are the runs that have worked on it, the last one the one that does, or did last.
    """

    fingerprint: str
    executions: list[str]
    plan: ServicePlan


async def read_service_restore_state(runs: RunBlobs, service: str) -> ServiceRestoreState | None:
    """Return what is under way for a target service, or None. Raises IntegrityError if that can't be read."""
    name = restore_name(service, SERVICE_OBJECTS)
    blob = await runs.read(name, _LIMIT)
    if blob is None:
        return None
    try:
        return msgspec.json.decode(blob.data, type=ServiceRestoreState)
    except msgspec.MsgspecError:
        raise IntegrityError(
            "this record of a service's restore can't be read", on=name, do="Look at the target, then delete the record"
        ) from None


async def write_service_restore_state(runs: RunBlobs, service: str, restore_state: ServiceRestoreState) -> None:
    """Write what is under way. The lock of the service's objects keeps others from doing so."""
    await runs.put(restore_name(service, SERVICE_OBJECTS), msgspec.json.encode(restore_state))


async def forget_service_restore_state(runs: RunBlobs, service: str) -> None:
    """Remove the record: nothing is left to go on with."""
    await runs.delete(restore_name(service, SERVICE_OBJECTS))
