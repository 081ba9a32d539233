"""Check whether the other service has room for all that the active one holds of the pair. Pure.

What a service reports takes precedence over the table of tiers, since older services have smaller quotas.
"""

from collections.abc import Iterator
from typing import Literal

import msgspec

from indexvault.printable import count
from indexvault.readiness.facts import PairFacts, SideFacts
from indexvault.readiness.report import CheckKind, FactSource, ReadinessCheck, finding, some
from indexvault.search.limits import TIER_LIMITS, TierLimits
from indexvault.search.statistics import Counter

_TIGHT = 0.8
"""The share of what is left above which a quota is worth a word: indexes grow."""
_KINDS = {
    "synonymmaps": "synonym map",
    "aliases": "alias",
    "datasources": "data source",
    "skillsets": "skillset",
    "indexers": "indexer",
}
_MAKE_ROOM = "Choose a larger tier or more partitions for it, or remove what is not needed there"


def capacity_checks(facts: PairFacts) -> Iterator[ReadinessCheck]:
    """Yield the checks of the other service's quotas and limits. None without another service."""
    other = facts.other
    if other is None:
        yield finding(
            "storage",
            f"pair {facts.pair}",
            "unknown",
            "the standby is made at failover, so nothing is known of its quotas",
            "Make it of the tier and partitions that the active service has",
            source="settings",
        )
        return
    subject = f"service {other.service}"
    lacking = _unread(facts.active, other)
    if lacking:
        yield finding("storage", subject, "unknown", lacking, "Check both services: `indexvault check`")
    else:
        yield from _sizes(facts, other, subject)
        yield _objects(facts.active, other, subject)
    yield _limits(facts, subject)


def _unread(active: SideFacts, other: SideFacts) -> str:
    for side in (active, other):
        if side.statistics is None or side.sizes is None or side.objects is None:
            why = side.unread or "it did not say"
            return f"whether there is room is not known, since service {side.service} was not read: {why}"
    return ""


def _sizes(facts: PairFacts, other: SideFacts, subject: str) -> Iterator[ReadinessCheck]:
    assert other.statistics is not None  # noqa: S101 - _unread has seen to it
    counters, table = other.statistics.counters, TIER_LIMITS[other.tier]
    needed, there = facts.active.sizes or {}, other.sizes or {}
    partitions = other.resource.partitions if other.resource is not None and other.resource.partitions else 1
    room = _Room("indexes", len(needed), len(there), counters.indexes_count, table.indexes, "index")
    yield _room(subject, room)
    measures: tuple[tuple[CheckKind, Counter | None, int | None], ...] = (
        ("storage", counters.storage_size, _times(table.storage, partitions)),
        ("documents", counters.document_count, None),
        ("vectors", counters.vector_index_size, _times(table.vectors, partitions)),
    )
    for check, counter, limit in measures:
        taken, own = (sum(getattr(each, check) for each in sizes.values()) for sizes in (needed, there))
        yield _room(subject, _Room(check, taken, own, counter, limit, "document" if check == "documents" else "byte"))


def _times(limit: int | None, partitions: int) -> int | None:
    return None if limit is None else limit * partitions


class _Room(msgspec.Struct, frozen=True):
    """What the pair needs of a quota, and how much of what is used on the service is its `own`."""

    check: CheckKind
    needed: int
    own: int
    counter: Counter | None
    table: int | None
    unit: Literal["index", "document", "byte"]


def _room(subject: str, asked: _Room) -> ReadinessCheck:
    """Check that what the pair needs fits beside all that the service holds of others."""
    usage = asked.counter.usage if asked.counter is not None else 0
    told = asked.counter.quota if asked.counter is not None else None
    quota = told if told is not None else asked.table
    needs = f"{count(asked.needed, asked.unit)} of the pair"
    if quota is None:
        return finding(asked.check, subject, "good", f"{needs}; the service names no limit")
    source: FactSource = "measured" if told is not None else "settings"
    left = max(0, quota - max(0, usage - asked.own))
    said = f"{needs}, and room for {left:,} of {quota:,}"
    if asked.needed > left:
        return finding(asked.check, subject, "bad", said, _MAKE_ROOM, source=source)
    if asked.needed > _TIGHT * left:
        return finding(asked.check, subject, "warning", f"{said}: it is nearly full", _MAKE_ROOM, source=source)
    return finding(asked.check, subject, "good", said, source=source)


def _objects(active: SideFacts, other: SideFacts, subject: str) -> ReadinessCheck:
    """Check that objects of each kind fit beside those of other names that are there."""
    assert other.statistics is not None  # noqa: S101 - _unread has seen to it
    here, there = active.objects or {}, other.objects or {}
    table = TIER_LIMITS[other.tier]
    over = []
    for kind, name in _KINDS.items():
        needed = len(here.get(kind, frozenset()) | there.get(kind, frozenset()))
        counter = other.statistics.counters.of_kind(kind)
        quota = counter.quota if counter is not None and counter.quota is not None else _of_table(table, kind)
        if quota is not None and here.get(kind) and needed > quota:
            over.append(f"{count(needed, name)} would be there, and {quota} are allowed")
    if over:
        return finding("objects", subject, "bad", "; ".join(over), _MAKE_ROOM)
    held = ", ".join(count(len(here[kind]), name) for kind, name in _KINDS.items() if here.get(kind))
    return finding("objects", subject, "good", f"there is room for {held or 'all: the active service has none'}")


def _of_table(table: TierLimits, kind: str) -> int | None:
    limits = {"synonymmaps": table.synonym_maps, "aliases": table.aliases}
    return limits.get(kind, table.indexers)


def _limits(facts: PairFacts, subject: str) -> ReadinessCheck:
    """Check the limits of single indexes: fields, depth, dimensions."""
    misfits = [f"{each.facts.index}: {what}" for each in facts.indexes for what in each.misfits]
    if misfits:
        return finding(
            "limits",
            subject,
            "bad",
            some(misfits, between="; "),
            "Choose a larger tier for it, or drop fields with a patch",
        )
    if facts.active.unread or facts.other is None or facts.other.unread or not facts.indexes:
        return finding("limits", subject, "unknown", "the definitions or the limits could not be read")
    return finding("limits", subject, "good", f"{count(len(facts.indexes), 'index')} within its limits")
