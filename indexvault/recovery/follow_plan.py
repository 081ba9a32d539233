"""Decide what of a standby is to be brought on: which indexes, to which snapshots, and what is told of the others."""

from collections.abc import Awaitable, Collection, Sequence
from datetime import datetime, timedelta

import msgspec

from indexvault.errors import ConflictError, RemoteError
from indexvault.maintenance.unchanged import list_unchanged
from indexvault.model import IndexName
from indexvault.recovery.follow_job import FollowJob, FollowObjectsJob
from indexvault.recovery.follow_objects import KINDS, followed_kinds
from indexvault.recovery.pair_role import SeenRole, in_time, pair_role
from indexvault.recovery.standby_records import StandbyState, read_standby
from indexvault.settings.load import service_settings
from indexvault.settings.model import PairSettings
from indexvault.settings.pairs import pair_settings
from indexvault.settings.patterns import select
from indexvault.snapshots.catalogue import list_snapshots
from indexvault.snapshots.names import SERVICE_OBJECTS
from indexvault.snapshots.roles import PairRole
from indexvault.snapshots.summary import Summary, is_in_future
from indexvault.workflow.activity import Resources
from indexvault.workflow.lock_holder import read_holder
from indexvault.workflow.submit import item_run

RETRY_AFTER = timedelta(minutes=30)
"""How long a snapshot that could not be followed is left alone, unless a newer one comes or somebody asks."""
USABLE = frozenset({"complete", "presumed", "lossy"})
"""States of snapshots that a standby is brought to. An unsettled one may lack documents, which would be deleted."""


class Followed(msgspec.Struct, frozen=True):
    """The newest snapshot of an index, and up to when the index is known to be as in it, if later than it was made."""

    snapshot: str
    created: datetime
    unchanged: datetime | None = None


class FollowPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be done for a pair's standby.

    `before` and `after` are what is done for the other objects, around `indexes`; both are None if these are as they
    should be. `states` is what is known of the standby in this generation. `gone` are indexes that the active service
    has no more, None if it could not be asked.
    """

    pair: str
    role: PairRole
    standby: str
    indexes: list[FollowJob] = []
    before: FollowObjectsJob | None = None
    after: FollowObjectsJob | None = None
    states: list[StandbyState] = []
    gone: list[str] | None = None

    @property
    def jobs(self) -> list[FollowJob | FollowObjectsJob]:
        """All jobs in their order."""
        found: list[FollowJob | FollowObjectsJob] = [] if self.before is None else [self.before]
        found += self.indexes
        return found if self.after is None else [*found, self.after]


def other_of(pair: PairSettings, active: str) -> str | None:
    """Return the service of a pair that is not active, or None if the settings name none."""
    return pair.standby if active == pair.primary else pair.primary


def is_followed(pair: PairSettings) -> bool:
    """Return whether anything of a pair's standby is kept equal by indexvault."""
    return pair.standby is not None and "hot-warm" in pair.modes


async def plan_following(
    resources: Resources, name: str, *, run: str, owner: str, again: bool = False, seen: SeenRole | None = None
) -> FollowPlan:
    """Decide what is to be done for a pair. Writes nothing.

    What has failed is tried again after a while, or at once with `again`. `seen` is the pair's role if it was read
    already. `owner` says who asked and begins with "pair ": a failover takes the locks of such runs. Raises
    NotFoundError for an unknown pair, ConflictError for one of which nothing is followed, RemoteError
    if neither store of the pair answers, or the snapshots can't be listed.
    """
    clients, now = resources.clients, resources.clock()
    pair = pair_settings(clients.settings, name)
    role = (seen or await pair_role(clients, name)).role
    standby = other_of(pair, role.active)
    if not is_followed(pair) or standby is None:
        raise ConflictError(
            f"nothing of a pair of mode {pair.mode} is kept equal by indexvault",
            on=f"pair {name}",
            do="Give the pair, or a kind of objects, the mode hot-warm",
        )
    store = clients.store_of(standby)
    await store.prepare()
    states = [each for each in await read_standby(store.runs, name, standby) if each.generation == role.generation]
    plan = FollowPlan(pair=name, role=role, standby=standby, states=states)
    newest = await _newest(resources, role, near=service_settings(clients.settings, standby).region)
    jobs: list[FollowJob] = []
    gone = None
    if pair.mode == "hot-warm":
        live = await _answer(clients.service(role.active).index_names(), role.active)
        there = await clients.service(standby).index_names()
        busy = await _busy(resources, states)
        names = _chosen(pair, newest, states, live)
        for index in names:
            state = next((each for each in states if each.index == index), None)
            if index not in busy and is_due(state, newest[index], is_there=index in there, now=now, again=again):
                job = _job(plan, pair, index, newest[index])
                jobs.append(msgspec.structs.replace(job, run=item_run(run, len(jobs) + 1), owner=owner))
        known = {each.index for each in states} - {SERVICE_OBJECTS}
        gone = None if live is None else sorted(known - set(live))
    plan = msgspec.structs.replace(plan, indexes=jobs, gone=gone)
    return _with_objects(plan, pair, newest, run=run, owner=owner, now=now, again=again)


def is_due(state: StandbyState | None, newest: Followed, *, is_there: bool, now: datetime, again: bool) -> bool:
    """Return whether an index of a standby is to be brought to the newest snapshot; `is_there` says if it exists."""
    if state is None:
        return True
    if state.created is not None and newest.snapshot != state.snapshot and newest.created <= state.created:
        # The newest one was removed, or no store that has it answers: a standby never goes back.
        return False
    if state.failure is not None and state.towards in {None, newest.snapshot}:
        return again or now - state.tried_at >= RETRY_AFTER
    if state.towards is not None or state.snapshot != newest.snapshot or not is_there:
        return True
    return newest.unchanged is not None and (state.unchanged is None or newest.unchanged > state.unchanged)


def _chosen(
    pair: PairSettings, newest: dict[str, Followed], states: Sequence[StandbyState], live: Collection[str] | None
) -> list[str]:
    """Return the indexes to keep equal: those of the active service, or while it does not answer, those known."""
    wanted = {each.index for each in states} if live is None else live
    names = [name for name in newest if name != SERVICE_OBJECTS and name in wanted]
    return select(names, pair.indexes).found


def _job(plan: FollowPlan, pair: PairSettings, index: str, newest: Followed) -> FollowJob:
    return FollowJob(
        pair=plan.pair,
        generation=plan.role.generation,
        source=plan.role.active,
        target=IndexName(plan.standby, index),
        snapshot=newest.snapshot,
        created=newest.created,
        unchanged=newest.unchanged,
        run="",
        overlay=pair.overlay,
        allow_cross_region=pair.allow_cross_region,
    )


def _with_objects(
    plan: FollowPlan,
    pair: PairSettings,
    newest: dict[str, Followed],
    *,
    run: str,
    owner: str,
    now: datetime,
    again: bool,
) -> FollowPlan:
    """Return a plan with what is to be done for the service's other objects."""
    found = newest.get(SERVICE_OBJECTS)
    if found is None or not any(followed_kinds(pair, when) for when in KINDS):
        return plan
    state = next((each for each in plan.states if each.index == SERVICE_OBJECTS), None)
    if not is_due(state, found, is_there=True, now=now, again=again):
        return plan
    before = FollowObjectsJob(
        pair=plan.pair,
        generation=plan.role.generation,
        source=plan.role.active,
        service=plan.standby,
        when="before",
        snapshot=found.snapshot,
        created=found.created,
        run=item_run(run, 0),
        overlay=pair.overlay,
        owner=owner,
    )
    after = msgspec.structs.replace(before, when="after", run=item_run(run, len(plan.indexes) + 1))
    return msgspec.structs.replace(plan, before=before, after=after)


async def _newest(resources: Resources, role: PairRole, *, near: str) -> dict[str, Followed]:
    """Return the newest usable snapshot of each index of the active service, and of its other objects.

    One from before the service became active holds less than the standby, which was active then.
    """
    service, now = role.active, resources.clock()
    blobs = resources.clients.reading_store(service, near=near).snapshots
    newest: dict[str, Summary] = {}
    for each in await list_snapshots(blobs, service):
        if role.since is not None and each.created <= role.since:
            continue
        if each.state in USABLE and each.is_trusted and not each.is_imported and not is_in_future(each.created, now):
            known = newest.get(each.index)
            if known is None or each.created > known.created:
                newest[each.index] = each
    indexes = {(service, index) for index in newest}
    unchanged = await _answer(list_unchanged(resources, indexes), service) or {}
    found: dict[str, Followed] = {}
    for index, each in newest.items():
        record = unchanged.get(each.reference)
        found[index] = Followed(each.id, each.created, None if record is None else record.last)
    return found


async def _answer[Answer](asking: Awaitable[Answer], service: str) -> Answer | None:
    """Return what a service that may be gone answers in seconds, or None."""
    try:
        return await in_time(asking, on=f"service {service}")
    except RemoteError:
        return None


async def _busy(resources: Resources, states: Sequence[StandbyState]) -> set[str]:
    """Return the indexes that another run is writing to at present."""
    busy: set[str] = set()
    for each in states:
        if each.towards is not None and each.failure is None:
            holder = await read_holder(resources.clients.store_of(each.service).runs, each.target)
            if holder is not None and holder.counts(resources.clock()):
                busy.add(each.index)
    return busy
