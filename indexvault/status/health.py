"""Judge what is known of an index, a service or a store: green, amber, red, or grey, always with reasons in words.

These are pure functions of `facts`; they fail closed. What could not be found out is red and says so. Grey is what no
policy asks for, so that nothing is expected of it.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Literal

import msgspec

from indexvault.printable import count

type Level = Literal["grey", "green", "amber", "red"]
type ReasonKind = Literal[
    "unread",  # a store, service or record could not be asked
    "no-snapshot",  # no complete snapshot at all
    "recovery-point",  # the last complete snapshot is older than the recovery point
    "late",  # a scheduled snapshot is not there yet
    "lossy",  # the newest snapshot lacks fields
    "unsettled",  # the newest snapshot may lack documents
    "unproved",  # the last snapshot that was read in full is older than it should be
    "run-failed",  # the last run on it failed
    "integrity",  # damaged or missing snapshots, damaged packs
    "unauthentic",  # snapshots that no record key has signed
    "revealed",  # hidden fields were left revealed
    "replica",  # a replica is behind, or lacks it
    "no-policy",  # no policy covers it
    "indexes",  # of a service: some of its indexes are amber or red
    "drill",  # the last drill failed, or is older than it should be
    "unverified",  # its packs have not been read back for too long
    "gone",  # it is on the service no more
    "role",  # which service of a pair is active could not be read everywhere
    "standby",  # a standby has no copy of an index, or one that is older than the recovery point
    "follow-failed",  # a standby could not be brought to a snapshot
    "follow-off",  # nothing keeps the other service of a pair equal since an unplanned failover
    "drift",  # the two services of a pair differ, or that was not measured
    "well",  # nothing is wrong
]

_ORDER: tuple[Level, ...] = ("grey", "green", "amber", "red")
LATE_AFTER = timedelta(minutes=15)
"""How long after its scheduled time a run may begin before that is worth a word: the app ticks every five minutes."""

WHOLE = frozenset({"complete", "presumed"})
"""States of snapshots that hold every document and field; a presumed one does on the word of a field."""
PROVED = frozenset({"complete"})
"""States of snapshots that were read in full."""
UNVERIFIED_AFTER = timedelta(days=15)
"""How long the weekly verification may have been out before that is worth a word: one turn may be missed."""


class Reason(msgspec.Struct, frozen=True):
    """One finding: how bad, of which kind (for programs), what is so, and what to do about it."""

    level: Level
    kind: ReasonKind
    what: str
    do: str = ""


class Health(msgspec.Struct, frozen=True):
    """A level, and the reasons for it, the worst first. There is always at least one."""

    level: Level
    reasons: tuple[Reason, ...]

    @property
    def words(self) -> str:
        """What is so, in one line."""
        return "; ".join(reason.what for reason in self.reasons)


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """What an index is judged by. Times are aware; `newest_state` is the state of its newest snapshot.

    `first` is when its oldest snapshot was made, `last_whole` when the newest was made that lacks nothing,
    `last_proved` when the newest was made that was read in full, `last_verified` when stored packs were last read back.
    `drill_within` is how old the last good drill may be (None: no drill of the settings covers it), `drill_failure` why
    the last one failed. `scheduled` is the latest time at which a policy was due, `recovery_point` how old the last
    whole snapshot may be; both are None without a policy. `damage` says what is wrong with stored snapshots, `unread`
    what could not be found out, each in words.
    """

    now: datetime
    is_on_service: bool | None = None
    is_standby: bool = False
    policies: Sequence[str] = ()
    recovery_point: timedelta | None = None
    prove_every: timedelta | None = None
    scheduled: datetime | None = None
    is_running: bool = False
    newest_state: str | None = None
    first: datetime | None = None
    last_whole: datetime | None = None
    last_proved: datetime | None = None
    last_verified: datetime | None = None
    drill_within: timedelta | None = None
    last_drill: datetime | None = None
    drill_failure: str | None = None
    failure: str | None = None
    damage: Sequence[str] = ()
    unauthentic: int = 0
    is_revealed: bool = False
    replicas: Sequence["JudgedReplica"] = ()
    unread: Sequence[str] = ()


class JudgedReplica(msgspec.Struct, frozen=True, kw_only=True):
    """What a copy of an index's snapshots in another store is judged by. `behind` is how many whole ones it lacks."""

    store: str
    last_whole: datetime | None = None
    behind: int = 0
    unread: str = ""


def worst(levels: Iterable[Level]) -> Level:
    """Return the worst of several levels; grey without any."""
    return max(levels, key=_ORDER.index, default="grey")


def health_of(reasons: Iterable[Reason]) -> Health:
    """Return the health that reasons make, the worst first; green if there is none."""
    found = sorted(reasons, key=lambda reason: -_ORDER.index(reason.level))
    if not found:
        found = [Reason("green", "well", "nothing is wrong")]
    return Health(found[0].level, tuple(found))


def judge_index(known: Judged) -> Health:
    """Return the health of an index."""
    reasons = [Reason("red", "unread", what, "Mend this first: until then nothing is known") for what in known.unread]
    reasons += _trouble(known)
    expected = bool(known.policies) and known.is_on_service is not False
    if expected:
        reasons += _against_recovery_point(known) if not known.unread else []
        reasons += _verification(known)
        reasons += _drill(known)
        reasons += [reason for replica in known.replicas for reason in _replica(known, replica)]
    elif known.is_standby:
        reasons.append(Reason("grey", "no-policy", "its service is a standby, and is backed up while it is active"))
    elif known.policies:
        reasons.append(Reason("grey", "gone", "the index is not on the service any more; its snapshots stay"))
    else:
        reasons.append(Reason("grey", "no-policy", "no policy backs it up", "Name it in a policy if it matters"))
    if expected and not reasons and known.last_whole is not None:
        reasons.append(Reason("green", "well", f"the last complete snapshot is {_ago(known.last_whole, known.now)}"))
    return health_of(reasons)


def _against_recovery_point(known: Judged) -> Iterable[Reason]:
    last, within = known.last_whole, known.recovery_point
    if last is None:
        state = f"; the newest is {known.newest_state}" if known.newest_state else ""
        running = ", and one is being made" if known.is_running else ""
        yield Reason("red", "no-snapshot", f"there is no complete snapshot{state}{running}", _advice(known))
        return
    if within is not None and known.now - last > within:
        yield Reason(
            "red",
            "recovery-point",
            f"the last complete snapshot is {_ago(last, known.now)}, and {in_words(within)} is the recovery point",
            _advice(known),
        )
    elif known.scheduled is not None and last < known.scheduled and not known.is_running:
        late = known.now - known.scheduled
        if late > LATE_AFTER:
            yield Reason(
                "amber",
                "late",
                f"the snapshot that was due {in_words(late)} ago is not there",
                "Look at the last run, and whether the app runs",
            )
    proved = known.last_proved
    if known.prove_every is not None and within is not None:
        limit = known.prove_every + within
        if proved is None or known.now - proved > limit:
            age = "none was" if proved is None else f"the last one was {_ago(proved, known.now)}"
            yield Reason("amber", "unproved", f"snapshots are presumed, and {age} read in full", "Run a full backup")


def _verification(known: Judged) -> Iterable[Reason]:
    """Tell if no stored pack was read back for too long."""
    since = known.last_verified or known.first
    if since is not None and known.now - since > UNVERIFIED_AFTER:
        yield Reason(
            "amber",
            "unverified",
            f"no stored pack was read back for {in_words(known.now - since)}",
            "See that the app runs on Mondays, or run `indexvault verify`",
        )


def _drill(known: Judged) -> Iterable[Reason]:
    """Tell if the last drill failed, or if there was no good one for too long."""
    do = "`indexvault drill` tries again and says more"
    if known.drill_failure is not None:
        yield Reason("red", "drill", f"the last drill failed: {known.drill_failure}", do)
        return
    since = known.last_drill or known.first
    if known.drill_within is not None and since is not None and known.now - since > known.drill_within:
        last = "no drill has succeeded" if known.last_drill is None else f"the last drill is {_ago(since, known.now)}"
        yield Reason("amber", "drill", last, do)


def _advice(known: Judged) -> str:
    if known.newest_state == "lossy":
        return "`indexvault show` names the fields that can't be read"
    return "Look at the last run, or start a backup"


def _trouble(known: Judged) -> Iterable[Reason]:
    for what in known.damage:
        yield Reason("red", "integrity", what, "Verify and repair it from a copy: `indexvault repair`")
    if known.is_revealed:
        yield Reason("red", "revealed", "hidden fields were left revealed", "Hide them again: `indexvault heal`")
    if known.failure is not None:
        yield Reason("amber", "run-failed", f"the last run failed: {known.failure}", "Look at the run")
    if known.newest_state in {"lossy", "unsettled"}:
        kind: Literal["lossy", "unsettled"] = "lossy" if known.newest_state == "lossy" else "unsettled"
        lacks = "lacks fields" if kind == "lossy" else "may lack documents"
        yield Reason("amber", kind, f"the newest snapshot is {kind}: it {lacks}", "`indexvault show` says which")
    if known.unauthentic:
        yield Reason(
            "amber",
            "unauthentic",
            f"no record key has signed {count(known.unauthentic, 'snapshot')}",
            "Find out who wrote them; `indexvault accept` trusts them",
        )


def _replica(known: Judged, replica: JudgedReplica) -> Iterable[Reason]:
    do = "Look at the notes of the last run, or run `indexvault replicate`"
    if replica.unread:
        yield Reason("red", "unread", replica.unread, "Mend this first: until then nothing is known of the copies")
    elif known.last_whole is not None and replica.last_whole is None:
        yield Reason("red", "replica", f"store {replica.store} has no complete copy", do)
    elif replica.last_whole is not None and known.recovery_point is not None and (
        replica.behind and known.now - replica.last_whole > known.recovery_point
    ):  # fmt: skip
        ago = _ago(replica.last_whole, known.now)
        yield Reason("red", "replica", f"the last complete copy in store {replica.store} is {ago}", do)
    elif replica.behind:
        yield Reason(
            "amber", "replica", f"store {replica.store} lacks {count(replica.behind, 'complete snapshot')}", do
        )


_UNITS = ((timedelta(days=1), "day"), (timedelta(hours=1), "hour"), (timedelta(minutes=1), "minute"))


def in_words(span: timedelta) -> str:
    """Return a span in words with its two largest units: `1 day 2 hours`, `5 minutes`, `less than a minute`."""
    parts = []
    for unit, noun in _UNITS:
        number, span = divmod(span, unit)
        if number:
            parts.append(count(number, noun))
    return " ".join(parts[:2]) if parts else "less than a minute"


def _ago(then: datetime, now: datetime) -> str:
    return f"{in_words(max(now - then, timedelta(0)))} old"
