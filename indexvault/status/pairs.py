"""The facts about pairs: which service is active, how old the standby is, what drifts apart, and how good that is.

`read_pair` reads what is durable; `judge_pair` and `judge_index` are pure. They fail closed: an index of which nothing
is known on the standby is red, and so is a role that can't be read.
"""

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from indexvault.errors import IndexvaultError, NotFoundError
from indexvault.recovery.drift_records import DriftState, read_drifts
from indexvault.recovery.follow_plan import is_followed, other_of
from indexvault.recovery.pair_drift import sides_of
from indexvault.recovery.pair_role import SeenRole, in_time, pair_role
from indexvault.recovery.standby_records import StandbyState, read_standby
from indexvault.settings.model import PairSettings
from indexvault.settings.schedule import longest_interval
from indexvault.snapshots.names import SERVICE_OBJECTS
from indexvault.snapshots.roles import PairRole
from indexvault.status.facts import DriftFacts, PairFacts, PairIndexFacts
from indexvault.status.health import Health, Level, Reason, health_of, in_words
from indexvault.workflow.activity import Resources

_SECONDS = 8.0
"""How long the records of a pair may take: a store whose region is gone must not hold up the rest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairReadings:
    """What was read of a pair. `seen`, `states` and `drifts` are in words why not if they could not be read."""

    seen: SeenRole | str
    states: Sequence[StandbyState] | str = ()
    drifts: Sequence[DriftState] | str = ()

    @property
    def role(self) -> PairRole | None:
        """The role, or None if it could not be read."""
        return None if isinstance(self.seen, str) else self.seen.role


async def read_pair(resources: Resources, name: str, pair: PairSettings) -> PairReadings:
    """Read the role of a pair, and what is known of its standby or its drift. Never raises for what it reads."""
    clients = resources.clients
    try:
        seen = await pair_role(clients, name)
    except IndexvaultError as error:
        return PairReadings(seen=f"{error.on}: {error.what}")
    standby = other_of(pair, seen.role.active)
    states: Sequence[StandbyState] | str = ()
    drifts: Sequence[DriftState] | str = ()
    if standby is not None and is_followed(pair):
        states = await _asked(read_standby(clients.store_of(standby).runs, name, standby), standby)
        if not isinstance(states, str):
            states = [each for each in states if each.generation == seen.role.generation]
    if pair.mode == "hot-hot" and pair.standby is not None:
        drifts = await _asked(read_drifts(clients.store_of(pair.standby).runs, name), pair.standby)
    return PairReadings(seen=seen, states=states, drifts=drifts)


async def _asked[Record](reading: Awaitable[list[Record]], service: str) -> list[Record] | str:
    """Return records from the store of a service, none if nothing was ever kept in it, or in words why not."""
    try:
        return await in_time(reading, on=f"store of {service}", seconds=_SECONDS)
    except NotFoundError:
        return []
    except IndexvaultError as error:
        return f"{error.on}: {error.what}"


def pair_facts(
    name: str,
    pair: PairSettings,
    read: PairReadings,
    *,
    expected: Sequence[str] | None,
    last_drill: datetime | None,
    now: datetime,
) -> PairFacts:
    """Return the facts about a pair, judged.

    `expected` are the indexes of the pair that the active service has, None if it could not be asked; `last_drill` is
    the oldest of the last good drills of these, None if one was never drilled.
    """
    role = read.role
    active = role.active if role is not None else None
    standby = None if active is None else other_of(pair, active)
    indexes = _indexes(pair, read, expected=expected, now=now)
    ages = [each.as_of for each in indexes if each.index != SERVICE_OBJECTS and each.gone_since is None]
    known = [age for age in ages if age is not None]
    following = role is not None and role.following and is_followed(pair)
    return PairFacts(
        pair=name,
        mode=pair.mode,
        primary=pair.primary,
        active=active,
        standby=standby,
        generation=None if role is None else role.generation,
        since=None if role is None else role.since,
        following=following,
        recovery_point=pair.recovery_point,
        recovery_time=pair.recovery_time,
        health=judge_pair(name, pair, read, indexes),
        as_of=min(known) if known and len(known) == len(ages) else None,
        last_drill=last_drill,
        unread=tuple(read.seen.unread) if not isinstance(read.seen, str) else (),
        indexes=indexes,
    )


def judge_pair(name: str, pair: PairSettings, read: PairReadings, indexes: Sequence[PairIndexFacts]) -> Health:
    """Return how good a pair is, apart from its indexes, whose worst levels are named."""
    reasons: list[Reason] = []
    if isinstance(read.seen, str):
        reasons.append(Reason("red", "role", f"which service is active is not known: {read.seen}", _ROLE_DO))
    else:
        reasons += [
            Reason("red", "role", f"store {store} does not answer, and may have a later role", _ROLE_DO)
            for store in read.seen.unread
        ]
    role = read.role
    if role is not None and is_followed(pair) and not role.following:
        other = other_of(pair, role.active)
        what = f"following is off since run {role.run}: {other} may hold documents that {role.active} lacks"
        reasons.append(
            Reason("amber", "follow-off", what, f"See what it holds, and decide: `indexvault follow {name}`")
        )
    for found in (read.states, read.drifts):
        if isinstance(found, str):
            reasons.append(Reason("red", "unread", found, "Check the store and the roles: `indexvault check`"))
    levels: tuple[Level, ...] = ("red", "amber")
    for level in levels:
        bad = [_named(each.index) for each in indexes if each.health.level == level]
        if bad:
            some = ", ".join(bad[:5]) + (f" and {len(bad) - 5} more" if len(bad) > 5 else "")  # noqa: PLR2004
            reasons.append(Reason(level, "indexes", f"{some} {'is' if len(bad) == 1 else 'are'} {level}"))
    if not reasons:
        reasons.append(Reason("green", "well", _well(pair, read)))
    return health_of(reasons)


_ROLE_DO = "See whether its region is up, then decide whether to fail over"


def _well(pair: PairSettings, read: PairReadings) -> str:
    if pair.mode == "hot-cold":
        return "snapshots are what a failover restores"
    if pair.mode == "hot-hot":
        return "the two services are alike"
    active = read.role.active if read.role is not None else pair.primary
    return f"the standby is as recent as the recovery point of {active} has it"


def _named(index: str) -> str:
    return "service objects" if index == SERVICE_OBJECTS else index


def _indexes(
    pair: PairSettings, read: PairReadings, *, expected: Sequence[str] | None, now: datetime
) -> tuple[PairIndexFacts, ...]:
    role = read.role
    if role is None:
        return ()
    standby = other_of(pair, role.active)
    states = {each.index: each for each in read.states} if not isinstance(read.states, str) else {}
    drifts = {each.index: each for each in read.drifts} if not isinstance(read.drifts, str) else {}
    names = {*states, *drifts}
    # Where the records can't be read, that is told once and not of each index.
    if pair.mode != "hot-cold" and not isinstance(read.states, str) and not isinstance(read.drifts, str):
        names |= set(expected or ())
    measured_within = 2 * longest_interval(pair.drift_schedule) if pair.drift_schedule is not None else None
    found = []
    for index in sorted(names):
        state, drift = states.get(index), drifts.get(index)
        follows = role.following and (pair.mode == "hot-warm" or state is not None)
        reasons: list[Reason] = []
        if pair.mode == "hot-hot" and (drift is not None or index != SERVICE_OBJECTS):
            reasons += _drift_reasons(pair, role.pair, drift, measured_within, now)
        if pair.mode == "hot-warm" or state is not None:
            reasons += _standby_reasons(pair, role, state, now, follows=follows)
        if not reasons:
            reasons.append(Reason("green", "well", "it is as it should be"))
        found.append(
            PairIndexFacts(
                service=standby or pair.primary,
                index=index,
                health=health_of(reasons),
                snapshot=None if state is None else state.snapshot,
                as_of=None if state is None else state.as_of,
                towards=None if state is None else state.towards,
                failure=None if state is None or state.failure is None else state.failure.what,
                gone_since=None if state is None else state.gone_since,
                drift=None if drift is None else _drift_facts(drift),
            )
        )
    return tuple(found)


def _drift_facts(drift: DriftState) -> DriftFacts:
    return DriftFacts(
        other=drift.other,
        changed=drift.changed,
        missing=drift.missing,
        extra=drift.extra,
        definition=tuple(drift.definition),
        absent=drift.absent,
        measured=drift.measured,
        since=drift.since,
        failure=None if drift.failure is None else drift.failure.what,
    )


def _standby_reasons(
    pair: PairSettings, role: PairRole, state: StandbyState | None, now: datetime, *, follows: bool
) -> list[Reason]:
    """Return what is wrong with an index of a standby that is kept equal."""
    standby = other_of(pair, role.active)
    again = f"`indexvault follow {role.pair}` tries again and says more"
    if state is None:
        # After a planned swap it holds what the active service held then.
        is_recent = role.planned and role.since is not None and now - role.since <= pair.recovery_point
        if not follows or is_recent:
            return []
        return [Reason("red", "standby", f"{standby} has no copy of it that was proved", again)]
    reasons: list[Reason] = []
    if state.failure is not None:
        since = f" for {in_words(now - state.failed_since)}" if state.failed_since is not None else ""
        what = f"it could not be brought on{since}: {state.failure.what}"
        reasons.append(Reason("amber", "follow-failed", what, state.failure.do))
    if state.gone_since is not None:
        what = f"it was deleted on {role.active}, and is still on {standby}"
        return [*reasons, Reason("amber", "gone", what, f"Delete it on {standby} too, if that was meant")]
    if not follows:
        return reasons
    if state.as_of is None:
        reasons.append(Reason("red", "standby", f"its copy on {standby} was not proved yet", again))
    elif now - state.as_of > pair.recovery_point:
        age = in_words(now - state.as_of)
        what = f"its copy on {standby} is {age} old, and {in_words(pair.recovery_point)} is the recovery point"
        reasons.append(Reason("red", "standby", what, f"Look at the last backup of {role.active}; {again}"))
    return reasons


def _drift_reasons(
    pair: PairSettings, name: str, drift: DriftState | None, within: timedelta | None, now: datetime
) -> list[Reason]:
    """Return what is wrong with an index that both services of a pair are written to."""
    authority, _other = sides_of(name, pair)
    if drift is None or drift.measured is None:
        why = "" if drift is None or drift.failure is None else f": {drift.failure.what}"
        return [Reason("amber", "drift", f"its drift was never measured{why}", _measure(name))]
    reasons: list[Reason] = []
    if drift.differs:
        level: Level = "red" if drift.since is not None and now - drift.since > pair.recovery_point else "amber"
        since = f", for {in_words(now - drift.since)}" if drift.since is not None else ""
        repair = f"`indexvault compare {name} --repair-from {authority}` repairs documents"
        reasons.append(Reason(level, "drift", f"{_deviates(drift)}{since}", repair))
    if drift.failure is not None:
        reasons.append(
            Reason("amber", "drift", f"its drift could not be measured: {drift.failure.what}", drift.failure.do)
        )
    elif within is not None and now - drift.measured > within:
        reasons.append(
            Reason(
                "amber", "drift", f"its drift was last measured {in_words(now - drift.measured)} ago", _measure(name)
            )
        )
    return reasons


def _measure(name: str) -> str:
    return f"See that the app runs, or measure it: `indexvault compare {name}`"


def _deviates(drift: DriftState) -> str:
    if drift.absent is not None:
        return f"{drift.absent} does not have it"
    parts = []
    if drift.deviating:
        parts.append(
            f"{drift.changed:,} documents changed, {drift.missing:,} missing and {drift.extra:,} extra on {drift.other}"
        )
    if drift.definition:
        parts.append(f"definitions differ: {', '.join(drift.definition[:3])}")
    return "; ".join(parts)
