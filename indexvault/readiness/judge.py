"""Judge a pair: all checks, and what it would survive by them. Pure."""

from collections.abc import Iterable, Sequence

from indexvault.readiness.capacity import capacity_checks
from indexvault.readiness.content import content_checks
from indexvault.readiness.facts import PairFacts
from indexvault.readiness.places import place_checks
from indexvault.readiness.report import (
    CheckKind,
    Loss,
    Lost,
    PairReadiness,
    ReadinessCheck,
    ReadinessLevel,
    Survival,
    worst,
)
from indexvault.readiness.takeover import takeover_checks
from indexvault.status.health import in_words

_NEEDED: frozenset[CheckKind] = frozenset(
    {
        "reach it",
        "regions",
        "store",
        "role",
        "restore to it",
        "indexes",
        "storage",
        "vectors",
        "documents",
        "limits",
        "snapshots",
        "drills",
        "copies",
        "standby",
        "drift",
    }
)
"""What a failover can't do without. Without the others it leaves something out, or promises less afterwards."""

_SURVIVED: dict[ReadinessLevel, Survival] = {"good": "yes", "warning": "no", "unknown": "unknown", "bad": "no"}


def judge(facts: PairFacts) -> PairReadiness:
    """Return what is so of a pair, and how good that is."""
    checks = (*place_checks(facts), *takeover_checks(facts), *content_checks(facts), *capacity_checks(facts))
    return PairReadiness(
        pair=facts.pair,
        mode=facts.mode,
        active=facts.active.service,
        other=facts.other.service if facts.other is not None else None,
        level=worst([each.level for each in checks]),
        survives=(_replica(facts, checks), _zone(facts, checks), _region(facts, checks)),
        checks=checks,
    )


def _replica(facts: PairFacts, checks: Iterable[ReadinessCheck]) -> Loss:
    found = _of(checks, "reads promised", f"service {facts.active.service}")
    return _loss("a replica", found)


def _zone(facts: PairFacts, checks: Iterable[ReadinessCheck]) -> Loss:
    return _loss("a zone", _of(checks, "zones", f"service {facts.active.service}"))


def _of(checks: Iterable[ReadinessCheck], kind: CheckKind, subject: str) -> ReadinessCheck:
    return next(each for each in checks if (each.check, each.subject) == (kind, subject))


def _loss(of: Lost, found: ReadinessCheck) -> Loss:
    return Loss(of=of, survived=_SURVIVED[found.level], why=found.what)


def _region(facts: PairFacts, checks: Sequence[ReadinessCheck]) -> Loss:
    """Judge the loss of the active service's region, by what would be left then."""
    gone = {f"service {facts.active.service}", f"store {facts.active.store}"}
    needed = [each for each in checks if each.check in _NEEDED and each.subject not in gone]
    bad = _first(needed, "bad")
    if bad is not None:
        return Loss(of="the region", survived="no", why=f"{bad.check}: {bad.what}")
    unknown = _first(needed, "unknown")
    if unknown is not None:
        return Loss(of="the region", survived="unknown", why=f"{unknown.check}: {unknown.what}")
    return Loss(of="the region", survived="yes", why=f"at most {in_words(facts.recovery_point)} would be lost")


def _first(checks: Iterable[ReadinessCheck], level: ReadinessLevel) -> ReadinessCheck | None:
    return next((each for each in checks if each.level == level), None)
