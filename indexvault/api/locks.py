"""`/locks`: free an index that a dead run has locked."""

import msgspec

from indexvault.api.endpoint import Call, DocumentedAnswer, Endpoint, Nothing, Reply
from indexvault.api.parameters import KeptName, ServiceName
from indexvault.maintenance.unlock import Unlocked, unlock_index
from indexvault.model import IndexName


class LockPath(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which index."""

    service: ServiceName
    index: KeptName


async def unlock(call: Call[None, Nothing, LockPath]) -> Reply:
    """Take the lock of an index from whatever run has it. Raises NotFoundError for an unknown service."""
    name = IndexName(call.path.service, call.path.index)
    return Reply(200, await unlock_index(call.resources.clients, name, call.resources.clock))


ENDPOINTS = (
    Endpoint(
        name="unlock_index",
        method="DELETE",
        route="locks/{service}/{index}",
        summary="Free an index, whichever run has locked it; that run can't commit any more",
        handle=unlock,
        path=LockPath,
        answers={200: DocumentedAnswer("The index is free.", Unlocked)},
    ),
)
