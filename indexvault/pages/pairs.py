"""The sections of pairs on the overview: which service is active, and how old or how different the other one is."""

from datetime import datetime, timedelta

from indexvault.pages.html import Child, Element, h
from indexvault.pages.parts import Column, badge, nothing, section, table
from indexvault.pages.plots import share_bar
from indexvault.pages.words import ago, exact_span
from indexvault.printable import count
from indexvault.snapshots.names import SERVICE_OBJECTS
from indexvault.status.facts import DriftFacts, Fleet, PairFacts, PairIndexFacts

_COLUMNS = (
    Column("Pair"),
    Column("Status"),
    Column("Mode"),
    Column("Active"),
    Column("Generation", number=True),
    Column("Other service"),
    Column("Last drill"),
    Column("Recovery time"),
)
_WARM_COLUMNS = (Column("Index"), Column("Status"), Column("As recent as"), Column("Snapshot"))
_HOT_COLUMNS = (Column("Index"), Column("Status"), Column("Drift"), Column("Measured"))


def pairs_sections(fleet: Fleet) -> list[Element]:
    """Return the sections: one of all pairs, and one for each whose indexes are kept or measured."""
    now = fleet.checked_at
    rows = [_row(pair, now) for pair in fleet.pairs]
    overview = table("Services that take over from each other", _COLUMNS, rows)
    return [
        section("Pairs", overview, name="pairs", live=True),
        *(_indexes(pair, now) for pair in fleet.pairs if pair.indexes),
    ]


def _row(pair: PairFacts, now: datetime) -> list[Child]:
    first = pair.health.reasons[0]
    since: Child = [" since ", ago(pair.since, now)] if pair.since is not None else None
    return [
        pair.pair,
        [badge(pair.health.level), None if first.kind == "well" else h("span", first.what, class_="why")],
        pair.mode,
        [pair.active, since] if pair.active is not None else "not known",
        f"{pair.generation}" if pair.generation is not None else nothing(),
        _other(pair, now),
        ago(pair.last_drill, now) if pair.last_drill is not None else "never",
        exact_span(pair.recovery_time),
    ]


def _other(pair: PairFacts, now: datetime) -> Child:
    if pair.standby is None:
        return nothing()
    if pair.mode == "hot-hot":
        return [pair.standby, h("span", " written to as well", class_="aside")]
    if not pair.indexes:
        return [pair.standby, h("span", " restored by a failover", class_="aside")]
    if not pair.following:
        return [pair.standby, h("span", "following is off", class_="why")]
    if pair.as_of is None:
        return [pair.standby, h("span", "not all of it is proved", class_="why")]
    return [pair.standby, " as recent as ", _recent(pair.as_of, pair.recovery_point, pair, now)]


def _recent(as_of: datetime, recovery_point: timedelta, of: PairFacts | PairIndexFacts, now: datetime) -> Child:
    part = max(0.0, (now - as_of) / recovery_point)
    words = f"{min(round(part * 100), 999)} percent of the recovery point"
    return [
        ago(as_of, now),
        h("span", f"of {exact_span(recovery_point)}", class_="aside"),
        share_bar(part, words, of.health.level),
    ]


def _indexes(pair: PairFacts, now: datetime) -> Element:
    rows = sorted(pair.indexes, key=lambda index: ({"red": 0, "amber": 1}.get(index.health.level, 2), index.index))
    is_hot = pair.mode == "hot-hot"
    title = f"Pair {pair.pair}: {pair.standby} {'beside' if is_hot else 'following'} {pair.active}"
    shown = [_index_row(pair, index, now, is_hot=is_hot) for index in rows]
    content = table(title, _HOT_COLUMNS if is_hot else _WARM_COLUMNS, shown, class_="indexes")
    return section(title, content, name=f"pair-{pair.pair}", live=True, beside=badge(pair.health.level))


def _index_row(pair: PairFacts, index: PairIndexFacts, now: datetime, *, is_hot: bool) -> list[Child]:
    first = index.health.reasons[0]
    row: list[Child] = [
        "service objects" if index.index == SERVICE_OBJECTS else index.index,
        [badge(index.health.level), None if first.kind == "well" else h("span", first.what, class_="why")],
    ]
    drift = index.drift
    if is_hot:
        return [
            *row,
            _drift(drift) if drift is not None else "never measured",
            ago(drift.measured, now) if drift is not None and drift.measured is not None else nothing(),
        ]
    recent = _recent(index.as_of, pair.recovery_point, index, now) if index.as_of is not None else "never proved"
    towards: Child = h("span", f"being brought to {index.towards}", class_="aside") if index.towards else None
    return [*row, recent, [h("code", index.snapshot) if index.snapshot else nothing(), towards]]


def _drift(drift: DriftFacts) -> Child:
    if drift.measured is None:
        return "never measured"
    if drift.absent is not None:
        return f"not on {drift.absent}"
    documents = drift.changed + drift.missing + drift.extra
    if not documents and not drift.definition:
        return "none"
    told = f"{drift.changed:,} changed, {drift.missing:,} missing, {drift.extra:,} extra"
    said: list[Child] = [count(documents, "document"), h("span", told, class_="aside")] if documents else []
    if drift.definition:
        said.append(h("span", f"definitions: {', '.join(drift.definition[:3])}", class_="aside"))
    return said
