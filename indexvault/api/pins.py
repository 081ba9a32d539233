"""`/pins`: pin a snapshot, unpin it."""

from typing import Annotated

import msgspec

from indexvault.api.endpoint import Call, DocumentedAnswer, Endpoint, Nothing, Reply
from indexvault.api.parameters import KeptName, KeptSnapshotName, ServiceName, SnapshotPoint
from indexvault.api.removal import check_removal_request
from indexvault.api.snapshots import read_reference
from indexvault.maintenance.pinning import PinResult, UnpinResult, pin_snapshot, unpin_snapshot


class PinRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which snapshot to keep from being pruned, and why."""

    snapshot: KeptSnapshotName
    reason: Annotated[str, msgspec.Meta(max_length=1000)] = ""


class PinPath(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which snapshot."""

    service: ServiceName
    index: KeptName
    id: SnapshotPoint


async def pin(call: Call[PinRequest, Nothing, Nothing]) -> Reply:
    """Pin a snapshot. A second call changes nothing. Raises NotFoundError, ConflictError."""
    reference = read_reference(call.body.snapshot)
    now = call.resources.clock()
    return Reply(200, await pin_snapshot(call.resources.clients, reference, call.body.reason, now))


async def unpin(call: Call[None, Nothing, PinPath]) -> Reply:
    """Remove a pin. A second call changes nothing.

    Raises NotFoundError, RequestError if the settings don't let requests do this.
    """
    path = call.path
    check_removal_request(call.resources.clients.settings, "path")
    reference = read_reference(f"{path.service}/{path.index}@{path.id}")
    return Reply(200, await unpin_snapshot(call.resources.clients, reference, call.resources.clock()))


ENDPOINTS = (
    Endpoint(
        name="pin_snapshot",
        method="POST",
        route="pins",
        summary="Keep a snapshot from being pruned, whatever the policies say",
        handle=pin,
        body=PinRequest,
        answers={200: DocumentedAnswer("The snapshot is pinned.", PinResult)},
    ),
    Endpoint(
        name="unpin_snapshot",
        method="DELETE",
        route="pins/{service}/{index}/{id}",
        summary="Remove a snapshot's pin",
        handle=unpin,
        path=PinPath,
        answers={200: DocumentedAnswer("The snapshot is not pinned.", UnpinResult)},
    ),
)
