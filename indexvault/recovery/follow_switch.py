"""Turn the following of a pair on again after a failover that was not planned.

Such a failover leaves it off: the service that failed may have taken writes that no snapshot has, and following would
overwrite them. So first it is told what only that service holds.
"""

from collections.abc import Callable

from msgspec.structs import replace

from indexvault.errors import ConflictError
from indexvault.recovery.drift import Drift, ServiceDrift
from indexvault.recovery.drift_run import settling
from indexvault.recovery.follow_objects import KINDS, followed_kinds
from indexvault.recovery.follow_plan import other_of
from indexvault.recovery.pair_role import SeenRole, spread_role
from indexvault.recovery.services import compare_services
from indexvault.settings.pairs import pair_settings
from indexvault.snapshots.roles import PairRole, create_role
from indexvault.workflow.activity import Resources


async def what_would_go(
    resources: Resources, name: str, role: PairRole, *, compared: Callable[[Drift], None] = lambda _drift: None
) -> ServiceDrift:
    """Return what differs between the active service and the other one, which following makes as the active one is.

    Raises NotFoundError for an unknown pair, ConflictError for one without another service.
    """
    clients = resources.clients
    pair = pair_settings(clients.settings, name)
    other = other_of(pair, role.active)
    if other is None:
        raise ConflictError("the pair has no other service", on=f"pair {name}", do="Name its standby in the settings")
    return await compare_services(
        clients.service(role.active),
        clients.service(other),
        wait=lambda: settling(resources),
        compared=compared,
        indexes=pair.indexes,
        kinds=[kind for when in KINDS for kind in followed_kinds(pair, when)],
    )


async def turn_on(resources: Resources, name: str, seen: SeenRole, *, run: str) -> SeenRole:
    """Turn following on: create the next generation of the role, with the same service active, in both stores.

    Raises ConflictError if roles were swapped meanwhile, or a store of the pair does not answer: what is written to a
    service is decided by its own store.
    """
    role = seen.role
    if seen.unread:
        raise ConflictError(
            f"store {', '.join(seen.unread)} does not answer, so nothing would follow",
            on=f"pair {name}",
            do="Wait until it does",
        )
    if role.following:
        return seen
    clients = resources.clients
    following = replace(role, generation=role.generation + 1, run=run, following=True, window=None)
    created = await create_role(clients.store_of(role.active).runs, following)
    await spread_role(clients, name, created)
    return SeenRole(created)
