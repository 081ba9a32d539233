"""Which snapshots a policy keeps, and why. Decides only: removing is done elsewhere.

The rules are united: a snapshot stays when any of them wants it. Periods are natural ones in UTC: hours, days, ISO
weeks from Monday, months, years. Only periods that have a snapshot count, so an index that is no longer backed up keeps
what it has.

What no rule can do:
- A lossy snapshot never takes the place of a complete one. In the stretch that a rule's complete snapshots span it is
  kept where its period has no complete one, as many times as the rule's number and beside it.
- The last complete snapshot of an index is never removed; nor is the newest one, which a lossy one may be; nor a
  pinned one, nor one whose manifest can't be read, since nobody knows what depends on it.
- A snapshot that is dated later than now, by a clock that was wrong, stays and counts for no rule: else those made
  after it would go at once.
- A policy without rules removes nothing.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Annotated

import msgspec

from indexvault.snapshots.summary import Summary

Number = Annotated[int, msgspec.Meta(ge=0)]

_NEVER = datetime.max.replace(tzinfo=UTC)


class Retention(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a policy keeps of each index; zero and None are no rule.

    `last` is a number of snapshots, `hourly` to `yearly` are numbers of periods of which the newest snapshot stays, and
    `within` is a duration before the newest complete snapshot (in settings as in ISO 8601: `P30D`, `PT36H`).
    """

    last: Number = 0
    hourly: Number = 0
    daily: Number = 0
    weekly: Number = 0
    monthly: Number = 0
    yearly: Number = 0
    within: timedelta | None = None


class Decision(msgspec.Struct, frozen=True):
    """What becomes of a snapshot, and why in words, such as `daily 2026-11-20`."""

    snapshot: Summary
    keep: bool
    reasons: tuple[str, ...]


def decide(
    snapshots: Iterable[Summary],
    policies: Sequence[Retention],
    pinned: Collection[str] = frozenset(),
    *,
    now: datetime = _NEVER,
) -> list[Decision]:
    """Decide about every snapshot, each index for itself, by service and index, the newest first.

    `policies` are all those that back the indexes up: a snapshot is removed only when none of them keeps it, and
    without any nothing is. `pinned` are ids. What is dated later than `now` stays and takes the place of none.
    """
    ordered = sorted(snapshots, key=lambda snapshot: (snapshot.created, snapshot.id), reverse=True)
    ordered.sort(key=lambda snapshot: (snapshot.service, snapshot.index))
    decisions: list[Decision] = []
    for _, group in groupby(ordered, key=lambda snapshot: (snapshot.service, snapshot.index)):
        newest_first = list(group)
        reasons = _reasons(newest_first, policies, pinned, now)
        decisions += [
            Decision(snapshot=snapshot, keep=bool(why), reasons=why or ("no rule keeps it",))
            for snapshot, why in ((each, tuple(dict.fromkeys(reasons[each.id]))) for each in newest_first)
        ]
    return decisions


def _reasons(
    newest_first: Sequence[Summary], policies: Sequence[Retention], pinned: Collection[str], now: datetime
) -> dict[str, list[str]]:
    """Give, for each snapshot of one index, why it stays; nothing when it goes."""
    reasons: dict[str, list[str]] = {snapshot.id: [] for snapshot in newest_first}
    readable = [snapshot for snapshot in newest_first if snapshot.state != "damaged" and snapshot.created <= now]
    for snapshot in newest_first:
        if snapshot.id in pinned:
            reasons[snapshot.id].append("pinned")
        if snapshot.state == "damaged":
            reasons[snapshot.id].append("its manifest can't be read")
        elif snapshot.created > now:
            reasons[snapshot.id].append("it is dated later than now")
    for policy in policies or [Retention()]:
        for snapshot, reason in _kept(readable, policy):
            reasons[snapshot.id].append(reason)
    if readable and readable[0].state != "complete":
        reasons[readable[0].id].append("the newest one")
    last_complete = next((snapshot for snapshot in readable if snapshot.state == "complete"), None)
    if last_complete is not None:
        reasons[last_complete.id].append("the last complete one")
    return reasons


def _kept(newest_first: Sequence[Summary], policy: Retention) -> Iterator[tuple[Summary, str]]:
    if policy == Retention():
        yield from ((snapshot, "a policy without rules removes nothing") for snapshot in newest_first)
        return
    for rule, period in _PERIODS.items():
        for snapshot in _newest_of_each(newest_first, period, getattr(policy, rule)):
            yield snapshot, f"{rule} {period(snapshot)}"
    for place, snapshot in enumerate(_newest_of_each(newest_first, lambda each: each.id, policy.last), start=1):
        yield snapshot, f"last {place}"
    if policy.within is not None:
        yield from _within(newest_first, policy.within)


def _newest_of_each(
    newest_first: Sequence[Summary], period: Callable[[Summary], str], number: int
) -> Iterator[Summary]:
    """Return the newest complete snapshot of the last `number` periods that have one, and lossy ones as said above."""
    complete_left = lossy_left = number
    for _, group in groupby(newest_first, key=period):
        if complete_left == 0:
            return
        members = list(group)
        complete = next((snapshot for snapshot in members if snapshot.state == "complete"), None)
        if complete is not None:
            complete_left -= 1
            yield complete
        elif lossy_left > 0:
            lossy_left -= 1
            yield members[0]


def _within(newest_first: Sequence[Summary], duration: timedelta) -> Iterator[tuple[Summary, str]]:
    complete = [snapshot for snapshot in newest_first if snapshot.state == "complete"]
    for snapshot in newest_first:
        if (complete or newest_first)[0].created - snapshot.created <= duration:
            yield snapshot, f"within {duration}"


def _in_utc(time: datetime, form: str) -> str:
    return time.astimezone(UTC).strftime(form)


_PERIODS: dict[str, Callable[[Summary], str]] = {
    "hourly": lambda snapshot: _in_utc(snapshot.created, "%Y-%m-%dT%H"),
    "daily": lambda snapshot: _in_utc(snapshot.created, "%Y-%m-%d"),
    "weekly": lambda snapshot: _in_utc(snapshot.created, "%G-W%V"),
    "monthly": lambda snapshot: _in_utc(snapshot.created, "%Y-%m"),
    "yearly": lambda snapshot: _in_utc(snapshot.created, "%Y"),
}
