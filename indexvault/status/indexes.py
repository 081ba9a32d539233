"""The facts about one index, from what was read of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from indexvault.maintenance.verified import Verified
from indexvault.recovery.drill_records import DrillResults
from indexvault.settings.model import PolicySettings
from indexvault.settings.policies import recovery_point_of
from indexvault.settings.schedule import Schedule
from indexvault.snapshots.summary import Summary, is_in_future
from indexvault.status.facts import IndexFacts, LastRun, Point, ReplicaFacts, VerificationFacts
from indexvault.status.health import PROVED, WHOLE, Judged, JudgedReplica, judge_index
from indexvault.status.runs import RunReadings

POINTS = 30
"""Snapshots in the history of an index."""
_UNUSABLE = frozenset({"damaged", "missing"})


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexReadings:
    """What was read of an index. `snapshots` and `copies` are as `list_snapshots` returns them, or why not.

    `lost` are the ids of snapshots that have vanished; `runs` is None if they could not be read; `unread` says in
    words what could not be.
    """

    service: str
    index: str
    policies: Mapping[str, PolicySettings]
    is_on_service: bool | None
    snapshots: Sequence[Summary]
    lost: Sequence[str]
    verified: Verified | None
    drills: DrillResults | None
    drill_within: timedelta | None
    is_revealed: bool
    copies: Mapping[str, Sequence[Summary] | str]
    runs: RunReadings | None
    unread: Sequence[str]
    is_standby: bool = False


def index_facts(read: IndexReadings, now: datetime) -> IndexFacts:
    """Return the facts about an index, judged."""
    usable = [each for each in read.snapshots if each.state not in _UNUSABLE and not is_in_future(each.created, now)]
    trusted = [each for each in usable if each.is_trusted]
    whole = [each for each in trusted if each.state in WHOLE]
    proved = [each for each in whole if each.state in PROVED]
    damaged = [each.id for each in read.snapshots if each.state in _UNUSABLE] + list(read.lost)
    unauthentic = tuple(each.id for each in usable if not each.is_trusted)
    running = read.runs.running(read.service, read.index) if read.runs is not None else None
    last_run = read.runs.last(read.service, read.index) if read.runs is not None else None
    policies = read.policies.values()
    schedules = [Schedule(policy.schedule, on=f"policy {name}") for name, policy in read.policies.items()]
    recovery_point = min(map(recovery_point_of, policies), default=None)
    replicas = tuple(_replica(store, copies, whole, now) for store, copies in read.copies.items())
    verification = _verification(read.verified)
    last_drill = read.drills.last_good.finished if read.drills is not None and read.drills.last_good else None
    judged = Judged(
        now=now,
        is_on_service=read.is_on_service,
        is_standby=read.is_standby,
        policies=tuple(read.policies),
        recovery_point=recovery_point,
        prove_every=min(
            (policy.changes.prove_every for policy in policies if policy.changes is not None), default=None
        ),
        scheduled=max((schedule.last(now) for schedule in schedules), default=None),
        is_running=running is not None,
        newest_state=trusted[0].state if trusted else None,
        first=min((each.created for each in usable), default=None),
        last_whole=whole[0].created if whole else None,
        last_proved=proved[0].created if proved else None,
        last_verified=verification.at if verification is not None else None,
        drill_within=read.drill_within,
        last_drill=last_drill,
        drill_failure=_drill_failure(read.drills),
        failure=_failure(last_run, whole),
        damage=(*_snapshot_damage(damaged, read.lost), *(verification.damage if verification is not None else ())),
        unauthentic=len(unauthentic),
        is_revealed=read.is_revealed and running is None,
        replicas=[
            JudgedReplica(store=each.store, last_whole=each.last, behind=each.behind, unread=each.unread)
            for each in replicas
        ],
        unread=read.unread,
    )
    return IndexFacts(
        service=read.service,
        index=read.index,
        health=judge_index(judged),
        is_on_service=read.is_on_service,
        policies=tuple(read.policies),
        recovery_point=recovery_point,
        next_run=min((schedule.next(now) for schedule in schedules), default=None),
        running=running,
        last=_point(trusted[0]) if trusted else None,
        last_complete=_point(whole[0]) if whole else None,
        last_proved=_point(proved[0]) if proved else None,
        last_verified=verification,
        last_drill=last_drill,
        last_run=last_run,
        snapshots=len(read.snapshots),
        damaged=tuple(damaged),
        unauthentic=unauthentic,
        is_revealed=judged.is_revealed,
        replicas=replicas,
        history=tuple(_point(each) for each in reversed(usable[:POINTS])),
    )


def _point(summary: Summary) -> Point:
    return Point(
        id=summary.id,
        state=summary.state,
        created=summary.created,
        documents=summary.documents,
        bytes=summary.bytes,
        stored=summary.stored,
        added_stored=summary.added_stored,
        authentic=summary.is_trusted,
    )


def _replica(store: str, copies: Sequence[Summary] | str, whole: Sequence[Summary], now: datetime) -> ReplicaFacts:
    if isinstance(copies, str):
        return ReplicaFacts(store=store, unread=copies)
    there = [
        each for each in copies if each.state in WHOLE and each.is_trusted and not is_in_future(each.created, now)
    ]  # fmt: skip
    ids = {each.id for each in there}
    return ReplicaFacts(
        store=store,
        last=there[0].created if there else None,
        behind=sum(each.id not in ids for each in whole),
    )


def _drill_failure(found: DrillResults | None) -> str | None:
    return found.last.faults[0] if found is not None and found.last.faults else None


def _verification(found: Verified | None) -> VerificationFacts | None:
    if found is None:
        return None
    said = tuple(f"{each.blob}: {each.what}" for each in found.damage)
    rest = found.damaged - len(said)
    return VerificationFacts(at=found.at, damage=(*said, f"and {rest} more damaged blobs") if rest > 0 else said)


def _snapshot_damage(damaged: Sequence[str], lost: Sequence[str]) -> list[str]:
    return [
        f"the manifest of snapshot {each} {'has vanished' if each in lost else 'can not be read'}" for each in damaged
    ]


def _failure(last: LastRun | None, whole: Sequence[Summary]) -> str | None:
    """Return the failure of the last run, unless a snapshot was made since."""
    if last is None or last.state != "failed":
        return None
    if whole and last.finished is not None and whole[0].created > last.finished:
        return None
    return last.failure or "it did not say why"
