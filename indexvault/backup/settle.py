"""Decide, after each round, whether every document of an index without key order is accounted for.

Each round asks for every piece, so a document that is in the index throughout escapes a round only if it moved, within
that round, from a piece that was yet to be asked for to one that had been. It is missing only if it escaped every
round. So how readily documents escape decides, and that is seen from those which are known:

- a round that finds no key which was unknown shows that nothing escaped the rounds before it and not this one;
- if no known document has ever escaped a round, unknown keys are documents that were added;
- if some have, but none two rounds in a row, then none has escaped five.

Otherwise another round follows, within the limits. Numbers are compared too: the keys that are present in a round must
agree with the counts of the whole index around it, apart from those that were seen to come or go; if partitions may
overlap or leave something out, exactly.
"""

from datetime import timedelta

import msgspec

from indexvault.backup.accounting import explains
from indexvault.backup.index_probe import ServiceIndexProbe
from indexvault.backup.job import Settled, SettleInput
from indexvault.backup.limits import LIMITS, Limits
from indexvault.backup.partition import Partition
from indexvault.backup.round import Round, read_round
from indexvault.backup.state import (
    OpenPart,
    Plan,
    Settling,
    partition_reader,
    require_plan,
    require_same,
    settling_record,
)
from indexvault.workflow.activity import Resources
from indexvault.workflow.checkpoints import Checkpoints
from indexvault.workflow.patience import Patience, settle_seconds
from indexvault.workflow.resume import digest_of

_ROUNDS_WITHOUT_ESCAPE = 2
"""Rounds of checking after which unknown keys are taken for additions if no known document escaped any."""
_ROUNDS_WITHOUT_TWO = 4
"""The same, if none escaped two in a row."""
_OPEN_ROUNDS = 2
"""Rounds of checking in which a part that can't be settled is tried again at most."""


async def settle_partitions(resources: Resources, given: SettleInput, *, limits: Limits = LIMITS) -> Settled:
    """Decide whether reading has ended, and record what is left open.

    If nothing changed in a round, nothing is open and only its counts disagree, it waits for them: with several
    partitions and one replica, they can be off for minutes.
    """
    job = given.job
    checkpoints = Checkpoints(resources.clients.store_of(job.service).runs, job.run)
    plan = await require_plan(checkpoints, job)
    settling = await checkpoints.read(settling_record(plan), Settling)
    service = resources.clients.service(job.service)
    probe = ServiceIndexProbe(service, job.index, plan.key_field, elevated=plan.elevated)
    seen = await read_round(partition_reader(checkpoints, job, plan, given.read), len(plan.partitions))
    if settling is None or settling.round < given.round:
        if settling is not None:
            require_same(job, "the record of what is accounted for", settling, given.before)
        earlier = settling or Settling(round=-1, started=resources.clock(), totals=[plan.found])
        total = await probe.count(Partition())
        is_late = resources.clock() - earlier.started >= timedelta(seconds=limits.settling_seconds)
        is_last = is_late or given.round >= limits.settling_rounds
        wait = Patience(settle_seconds(resources, job.service) - earlier.waited, resources.sleep)
        settling = settled(plan, seen, earlier, total, is_last=is_last, may_wait=True)
        is_still = not seen.changes and not _open_parts(plan, seen)
        while settling.lacking and is_still and await wait():
            total = await probe.count(Partition())
            settling = settled(plan, seen, earlier, total, is_last=is_last, may_wait=True)
        if settling.lacking:
            settling = settled(plan, seen, earlier, total, is_last=is_last)
        settling = msgspec.structs.replace(settling, waited=earlier.waited + wait.waited)
        await checkpoints.write(settling_record(plan), settling)
        return _summary(settling, ended=settling.ended)
    # It is from an earlier attempt: another round follows unless it agrees with the count of now.
    is_whole = bool(settling.open) or seen.present == await probe.count(Partition())
    return _summary(settling, ended=settling.ended and is_whole)


def _summary(settling: Settling, *, ended: bool) -> Settled:
    return Settled(ended=ended, open=sum(part.documents for part in settling.open), digest=digest_of(settling))


def settled(
    plan: Plan, seen: Round, earlier: Settling, total: int, *, is_last: bool, may_wait: bool = False
) -> Settling:
    """Return what is known after a round, given what was known before it and the count of everything.

    If the index is quiet and the partitions turn out not to cover it, no further round would find more, unless its
    counts may still settle (`may_wait`).
    """
    now = _followed(seen, earlier, total)
    if now.round == 0 and _needs_no_check(plan, seen, now):
        return msgspec.structs.replace(now, ended=True)
    lacking = _lacking(plan, seen, now)
    now = msgspec.structs.replace(now, lacking=lacking)
    open_parts = _open_parts(plan, seen)
    if now.round and not lacking and not open_parts and _nothing_escaped(now):
        return msgspec.structs.replace(now, ended=True)
    if lacking and not plan.exact and now.round and not seen.changes and len(set(now.totals)) == 1 and not may_wait:
        return msgspec.structs.replace(now, ended=True, open=[*open_parts, OpenPart("what no part reaches", lacking)])
    open_rounds = now.open_rounds + bool(open_parts and now.round)
    if not is_last and open_rounds < _OPEN_ROUNDS:
        return msgspec.structs.replace(now, open_rounds=open_rounds)
    if now.round and not _nothing_escaped(now):
        open_parts.append(OpenPart("documents that moved while they were read", now.unknown))
    if lacking and not open_parts:
        open_parts.append(OpenPart("all parts together", lacking))
    return msgspec.structs.replace(now, ended=True, open=open_parts)


def _needs_no_check(plan: Plan, seen: Round, now: Settling) -> bool:
    """Return whether nothing can have moved: one answer held the whole index, or pieces are intervals of the key."""
    pieces = [piece for each in seen.pieces for piece in each]
    if any(piece.open or piece.paged for piece in pieces) or any(seen.unread):
        return False
    documents = sum(piece.documents for piece in pieces)
    if len(pieces) == 1:
        return explains(documents, now.totals[-2], now.totals[-1])
    by_key = all(condition.field == plan.key_field for piece in pieces for condition in piece.partition.conditions)
    return (
        plan.exact
        and by_key
        and all(piece.partition.lucene is None for piece in pieces)
        and explains(documents, now.totals[-2], now.totals[-1])
    )


def _followed(seen: Round, earlier: Settling, total: int) -> Settling:
    """Return what is known of keys that came, went and returned."""
    number = earlier.round + 1
    appeared = seen.new | seen.returned
    missing = dict(earlier.missing)
    escapes = [number - missing[mark] for mark in appeared if mark in missing]
    remaining = {mark: since for mark, since in missing.items() if mark not in appeared}
    remaining |= dict.fromkeys(seen.gone - appeared, number)
    return msgspec.structs.replace(
        earlier,
        round=number,
        totals=[*earlier.totals, total],
        missing=list(remaining.items()),
        escaped=earlier.escaped + len(escapes),
        escaped_twice=earlier.escaped_twice + sum(rounds > 1 for rounds in escapes),
        unknown=sum(mark not in missing for mark in seen.unknown),
    )


def _nothing_escaped(now: Settling) -> bool:
    return (
        not now.unknown
        or (now.round >= _ROUNDS_WITHOUT_ESCAPE and not now.escaped)
        or (now.round >= _ROUNDS_WITHOUT_TWO and not now.escaped_twice)
    )


def _lacking(plan: Plan, seen: Round, now: Settling) -> int:
    """Return by how many documents the keys that were read disagree with the counts before and after the round.

    Whatever came and went, what was counted as the round began has been read by its end: fewer known keys than that are
    documents that no round has met.
    """
    low, high = min(now.totals[-2:]), max(now.totals[-2:])
    if plan.exact:
        present, changes = seen.present_each, seen.changes
        return max(0, low - changes - present, present - high - changes, now.totals[-2] - seen.known)
    if low == seen.present == high:
        return 0
    return 0 if {seen.known} == set(now.totals) else max(1, abs(high - seen.present))


def _open_parts(plan: Plan, seen: Round) -> list[OpenPart]:
    """Return the parts that are not settled by themselves."""
    found: dict[str, int] = {}
    for partition, pieces, unread in zip(plan.partitions, seen.pieces, seen.unread, strict=True):
        if unread:
            found[field_names(partition)] = found.get(field_names(partition), 0) + unread
        for piece in pieces:
            if piece.open:
                name = field_names(piece.partition)
                found[name] = found.get(name, 0) + piece.open
    return [OpenPart(name, documents) for name, documents in found.items()]


def field_names(partition: Partition) -> str:
    """Return the names of the fields that a partition is told apart by, without their values."""
    names = list(dict.fromkeys(condition.field for condition in partition.conditions))
    if partition.lucene is not None:
        names.append("a prefix of the key")
    return f"by {', '.join(names)}" if names else "everything"
