"""Whether traffic may go to a service of a pair: it answers queries, is active, and its content is recent enough.

The answer is for anybody, so it names no service, index, store or setting. What it comes from goes to the log.
"""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal

import msgspec

from indexvault.recovery.drift_records import DriftState
from indexvault.recovery.index_health import Finding
from indexvault.snapshots.roles import PairRole

type RoleHere = Literal["active", "other", "unknown"]
type Content = Literal["recent", "behind", "unproved"]

_LOG = logging.getLogger(__name__)


class ServiceHealth(msgspec.Struct, frozen=True):
    """Whether traffic may go to a service, and why or why not, in words that name nothing."""

    status: Literal["up", "down"]
    reason: str


class SideFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one side of a pair.

    `is_kept` says that no store answered, and the role is the one that was read last; `is_alone` that only one of the
    two stores did. `indexes` is None if nothing was asked.
    """

    role: RoleHere
    indexes: Finding | None = None
    content: Content = "recent"
    is_kept: bool = False
    is_alone: bool = False


_INDEXES: dict[Finding, str] = {
    "silent": "an index does not answer a query in time",
    "not listed": "the service does not answer",
    "none": "the service has no index of the pair",
}
_CONTENT: dict[Content, str] = {
    "behind": "the content has differed from the other side's for longer than the recovery point",
    "unproved": "the content was not compared with the other side's since that took over",
}


def judge_side(facts: SideFacts) -> ServiceHealth:
    """Return whether traffic may go to a side. Fails closed: an unknown role is no active one."""
    if facts.role == "unknown":
        return ServiceHealth("down", "no record of the roles can be read")
    if facts.role == "other":
        return ServiceHealth("down", f"this side is not active{_source(facts)}")
    if facts.indexes is None:
        return ServiceHealth("down", "the service was not asked")
    if facts.indexes != "answers":
        return ServiceHealth("down", _INDEXES[facts.indexes])
    if facts.content != "recent":
        return ServiceHealth("down", _CONTENT[facts.content])
    return ServiceHealth("up", f"this side is active, and its indexes answer{_source(facts)}")


def _source(facts: SideFacts) -> str:
    if facts.is_kept:
        return "; the role is the one that was read last, since no store answers"
    return "; the role is from one store, since the other does not answer" if facts.is_alone else ""


def role_here(role: PairRole | None, service: str, *, is_hot_hot: bool) -> RoleHere:
    """Return the role of a service. Both sides of a hot-hot pair are active."""
    if role is None:
        return "unknown"
    return "active" if is_hot_hot or role.active == service else "other"


def judge_content(
    drifts: Sequence[DriftState],
    role: PairRole,
    service: str,
    *,
    authority: str,
    recovery_point: timedelta,
    now: datetime,
) -> Content:
    """Return how the content of a side of a hot-hot pair compares with the side that is right.

    That is the pair's authority, and after an unplanned failover the side that took over. A drift that can't be
    measured, since the other side is down, keeps what was measured last: else the side that is left would be out of
    traffic just when it is needed. But a side that was down while the other took over may lack what was written
    meanwhile, until a measurement finds the two alike.
    """
    took_over = role.generation > 0 and not role.following
    if service == (role.active if took_over else authority):
        return "recent"
    if any(each.since is not None and now - each.since > recovery_point for each in drifts):
        return "behind"
    if took_over:
        alike = [not each.differs and _is_after(each.measured, role.since) for each in drifts]
        return "recent" if alike and all(alike) else "unproved"
    return "recent"


def _is_after(measured: datetime | None, since: datetime | None) -> bool:
    return measured is not None and (since is None or measured > since)
