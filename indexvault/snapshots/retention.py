"""Decide which snapshots the policies keep, and why. `prune` removes the others.

A snapshot stays if any rule wants it. Periods are calendar periods in UTC: hours, days, ISO weeks from Monday, months,
years. Only periods that have a snapshot count, so an index that is no longer backed up keeps what it has.

Whatever the rules say:
- Of a period's snapshots, the newest complete one is kept, and the newest presumed one only if there is none. Both
  count towards the rule's number: else "24 hours" would reach back over so many proofs, not over a day.
- A lossy or unsettled snapshot never replaces one of these. Within the time that a rule's complete and presumed
  snapshots span, it is kept if its period has none of them, up to the rule's number and in addition to it. A presumed
  one that lacks a field is like a lossy one, and gives way to a lossy one of its period, which is proved.
- The last complete snapshot of an index is never removed; nor is the newest one, even if it is lossy or unsettled; nor,
  where there are presumed ones, the last one whose run read the whole index (the last proved one); nor
  a pinned one; nor one that an unfinished restore or move needs; nor one whose manifest can't be read, since nobody
  knows what depends on it. The full reading that a presumed snapshot names may go once a later one is there: each
  snapshot is whole by itself, and no reader needs another one.
- A snapshot that is not authentic stays and counts for no rule, until it is accepted: else whoever writes to a store
  could have the others removed.
- A snapshot dated in the future, by a wrong clock, stays and counts for no rule. Otherwise those made after it would be
  removed at once.
- A policy without rules removes nothing.
- A snapshot that was made with an expiry stays until then and counts for no rule. Then it goes, whatever the rules say,
  unless one of the reasons above keeps it. It is the last complete one only where no other is left.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Annotated

import msgspec

from indexvault.snapshots.labels import has_tag
from indexvault.snapshots.summary import Summary, is_in_future

Number = Annotated[int, msgspec.Meta(ge=0)]

_NEVER = datetime.max.replace(tzinfo=UTC)
_NOBODY: Mapping[str, Sequence[str]] = {}


class TaggedRetention(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a policy keeps of the snapshots that have a tag, counting only these. Without a rule, all of them."""

    last: Number = 0
    """So many of the newest snapshots."""
    hourly: Number = 0
    """The newest snapshot of so many hours."""
    daily: Number = 0
    """The newest snapshot of so many days."""
    weekly: Number = 0
    """The newest snapshot of so many weeks, from Monday."""
    monthly: Number = 0
    """The newest snapshot of so many months."""
    yearly: Number = 0
    """The newest snapshot of so many years."""
    within: timedelta | None = None
    """All snapshots of this time before the newest complete or presumed one."""


class Retention(TaggedRetention, frozen=True, forbid_unknown_fields=True):
    """What a policy keeps of each index. Zero, or no duration, is no rule.

    A snapshot stays if any rule wants it. Periods are calendar periods in UTC; only those that have a snapshot count.
    """

    tagged: dict[str, TaggedRetention] = {}
    """What is kept besides of the snapshots with a tag: `release`, `release=4.2` or `release=4.*`, and the rules for
    it. With no rules, `{}`, all of them."""


class Decision(msgspec.Struct, frozen=True):
    """Whether to keep a snapshot, and why in words such as `daily 2026-11-20`."""

    snapshot: Summary
    keep: bool
    reasons: tuple[str, ...]


def decide(
    snapshots: Iterable[Summary],
    policies: Sequence[Retention],
    pinned: Collection[str] = frozenset(),
    *,
    needed: Mapping[str, Sequence[str]] = _NOBODY,
    now: datetime = _NEVER,
) -> list[Decision]:
    """Decide about every snapshot, index by index; return the decisions by service and index, the newest first.

    `policies` are all that cover the indexes: a snapshot is removed only if none of them keeps it. Without policies,
    nothing is removed but what has expired. `pinned` are ids, or says by id what to say of its pin; `needed` says by id
    who needs a snapshot, in words. A snapshot dated in the future (`is_in_future`) stays and replaces no other.
    """
    ordered = sorted(snapshots, key=lambda snapshot: (snapshot.created, snapshot.id), reverse=True)
    ordered.sort(key=lambda snapshot: (snapshot.service, snapshot.index))
    decisions: list[Decision] = []
    for _, group in groupby(ordered, key=lambda snapshot: (snapshot.service, snapshot.index)):
        newest_first = list(group)
        reasons = _reasons(newest_first, policies, pinned, needed, now)
        decisions += [
            Decision(snapshot=snapshot, keep=bool(why), reasons=why or (_why_not(snapshot, now),))
            for snapshot, why in ((each, tuple(dict.fromkeys(reasons[each.id]))) for each in newest_first)
        ]
    return decisions


def _reasons(
    newest_first: Sequence[Summary],
    policies: Sequence[Retention],
    pinned: Collection[str],
    needed: Mapping[str, Sequence[str]],
    now: datetime,
) -> dict[str, list[str]]:
    """Return why each snapshot of one index stays, by id. No reason means that it is removed."""
    reasons: dict[str, list[str]] = {snapshot.id: [] for snapshot in newest_first}
    readable = [
        snapshot
        for snapshot in newest_first
        if snapshot.state != "damaged" and snapshot.is_trusted and not is_in_future(snapshot.created, now)
    ]
    for snapshot in newest_first:
        if snapshot.id in pinned:
            reasons[snapshot.id].append(pinned[snapshot.id] if isinstance(pinned, Mapping) else "pinned")
        reasons[snapshot.id] += needed.get(snapshot.id, ())
        if snapshot.state == "damaged":
            reasons[snapshot.id].append("its manifest can't be read")
        elif not snapshot.is_trusted:
            reasons[snapshot.id].append("it is not authentic")
        elif is_in_future(snapshot.created, now):
            reasons[snapshot.id].append("it is dated in the future")
    for snapshot, reason in [*_kept_by_all(readable, policies), *_not_yet_expired(readable, now)]:
        reasons[snapshot.id].append(reason)
    alive = [snapshot for snapshot in readable if not has_expired(snapshot, now)]
    if alive and alive[0].state != "complete":
        reasons[alive[0].id].append("the newest one")
    last_complete = next((snapshot for snapshot in [*alive, *readable] if snapshot.state == "complete"), None)
    if last_complete is not None:
        reasons[last_complete.id].append("the last complete one")
    last_proved = next((snapshot for snapshot in [*alive, *readable] if snapshot.is_proved), None)
    rests_on_it = last_proved is not last_complete and any(snapshot.state == "presumed" for snapshot in readable)
    if last_proved is not None and rests_on_it:
        reasons[last_proved.id].append("the last proved one")
    return reasons


def has_expired(snapshot: Summary, now: datetime) -> bool:
    """Return whether the expiry that a snapshot was made with has passed."""
    return snapshot.expires is not None and snapshot.expires <= now


def _why_not(snapshot: Summary, now: datetime) -> str:
    if snapshot.expires is not None and has_expired(snapshot, now):
        return f"it expired at {_minute(snapshot.expires)}"
    return "no rule keeps it"


def _minute(time: datetime) -> str:
    return _in_utc(time, "%Y-%m-%d %H:%MZ")


def _not_yet_expired(newest_first: Sequence[Summary], now: datetime) -> Iterator[tuple[Summary, str]]:
    for snapshot in newest_first:
        if snapshot.expires is not None and snapshot.expires > now:
            yield snapshot, f"it expires at {_minute(snapshot.expires)}"


def _kept_by_all(readable: Sequence[Summary], policies: Sequence[Retention]) -> Iterator[tuple[Summary, str]]:
    newest_first = [snapshot for snapshot in readable if snapshot.expires is None]
    if not policies:
        yield from ((snapshot, "no policy covers this index") for snapshot in newest_first)
    for policy in policies:
        yield from _kept(newest_first, policy)


def _kept(newest_first: Sequence[Summary], policy: Retention) -> Iterator[tuple[Summary, str]]:
    if policy == Retention():
        yield from ((snapshot, "a policy without rules removes nothing") for snapshot in newest_first)
        return
    yield from _kept_by_rules(newest_first, policy)
    for tag, rules in policy.tagged.items():
        tagged = [snapshot for snapshot in newest_first if has_tag(snapshot.tags, tag)]
        if rules == TaggedRetention():
            yield from ((snapshot, f"tag {tag}") for snapshot in tagged)
        yield from ((snapshot, f"tag {tag}: {why}") for snapshot, why in _kept_by_rules(tagged, rules))


def _kept_by_rules(newest_first: Sequence[Summary], policy: TaggedRetention) -> Iterator[tuple[Summary, str]]:
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
    """Yield the best snapshot of each of the last `number` periods that have a whole one, and lossy ones as said."""
    whole_left = lossy_left = number
    for _, group in groupby(newest_first, key=period):
        if whole_left == 0:
            return
        best = min(group, key=_rank)  # the newest of those that are equally good
        if _is_whole(best):
            whole_left -= 1
            yield best
        elif lossy_left > 0:
            lossy_left -= 1
            yield best


def _is_whole(snapshot: Summary) -> bool:
    """Return whether a snapshot lacks nothing, as far as its reading tells."""
    return snapshot.state == "complete" or (snapshot.state == "presumed" and not snapshot.losses)


def _rank(snapshot: Summary) -> int:
    """Return how well a snapshot stands for its period, 0 being best."""
    if _is_whole(snapshot):
        return 0 if snapshot.state == "complete" else 1
    return 3 if snapshot.state == "presumed" else 2


def _within(newest_first: Sequence[Summary], duration: timedelta) -> Iterator[tuple[Summary, str]]:
    whole = [snapshot for snapshot in newest_first if _is_whole(snapshot)]
    for snapshot in newest_first:
        if (whole or newest_first)[0].created - snapshot.created <= duration:
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
