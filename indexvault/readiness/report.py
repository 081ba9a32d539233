"""What readiness comes to: checks, and what the pair would survive by them."""

from collections.abc import Iterable
from typing import Literal

import msgspec

from indexvault.settings.model import PairMode
from indexvault.snapshots.manifest import AwareTime

type ReadinessLevel = Literal["good", "warning", "bad", "unknown"]
type FactSource = Literal["management API", "settings", "measured"]
type CheckKind = Literal[
    "reach it",
    "state",
    "reads promised",
    "writes promised",
    "zones",
    "as configured",
    "regions",
    "store region",
    "store",
    "role",
    "record key",
    "restore to it",
    "indexes",
    "storage",
    "vectors",
    "documents",
    "objects",
    "limits",
    "snapshots",
    "proved",
    "verified",
    "drills",
    "copies",
    "standby",
    "drift",
    "secrets",
    "data sources",
    "backups after failover",
    "records",
]
type Lost = Literal["a replica", "a zone", "the region"]
type Survival = Literal["yes", "no", "unknown"]


class ReadinessCheck(msgspec.Struct, frozen=True, kw_only=True):
    """One check: of what, how good, what is so, what to do, and where the fact is from.

    `unknown` is a check that could not be made; `what` says why.
    """

    check: CheckKind
    subject: str
    level: ReadinessLevel
    what: str
    do: str = ""
    source: FactSource


class Loss(msgspec.Struct, frozen=True, kw_only=True):
    """Something that may be lost, whether the pair survives that, and why not or with what left open."""

    of: Lost
    survived: Survival
    why: str


class PairReadiness(msgspec.Struct, frozen=True, kw_only=True):
    """A pair's checks, and the worst of their levels: bad, then unknown, then warning."""

    pair: str
    mode: PairMode
    active: str
    other: str | None
    level: ReadinessLevel
    survives: tuple[Loss, ...]
    checks: tuple[ReadinessCheck, ...]


class Readiness(msgspec.Struct, frozen=True, kw_only=True):
    """The readiness of every pair that was asked for."""

    pairs: tuple[PairReadiness, ...]
    checked_at: AwareTime


_ORDER: tuple[ReadinessLevel, ...] = ("good", "warning", "unknown", "bad")


def worst(levels: list[ReadinessLevel]) -> ReadinessLevel:
    """Return the worst level; good if there is none."""
    return max(levels, key=_ORDER.index, default="good")


def finding(
    check: CheckKind,
    subject: str,
    level: ReadinessLevel,
    what: str,
    do: str = "",
    *,
    source: FactSource = "measured",
) -> ReadinessCheck:
    """Return a check."""
    return ReadinessCheck(check=check, subject=subject, level=level, what=what, do=do, source=source)


def some(texts: Iterable[str], most: int = 3, *, between: str = ", ") -> str:
    """Return the first texts, and how many more there are."""
    in_order = sorted(texts)
    rest = len(in_order) - most
    return between.join(in_order[:most]) + (f" and {rest} more" if rest > 0 else "")
