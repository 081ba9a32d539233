"""Decide what a failover brings over. Pure: `failover_facts` gathers the facts."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from indexvault.errors import ConflictError, NotFoundError, SettingsError
from indexvault.recovery.failover_job import (
    Candidate,
    FailoverFacts,
    FailoverJob,
    FailoverPlan,
    IndexFacts,
    LeftOut,
    PlannedIndex,
)
from indexvault.restore.service.names import ORDER
from indexvault.settings.model import PairSettings
from indexvault.snapshots.names import SnapshotReference

OBJECT_KINDS = tuple(kind for kind in ORDER if kind != "indexes")
"""The kinds of a service's other objects, in the order in which they are made."""

_PRESUMED = "it is presumed: only what a field says was changed has been read since the last full reading"


def plan_failover(job: FailoverJob, pair: PairSettings, facts: FailoverFacts) -> FailoverPlan:
    """Return what a failover does.

    Raises ConflictError if an index can't be brought over and nobody has said to leave it out, NotFoundError for a
    snapshot or an index that was named and is not there.
    """
    if job.planned and (job.snapshots or job.at is not None):
        raise SettingsError(
            "a planned failover makes snapshots of its own", on=f"pair {job.pair}", do="Leave out which ones to use"
        )
    wanted = _wanted(job)
    _require_known(job, facts, wanted)
    planned: list[PlannedIndex] = []
    left_out: list[LeftOut] = []
    if pair.mode != "hot-hot":
        for index in facts.indexes:
            found = _decide(job, index, wanted, facts.now)
            if isinstance(found, PlannedIndex):
                planned.append(found)
            else:
                left_out.append(found)
    refused = [each for each in left_out if not each.accepted]
    if refused:
        raise ConflictError(
            "; ".join(f"{each.index}: {each.why}" for each in refused) + "; nothing was changed",
            on=f"pair {job.pair}",
            do=_what_to_do(refused),
        )
    objects = next((each for each in facts.objects if not each.fault), None)
    kinds = tuple(kind for kind in OBJECT_KINDS if pair.mode_of(kind) != "hot-hot")
    return FailoverPlan(
        pair=job.pair,
        mode=pair.mode,
        source=facts.source,
        to=job.to,
        generation=facts.generation + 1,
        started=facts.now,
        recovery_point=pair.recovery_point,
        recovery_time=pair.recovery_time,
        overlay=job.overlay or pair.overlay,
        indexes=tuple(planned),
        left_out=tuple(left_out),
        lock=tuple(sorted({*(each.index for each in facts.indexes), *facts.only_there})),
        objects=objects.id if objects is not None else None,
        objects_as_of=objects.as_of if objects is not None else None,
        kinds=kinds if objects is not None or job.planned else (),
        compared=_compared(job, pair, facts, planned),
        decided=facts.now,
        holds_more=job.back or not facts.following,
        repair=job.repair and (pair.authority or pair.primary) == facts.source,
        unread=facts.unread,
        answers=facts.answers,
        warnings=tuple(_warnings(job, pair, facts, kinds, objects)),
    )


def age_in_words(age: timedelta) -> str:
    """Return an age as a person says it: `43 min`, `2 h 5 min` or `3 d 4 h`."""
    minutes = max(0, round(age / timedelta(minutes=1)))
    if minutes < 1:
        return f"{max(0, round(age.total_seconds()))} s"
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = [(days, "d"), (hours, "h"), (minutes, "min")]
    first = next(number for number, (count, _unit) in enumerate(parts) if count)
    return " ".join(f"{count} {unit}" for count, unit in parts[first : first + 2] if count)


def _decide(
    job: FailoverJob, index: IndexFacts, wanted: Mapping[str, SnapshotReference], now: datetime
) -> PlannedIndex | LeftOut:
    if index.index in job.leave_out:
        return LeftOut(index.index, "it is left out, as asked", accepted=True)
    if index.alias:
        return LeftOut(index.index, f"{job.to} has an alias of this name")
    if job.planned:
        return PlannedIndex(index=index.index, snapshot="", as_of=now, mode="sync" if index.there else "create")
    named = wanted.get(index.index)
    candidates = [each for each in index.snapshots if job.at is None or each.holds_since <= job.at]
    chosen = next(
        (each for each in candidates if (named.names(each.id) if named is not None else not each.fault)),
        None,
    )
    held = index.held if index.there and job.at is None and named is None else None
    if held is not None and (chosen is None or chosen.as_of < held.as_of):
        restorable = "no snapshot of it" if chosen is None else f"no newer snapshot of it than {chosen.id}"
        return PlannedIndex(
            index=index.index,
            snapshot=held.id,
            as_of=held.as_of,
            mode="keep",
            note=f"it was proved equal to this one by following, and {restorable} can be restored here",
        )
    if chosen is None or chosen.fault:
        return LeftOut(index.index, _why_none(index, candidates, chosen))
    newer = [each for each in candidates if each.as_of > chosen.as_of and each.id != chosen.id and named is None]
    older = [each.id for each in candidates if each.as_of < chosen.as_of and not each.fault]
    return PlannedIndex(
        index=index.index,
        snapshot=chosen.id,
        older=older[0] if older else "",
        as_of=chosen.as_of,
        mode="sync" if index.there else "create",
        note="; ".join([*([_PRESUMED] if chosen.presumed else []), *map(_passed_over, newer)]),
    )


def _passed_over(newer: Candidate) -> str:
    return f"the newer snapshot {newer.id} is passed over: {newer.fault}"


def _compared(
    job: FailoverJob, pair: PairSettings, facts: FailoverFacts, planned: Sequence[PlannedIndex]
) -> tuple[str, ...]:
    """Return the indexes that are held against the live ones of the source: in a hot-hot pair, if it answers."""
    if pair.mode == "hot-hot":
        return tuple(each.index for each in facts.indexes if facts.answers and each.index not in job.leave_out)
    return tuple(each.index for each in planned) if job.planned else ()


def _why_none(index: IndexFacts, candidates: Sequence[Candidate], chosen: Candidate | None) -> str:
    if chosen is not None:
        return f"the snapshot {chosen.id} can't be used: {chosen.fault}"
    if candidates:
        return f"its newest snapshot {candidates[0].id} can't be used: {candidates[0].fault}"
    return "no snapshot of it is that old" if index.snapshots else "no snapshot of it is in reach"


def _wanted(job: FailoverJob) -> dict[str, SnapshotReference]:
    """Return the snapshots that are named, by index. Raises SettingsError for one that is not named by its id."""
    references = [SnapshotReference.parse(text) for text in job.snapshots]
    for each in references:
        if not each.is_by_id:
            raise SettingsError(
                "it names no single snapshot", on=str(each), do="Name it by its id; --at takes a time for all indexes"
            )
    return {each.index: each for each in references}


def _require_known(job: FailoverJob, facts: FailoverFacts, wanted: Mapping[str, SnapshotReference]) -> None:
    known = {each.index: each for each in facts.indexes}
    for index, snapshot in wanted.items():
        there = [each.id for each in known[index].snapshots] if index in known else []
        if snapshot.service != facts.source or sum(map(snapshot.names, there)) != 1:
            raise NotFoundError(
                f"no single snapshot of this name is in reach: {snapshot}",
                on=f"pair {job.pair}",
                do=f"In reach of {facts.source}/{index}: {', '.join(there[:5]) or 'none'}",
            )
    for index in job.leave_out:
        if index not in known:
            raise NotFoundError(
                f"the pair has no index {index}", on=f"pair {job.pair}", do=f"Known: {', '.join(known) or 'none'}"
            )


def _what_to_do(refused: Sequence[LeftOut]) -> str:
    options = [f"--leave-out {each.index}" for each in refused]
    return f"To fail over all the same, leave them out: {' '.join(options)}"


def _warnings(
    job: FailoverJob, pair: PairSettings, facts: FailoverFacts, kinds: Sequence[str], objects: Candidate | None
) -> list[str]:
    found = []
    if facts.answers and not job.planned:
        found.append(f"{facts.source} answers: with --planned, nothing would be lost")
    if facts.unread:
        found.append(f"store {', '.join(facts.unread)} does not answer, and is passed over")
    if kinds and objects is None and not job.planned:
        found.append("no snapshot of the service's other objects is in reach: none of them are made")
    there = [each.index for each in facts.indexes if each.there]
    if not facts.following and there and not job.planned and pair.mode != "hot-hot":
        found.append(
            f"{job.to} may hold documents that nobody else has, since it failed: they are overwritten; a backup of"
            f" {job.to} before this keeps them"
        )
    if pair.mode == "hot-hot" and not facts.answers:
        found.append(f"what differs between the two is not known: {facts.source} does not answer")
        found += facts.drifts
        lacking = [each.index for each in facts.indexes if not each.there]
        found += [f"index {each} is not there, and is not made: only {facts.source} had it" for each in lacking]
    return found
