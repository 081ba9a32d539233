"""`POST /verifications`: read snapshots back and prove them."""

from typing import Annotated

import msgspec

from indexvault.api.endpoint import Call, Endpoint, Nothing, Reply
from indexvault.api.parameters import KeptPattern, ServiceName, SnapshotPoint, StoreName
from indexvault.api.snapshots import read_reference
from indexvault.api.start_run import STARTED, start_run
from indexvault.errors import RequestError, SettingsError
from indexvault.maintenance.targets import SnapshotSet, find_targets
from indexvault.maintenance.verification import RUN_VERIFY, verify_items
from indexvault.snapshots.slices import Slice
from indexvault.workflow.runs import RunRecord
from indexvault.workflow.submit import run_name

OWNER = "POST /verifications"


class VerificationRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which snapshots to verify: of a service, of an index or of those that a pattern fits, or one of an index.

    `sample` reads back only the chunks of a slice such as `1/12`; `sizes` reads none and compares sizes. `store` is the
    store to read: the service's own if it is left out.
    """

    service: ServiceName
    index: KeptPattern | None = None
    snapshot: SnapshotPoint | None = None
    sample: Annotated[str, msgspec.Meta(pattern=r"^[0-9]{1,6}/[0-9]{1,6}$(?!\n)", examples=["1/12"])] | None = None
    sizes: bool = False
    store: StoreName | None = None


async def verify(call: Call[VerificationRequest, Nothing, Nothing]) -> Reply:
    """Start a run. Raises NotFoundError for what has no snapshots, RequestError."""
    asked, resources = call.body, call.resources
    clients, now = resources.clients, resources.clock()
    store = clients.store(asked.store) if asked.store is not None else clients.store_of(asked.service)
    clients.store_of(asked.service)
    _check(asked)
    reference = None
    if asked.snapshot is not None:
        reference = read_reference(f"{asked.service}/{asked.index}@{asked.snapshot}")
    snapshots = SnapshotSet(service=asked.service, index=asked.index, snapshot=reference)
    targets = await find_targets(clients, store.name, snapshots, now)
    run = run_name(now, "verify", resources.rng.randbytes(3))
    record = RunRecord(
        run=run,
        kind="verify",
        workflow=RUN_VERIFY.name,
        service=asked.service,
        asked=f"{snapshots} in store {store.name}",
        owner=OWNER,
        created=now,
        items=verify_items(run, store.name, targets, sample=asked.sample, sizes=asked.sizes),
    )
    return await start_run(call, record, [])


def _check(asked: VerificationRequest) -> None:
    """Raise RequestError for members that don't go together, or a slice that can't be one."""
    if asked.snapshot is not None and (asked.index is None or "*" in asked.index):
        raise RequestError("a snapshot is of one index", on="body.index", do="Name the index of the snapshot")
    if asked.sample is None:
        return
    if asked.sizes:
        raise RequestError("with sizes no chunk is read", on="body.sample", do="Leave out sample or sizes")
    try:
        Slice.parse(asked.sample)
    except SettingsError as error:
        raise RequestError(error.what, on="body.sample", do=error.do) from None


ENDPOINTS = (
    Endpoint(
        name="verify",
        method="POST",
        route="verifications",
        summary="Read snapshots back and compare them with their manifests",
        handle=verify,
        body=VerificationRequest,
        answers={202: STARTED},
    ),
)
