"""What is wrong now, as alerts: the reasons for amber and red in the facts, and what the facts don't hold.

These are pure functions. An alert is told apart by its kind and subject, so that one whose words change, such as the
age of a snapshot, stays the same alert.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Literal

import msgspec
from msgspec.structs import replace

from indexvault.errors import IndexvaultError
from indexvault.snapshots.manifest import AwareTime
from indexvault.status.facts import Fleet, RunFacts, ServiceFacts
from indexvault.status.health import Level, Reason

type AlertLevel = Literal["amber", "red"]

RUN_TOLD_FOR = timedelta(days=1)
"""How long the failure of a run that no policy started is an alert: nothing mends it but another run."""
_MOST_TOLD = 3
"""Findings of one kind and subject that are told in words."""
_QUIET = frozenset({"well", "indexes", "no-policy"})
_LEVELS: dict[Level, AlertLevel] = {"amber": "amber", "red": "red"}


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is wrong: its kind for programs, its subject, what is so, and what to do about it.

    `subject` is such as `contoso-east/hotels`, `policy nightly`, `store west` or a run. `ends` says whether it can
    recover; the failure of a run that was asked for is only told.
    """

    kind: str
    level: AlertLevel
    subject: str
    what: str
    do: str
    ends: bool = True

    @property
    def key(self) -> tuple[str, str]:
        """What tells it from other alerts."""
        return self.kind, self.subject


class StaleLock(msgspec.Struct, frozen=True, kw_only=True):
    """A lock that counts although its run ended at `since`, or that an unfinished run has not renewed since then."""

    service: str
    index: str
    run: str
    since: AwareTime
    has_ended: bool = False


def alerts_of(fleet: Fleet) -> list[Alert]:
    """Return what is wrong by the facts, the worst first."""
    found = [
        *(alert for service in fleet.services for alert in _of_service(service)),
        *(
            _alert(reason, f"{index.service}/{index.index}")
            for index in fleet.indexes
            for reason in index.health.reasons
            if _counts(reason)
        ),
        *(
            _alert(reason, f"store {store.store}")
            for store in fleet.replicas
            for reason in store.health.reasons
            if _counts(reason)
        ),
        *(
            _alert(reason, f"pair {pair.pair}")
            for pair in fleet.pairs
            for reason in pair.health.reasons
            if _counts(reason)
        ),
        *(
            _alert(reason, f"{index.service}/{index.index}")
            for pair in fleet.pairs
            for index in pair.indexes
            for reason in index.health.reasons
            if _counts(reason)
        ),
        *_of_runs(fleet.runs, fleet.checked_at),
    ]
    return in_order(found)


def in_order(alerts: Iterable[Alert]) -> list[Alert]:
    """Return alerts by level, kind and subject, those of one kind and subject as one that tells all of them."""
    of_key: dict[tuple[str, str], list[Alert]] = {}
    for alert in sorted(alerts, key=lambda alert: (alert.level != "red", alert.kind, alert.subject)):
        of_key.setdefault(alert.key, []).append(alert)
    return [_together(same) for same in of_key.values()]


def _together(same: Sequence[Alert]) -> Alert:
    """Return several alerts of one kind and subject as one, as bad as the worst of them, which comes first."""
    words = list(dict.fromkeys(alert.what for alert in same))
    rest = len(words) - _MOST_TOLD
    return replace(same[0], what="; ".join(words[:_MOST_TOLD]) + (f"; and {rest} more" if rest > 0 else ""))


def stale_lock_alert(lock: StaleLock) -> Alert:
    """Return the alert of a lock that was left behind."""
    name, since = f"{lock.service}/{lock.index}", f"{lock.since:%Y-%m-%d %H:%MZ}"
    if lock.has_ended:
        what, do = f"run {lock.run} ended at {since}, and its lock still counts", f"indexvault unlock {name}"
    else:
        what = f"run {lock.run} is unfinished, and has not renewed its lock since {since}"
        do = f"Start it again, so that it resumes; or end it: indexvault unlock {name}"
    return Alert(kind="stale-lock", level="amber", subject=name, what=what, do=do)


def check_failed(what: str, error: BaseException) -> Alert:
    """Return the alert of a check that could not run: nothing is known of what it looks at."""
    why = f"{error.on}: {error.what}" if isinstance(error, IndexvaultError) else type(error).__name__
    do = error.do if isinstance(error, IndexvaultError) else "See the app's log"
    return Alert(kind="check-failed", level="red", subject=what, what=f"it could not be checked: {why}", do=do)


def oldest_recovery_point(fleet: Fleet) -> tuple[datetime | None, bool]:
    """Return when the oldest of the newest complete snapshots was made, and whether every watched index has one.

    Fails closed: where something could not be read, the answer is no.
    """
    watched = [index for index in fleet.indexes if index.policies and index.is_on_service is not False]
    times = [index.last_complete.created for index in watched if index.last_complete is not None]
    unread = any(service.unread for service in fleet.services) or any(
        reason.kind == "unread" for index in watched for reason in index.health.reasons
    )
    gone = any(reason.kind == "gone" for service in fleet.services for reason in service.health.reasons)
    return min(times, default=None), len(times) == len(watched) and not unread and not gone


def _of_service(service: ServiceFacts) -> Iterator[Alert]:
    for reason in service.health.reasons:
        if _counts(reason) and reason.kind != "run-failed":
            yield _alert(reason, f"service {service.service}")
    failed = {
        name
        for index in service.indexes
        if any(reason.kind == "run-failed" for reason in index.health.reasons)
        for name in index.policies
    }
    for policy in service.policies:
        if policy.failure is not None and policy.policy not in failed:
            yield Alert(
                kind="run-failed",
                level="amber",
                subject=f"policy {policy.policy}",
                what=f"its last run failed: {policy.failure}",
                do=f"Look at the run: indexvault runs {policy.last_run}",
            )


def _of_runs(runs: Sequence[RunFacts], now: datetime) -> Iterator[Alert]:
    for run in runs:
        # What such a run of a pair came to is told of each index, as long as it is so.
        if run.kind in {"follow", "drift"}:
            continue
        if run.policy is None and run.state == "failed" and run.finished and now - run.finished <= RUN_TOLD_FOR:
            yield Alert(
                kind="run-failed",
                level="amber",
                subject=f"run {run.run}",
                what=f"it failed ({run.asked}): {run.failure or f'{run.failed} of {run.items} items'}",
                do=f"Look at it: indexvault runs {run.run}",
                ends=False,
            )


def _counts(reason: Reason) -> bool:
    return reason.level in _LEVELS and reason.kind not in _QUIET


def _alert(reason: Reason, subject: str) -> Alert:
    return Alert(kind=reason.kind, level=_LEVELS[reason.level], subject=subject, what=reason.what, do=reason.do)
