"""`/protections`: protect a snapshot from deletion, and lift that by two people."""

from typing import Annotated

import msgspec

from indexvault.api.endpoint import Call, DocumentedAnswer, Endpoint, Nothing, Reply
from indexvault.api.parameters import KeptName, KeptSnapshotName, ServiceName, SnapshotPoint
from indexvault.api.removal import check_removal_request
from indexvault.api.snapshots import read_reference
from indexvault.errors import RequestError
from indexvault.maintenance.pinning import ProtectResult, UnprotectResult, protect_snapshot, unprotect_snapshot
from indexvault.snapshots.pins import Identity


class ProtectRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which snapshot to protect, and why."""

    snapshot: KeptSnapshotName
    reason: Annotated[str, msgspec.Meta(max_length=1000)] = ""


class ProtectionPath(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which snapshot."""

    service: ServiceName
    index: KeptName
    id: SnapshotPoint


async def protect(call: Call[ProtectRequest, Nothing, Nothing]) -> Reply:
    """Protect a snapshot. A second call changes nothing but withdraws a request to lift it."""
    reference, resources = read_reference(call.body.snapshot), call.resources
    by = _identity(call.identity)
    return Reply(200, await protect_snapshot(resources.clients, reference, by, call.body.reason, resources.clock()))


async def unprotect(call: Call[None, Nothing, ProtectionPath]) -> Reply:
    """Ask for a protection to be lifted or, as another identity than the one that asked, lift it.

    Raises NotFoundError, RequestError if the settings don't let requests do this or nobody knows who asks.
    """
    path, resources = call.path, call.resources
    check_removal_request(resources.clients.settings, "path")
    reference = read_reference(f"{path.service}/{path.index}@{path.id}")
    by = _identity(call.identity)
    return Reply(200, await unprotect_snapshot(resources.clients, reference, by, resources.clock()))


def _identity(found: Identity | None) -> Identity:
    if found is None:
        raise RequestError(
            "nobody knows who asks", on="request", do="Send a function key of your own, or sign in to the app"
        )
    return found


ENDPOINTS = (
    Endpoint(
        name="protect_snapshot",
        method="POST",
        route="protections",
        summary="Protect a snapshot from deletion until two people lift that",
        handle=protect,
        body=ProtectRequest,
        answers={200: DocumentedAnswer("The snapshot is protected.", ProtectResult)},
    ),
    Endpoint(
        name="unprotect_snapshot",
        method="DELETE",
        route="protections/{service}/{index}/{id}",
        summary="Ask for a snapshot's protection to be lifted, or lift it as the second person",
        handle=unprotect,
        path=ProtectionPath,
        answers={200: DocumentedAnswer("Whether it waits for another person, or is lifted.", UnprotectResult)},
    ),
)
