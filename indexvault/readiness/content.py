"""Check what a failover would restore from, and what it would find on the other service. Pure."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from indexvault.printable import count
from indexvault.readiness.facts import PairFacts, PairIndexFacts
from indexvault.readiness.report import CheckKind, ReadinessCheck, ReadinessLevel, finding, some
from indexvault.snapshots.names import SERVICE_OBJECTS
from indexvault.status.health import UNVERIFIED_AFTER, in_words

type _Judged = tuple[ReadinessLevel, str]
"""How good an index is, and what is wrong with it in words, or empty."""


def content_checks(facts: PairFacts) -> Iterator[ReadinessCheck]:
    """Yield the checks of snapshots, copies, drills and of the other service's content."""
    for what in facts.unread:
        yield finding("records", f"pair {facts.pair}", "unknown", what, "Check the stores: `indexvault check`")
    if not facts.indexes:
        why = facts.active.store_unread or facts.active.unread
        yield finding(
            "snapshots",
            f"pair {facts.pair}",
            "unknown" if why else "bad",
            why or "it has no index and no snapshot",
            "Check services and stores: `indexvault check`"
            if why
            else "See whether the patterns of the pair are right",
        )
        return
    yield _over(facts, "snapshots", lambda each: _snapshot(each, facts), "have a snapshot in time", _BACK_UP)
    yield _over(facts, "proved", lambda each: _proved(each, facts), "were read in full in time", _PROVE)
    yield _over(facts, "verified", lambda each: _verified(each, facts), "were read back in time", _VERIFY)
    yield _over(facts, "drills", lambda each: _drilled(each, facts), "had a good drill in time", _DRILL)
    if facts.mode != "hot-hot":
        yield _over(facts, "copies", lambda each: _copied(each, facts), f"are copied to store {facts.copies}", _COPY)
    if facts.mode == "hot-warm":
        yield _over(facts, "standby", lambda each: _followed(each, facts), "are on the standby in time", _FOLLOW)
    if facts.mode == "hot-hot":
        yield _over(facts, "drift", lambda each: _drifted(each, facts), "are alike on both services", _MEND)


PROVE_WITHIN = timedelta(days=31)
DRILL_WITHIN = timedelta(days=91)
"""How old the last full reading and the last drill may be, where the settings don't say."""
_OF_OBJECTS: frozenset[CheckKind] = frozenset({"snapshots", "verified", "copies", "standby"})
"""Checks that hold for the service's other objects too: these are neither drilled nor read by changes."""
_BACK_UP = "See why the backup is late or failed: `indexvault status`"
_PROVE = "Back the index up without `changes`, or lower prove_every of the policy"
_VERIFY = "`indexvault verify` reads snapshots back; the app does so every week"
_DRILL = "`indexvault drill SERVICE/INDEX --to STANDBY`, or a drill in the settings; see docs/drills.md"
_COPY = "`indexvault replicate` copies what is missing; see the last run of the policy"
_FOLLOW = "`indexvault follow PAIR` does it at once; the app does so after each backup"
_MEND = "`indexvault compare A B --repair-from SERVICE`; see docs/comparing.md"


def _over(
    facts: PairFacts, check: CheckKind, judge: Callable[[PairIndexFacts], _Judged], well: str, do: str
) -> ReadinessCheck:
    """Judge each index, and return the worst level with the indexes that have it."""
    subject = f"pair {facts.pair}"
    chosen = [each for each in facts.indexes if check in _OF_OBJECTS or each.facts.index != SERVICE_OBJECTS]
    judged = {each.facts.index: judge(each) for each in chosen}
    order: tuple[ReadinessLevel, ...] = ("bad", "unknown", "warning")
    for level in order:
        found = {name: what for name, (has, what) in judged.items() if has == level}
        if found:
            which = "" if len(judged) == 1 else f"{len(found):,} of {count(len(judged), 'index')}: "
            if len(found) > 1 and len(set(found.values())) == 1:
                return finding(check, subject, level, f"{which}{next(iter(found.values()))}", do)
            said = some((f"{name}: {what}" for name, what in found.items()), between="; ")
            return finding(check, subject, level, f"{which}{said}", do)
    good = [what for _level, what in judged.values() if what]
    return finding(check, subject, "good", f"{good[0] if len(judged) == 1 and good else f'all {len(judged):,} {well}'}")


def _snapshot(each: PairIndexFacts, facts: PairFacts) -> _Judged:
    last = each.facts.last_complete
    if facts.active.store_unread:
        return "unknown", facts.active.store_unread
    if last is None:
        return "bad", "no complete snapshot"
    age = _age(last.created, facts.now)
    if facts.now - last.created > facts.recovery_point:
        return "bad", f"the last complete snapshot is {age} old, and {in_words(facts.recovery_point)} may be lost"
    return "good", f"the last complete snapshot is {age} old"


def _proved(each: PairIndexFacts, facts: PairFacts) -> _Judged:
    last = each.facts.last_proved
    if facts.active.store_unread:
        return "unknown", facts.active.store_unread
    if last is None:
        return "warning", "never read in full: its snapshots stand on the word of a field"
    if facts.now - last.created > (each.prove_within or PROVE_WITHIN):
        return "warning", f"last read in full {_age(last.created, facts.now)} ago"
    return "good", f"last read in full {_age(last.created, facts.now)} ago"


def _verified(each: PairIndexFacts, facts: PairFacts) -> _Judged:
    found = each.facts.last_verified
    if facts.active.store_unread:
        return "unknown", facts.active.store_unread
    damage = [*(f"snapshot {name} is damaged" for name in each.facts.damaged), *(found.damage if found else ())]
    if damage:
        return "bad", damage[0]
    if found is None or found.at is None:
        return "warning", "nothing was read back yet"
    if facts.now - found.at > UNVERIFIED_AFTER:
        return "warning", f"last read back {_age(found.at, facts.now)} ago"
    return "good", f"last read back {_age(found.at, facts.now)} ago, and sound"


def _drilled(each: PairIndexFacts, facts: PairFacts) -> _Judged:
    found = each.drill
    if facts.active.store_unread:
        return "unknown", facts.active.store_unread
    if found is None or found.failure:
        return ("warning", "never drilled") if found is None else ("bad", f"the last drill failed: {found.failure}")
    age = _age(found.finished, facts.now)
    allowed = facts.recovery_time
    took = timedelta(seconds=found.seconds or 0)
    if took > allowed:
        return "bad", f"the last drill took {in_words(took)}, and {in_words(allowed)} are allowed"
    if facts.now - found.finished > (each.drill_within or DRILL_WITHIN):
        return "warning", f"last drilled {age} ago"
    elsewhere = facts.other is not None and found.target not in {facts.other.service, facts.active.service}
    where = f", on {found.target}" if elsewhere else ""
    return "good", f"restored in {found.seconds or 0:.0f} s {age} ago{where}"


def _copied(each: PairIndexFacts, facts: PairFacts) -> _Judged:
    newest = each.facts.last_complete
    copy = next((one for one in each.facts.replicas if one.store == facts.copies), None)
    if newest is None:
        return "bad", "no complete snapshot"
    if copy is None:
        return "bad", "no policy copies its snapshots there"
    if copy.unread:
        return "unknown", copy.unread
    if copy.last is None:
        return "bad", "no snapshot is there"
    lag = newest.created - copy.last
    if lag <= timedelta(0):
        return "good", "its newest snapshot is there"
    words = f"the newest there is {in_words(lag)} older than the newest here"
    late = facts.now - copy.last > facts.recovery_point
    return ("bad", f"{words}, and {in_words(facts.recovery_point)} may be lost") if late else ("warning", words)


def _followed(each: PairIndexFacts, facts: PairFacts) -> _Judged:
    state = each.standby
    if facts.copies_unread:
        return "unknown", facts.copies_unread
    if state is None or state.as_of is None:
        why = f": {state.failure.what}" if state is not None and state.failure is not None else ""
        since = " since the last failover" if facts.generation else ""
        return "bad", f"nothing has brought it to the standby{since}{why}"
    age = _age(state.as_of, facts.now)
    if facts.now - state.as_of > facts.recovery_point:
        why = f": {state.failure.what}" if state.failure is not None else ""
        return "bad", f"the standby is as of {age} ago, and {in_words(facts.recovery_point)} may be lost{why}"
    if state.failure is not None:
        return "warning", f"the last attempt to bring it there failed: {state.failure.what}"
    if state.gone_since is not None:
        return "warning", "it was deleted on the active service, and is still on the standby"
    return "good", f"the standby is as of {age} ago"


def _drifted(each: PairIndexFacts, facts: PairFacts) -> _Judged:
    state = each.drift
    if facts.copies_unread:
        return "unknown", facts.copies_unread
    if state is None or state.measured is None:
        why = f": {state.failure.what}" if state is not None and state.failure is not None else ""
        return "unknown", f"drift was never measured{why}"
    age = _age(state.measured, facts.now)
    if facts.now - state.measured > facts.recovery_point:
        return "unknown", f"drift was last measured {age} ago"
    if not state.differs:
        return "good", f"alike {age} ago"
    if state.absent is not None:
        return "bad", f"{state.absent} lacks it"
    parts = [count(state.deviating, "document")] if state.deviating else []
    parts += ["the definition"] if state.definition else []
    since = state.since or state.measured
    lasts = facts.now - since
    said = f"{' and '.join(parts)} different for {in_words(lasts)}"
    return ("bad" if lasts > facts.recovery_point else "warning"), said


def _age(then: datetime, now: datetime) -> str:
    return in_words(now - then)
