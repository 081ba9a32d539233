"""The fence of everything that is written to a standby because it is one.

It is checked under the lock of the index that is written, in the store of the service that is written. A failover holds
these locks until its role is durable in that store. So whatever a clock, a timer or a cut line did to the writer, it
does not write to a service that has become active.
"""

from indexvault.errors import ConflictError
from indexvault.recovery.pair_role import role_in_own_store
from indexvault.snapshots.roles import PairRole
from indexvault.workflow.activity import Resources


async def require_standby(resources: Resources, pair: str, service: str, generation: int) -> PairRole:
    """Return the role of a pair as the store of one of its services has it, if that service is to be kept equal.

    Raises ConflictError if it is active, if roles were swapped since `generation`, or if following is off; RemoteError
    if its store does not answer.
    """
    role = await role_in_own_store(resources.clients, pair, service)
    if role.active == service:
        raise ConflictError(
            f"{service} is active since generation {role.generation}: nothing is written to it",
            on=f"pair {pair}",
            do="Nothing: the other service is the standby now",
        )
    if role.generation > generation:
        raise ConflictError(
            f"roles were swapped since this run began, by run {role.run}",
            on=f"pair {pair}",
            do="Nothing: the next run follows the service that is active now",
        )
    if role.generation < generation:
        raise ConflictError(
            f"the store of {service} does not have the role of generation {generation} yet",
            on=f"pair {pair}",
            do="Nothing: the next tick copies it there",
        )
    if not role.following:
        raise ConflictError(
            f"following is off since run {role.run}: {service} may hold documents that {role.active} lacks",
            on=f"pair {pair}",
            do=f"See what it holds, then decide: indexvault follow {pair}",
        )
    return role
