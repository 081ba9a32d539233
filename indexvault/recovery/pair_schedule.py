"""The tick of pairs: which policies rest, roles that a store lacks yet, and what dead failovers have left behind."""

import logging

from indexvault.errors import ConflictError, IndexvaultError
from indexvault.maintenance.pass_over import passed_over
from indexvault.recovery.failover_state import FailoverState, read_failover
from indexvault.recovery.failover_steps import undo
from indexvault.recovery.pair_role import pair_role, role_in_own_store, spread_role
from indexvault.settings.model import PairSettings
from indexvault.settings.pairs import policies_of
from indexvault.workflow.activity import Resources, Work
from indexvault.workflow.lock_activities import Claim, release_lock, take_lock

_LOG = logging.getLogger(__name__)


async def tick_pairs(resources: Resources) -> frozenset[str]:
    """Copy roles to the stores that lack them, undo what dead failovers left, and return the policies that rest.

    A policy rests while its service is the standby of a pair whose indexes it backs up: the service that is active is
    backed up, and nothing of the other is new. What it backs up besides goes on. In hot-hot pairs both services are
    backed up. Where the role of a pair can't be read, all of its policies rest. What fails is logged and does not stop
    the others.
    """
    resting: set[str] = set()
    for name, pair in resources.clients.settings.pairs.items():
        both = {*policies_of(resources.clients.settings, pair, pair.primary)}
        if pair.standby is not None:
            both |= {*policies_of(resources.clients.settings, pair, pair.standby)}
        may_rest = both if pair.mode != "hot-hot" else set[str]()
        with passed_over(f"pair {name}"):
            try:
                may_rest &= await _tick(resources, name, pair)
            finally:
                resting |= may_rest
    return frozenset(resting)


async def _tick(resources: Resources, name: str, pair: PairSettings) -> set[str]:
    """Tick one pair, and return the policies of its services that are not active."""
    settings = resources.clients.settings
    seen = await pair_role(resources.clients, name)
    with passed_over(f"the role of pair {name}"):
        for store in await spread_role(resources.clients, name, seen.role):
            _LOG.info("store %s has the role of pair %s now: %s is active", store, name, seen.role.active)
    for service in filter(None, (pair.primary, pair.standby)):
        if settings.services[service].store not in seen.unread:
            with passed_over(f"the failover of pair {name} to {service}"):
                await undo_dead(resources, name, service)
    others = {pair.primary, pair.standby} - {seen.role.active}
    return {policy for service in filter(None, others) for policy in policies_of(settings, pair, service)}


async def _is_undone_by_tick(resources: Resources, name: str, service: str, state: FailoverState) -> bool:
    """Return whether a failover has not swapped. The role is created first in the store of the service."""
    if state.phase != "swapped":
        return state.phase == "working"
    return (await role_in_own_store(resources.clients, name, service)).generation < state.plan.generation


async def undo_dead(resources: Resources, name: str, service: str) -> bool:
    """Enable the indexers that a planned failover to a service has disabled and not enabled again before it died.

    Returns whether there was one. A failover that is at work has the lock of the service; one that has swapped its
    roles is ended by the same command and not undone.
    """
    runs = resources.clients.store_of(service).runs
    state = await read_failover(runs, name)
    if state is None or not state.stopped or not await _is_undone_by_tick(resources, name, service, state):
        return False
    claim = Claim(Work(run=f"{state.executions[-1]}-undo", service=service, index=state.job.work.index), "the tick")
    try:
        await take_lock(resources, claim)
    except ConflictError:
        return False
    try:
        state = await read_failover(runs, name)
        if state is None or not await _is_undone_by_tick(resources, name, service, state):
            return False
        await undo(resources, runs, state)
    except IndexvaultError as error:
        _LOG.warning("the indexers that the failover %s disabled stay disabled: %s", name, error)
        raise
    finally:
        await release_lock(resources, claim)
    _LOG.warning("the failover of pair %s to %s is given up: its indexers are enabled again", name, service)
    return True
