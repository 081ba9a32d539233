"""The overview: what is wrong first, then runs at work, every index by service, stores, and the last runs."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from indexvault.pages.html import Child, Element, h
from indexvault.pages.pairs import pairs_sections
from indexvault.pages.parts import (
    LEVEL_WORDS,
    Column,
    badge,
    nothing,
    reason_line,
    section,
    sign,
    table,
    unseen,
)
from indexvault.pages.plots import added_plot, documents_plot, share_bar
from indexvault.pages.request import Links, Page, PageRequest
from indexvault.pages.run_parts import progress, runs_table
from indexvault.pages.words import ago, exact_span, size, span
from indexvault.printable import count
from indexvault.snapshots.names import SERVICE_OBJECTS
from indexvault.status.facts import Fleet, IndexFacts, RunFacts, ServiceFacts
from indexvault.status.health import Level

_REFRESH_SECONDS = 15
_MOST_REASONS = 12
_MOST_SHOWN = 500
_LAST_RUNS = 8
_COLUMNS = (
    Column("Index"),
    Column("Status"),
    Column("Last complete"),
    Column("Next run"),
    Column("Documents", number=True),
    Column("Size", number=True),
    Column("Added", number=True),
    Column("Last verified"),
    Column("Last drill"),
    Column("Copies"),
)


async def overview(request: PageRequest) -> Page:
    """Return the overview. `q` and `level` in the query leave out what does not match."""
    fleet = await request.watch.fleet(request.resources)
    links, now = request.links, fleet.checked_at
    wanted = request.query.get("q", "")[:100].strip().lower()
    level = request.query.get("level", "")
    at_work = [run for run in fleet.runs if not run.is_finished]
    ended = [run for run in fleet.runs if run.is_finished][:_LAST_RUNS]
    return Page(
        title=f"{_marks(fleet)}Status",
        here="status",
        refresh=_REFRESH_SECONDS,
        content=h(
            "div",
            h("h1", "Status", class_="unseen"),
            _verdict(fleet, links),
            _at_work(at_work, links, now) if at_work else h("div", id="at-work", data_live=True),
            _filter(request, wanted, level) if sum(1 for _ in fleet.indexes) > 1 else None,
            pairs_sections(fleet) if fleet.pairs else None,
            [_service(service, links, now, wanted, level) for service in fleet.services],
            _stores(fleet) if fleet.replicas else None,
            section(
                "Last runs",
                runs_table("The runs that ended last", ended, links, now),
                name="last-runs",
                live=True,
                beside=h("a", "All runs", href=links.page("runs")),
            )
            if ended
            else None,
        ),
    )


def _marks(fleet: Fleet) -> str:
    """Return what the title of a tab begins with, so that it tells from afar."""
    bad = sum(index.health.level == "red" for index in fleet.indexes)
    return f"({bad} failing) " if bad else "(!) " if fleet.health.level == "red" else ""


def _verdict(fleet: Fleet, links: Links) -> Element:
    levels = [index.health.level for index in fleet.indexes]
    lines = [
        (reason.level, _on(service.service), reason)
        for service in fleet.services
        for reason in service.health.reasons
        if reason.kind != "indexes"
    ]
    lines += [
        (reason.level, _on(f"store {store.store}"), reason)
        for store in fleet.replicas
        for reason in store.health.reasons
    ]
    lines += [
        (reason.level, _on(f"pair {pair.pair}"), reason)
        for pair in fleet.pairs
        for reason in pair.health.reasons
        if reason.kind != "indexes"
    ]
    lines += [
        (reason.level, _on(f"{index.service}/{_plain(index.index)}"), reason)
        for pair in fleet.pairs
        for index in pair.indexes
        for reason in index.health.reasons
    ]
    lines += [(reason.level, _link(index, links), reason) for index in fleet.indexes for reason in index.health.reasons]
    bad = [line for wanted in ("red", "amber") for line in lines if line[0] == wanted]
    parts = [h("li", on, reason_line(reason)) for _level, on, reason in bad[:_MOST_REASONS]]
    if len(bad) > _MOST_REASONS:
        parts.append(h("li", f"and {len(bad) - _MOST_REASONS} more: see the indexes below", class_="more"))
    level = fleet.health.level
    return h(
        "div",
        h(
            "div",
            sign(level),
            h("p", _said(levels, level, _pairs_said(fleet)), class_="said"),
            h("p", "Checked ", h("time", f"{fleet.checked_at:%H:%M:%S} UTC", datetime=fleet.checked_at.isoformat())),
            class_="line",
        ),
        h("ul", parts, class_="reasons") if parts else None,
        class_=f"verdict {level}",
        id="verdict",
        data_live=True,
    )


def _pairs_said(fleet: Fleet) -> str:
    """Return what is so with the pairs if they are the reason for the level, or nothing."""
    level = fleet.health.level
    others = [*(each.health.level for each in fleet.services), *(each.health.level for each in fleet.replicas)]
    bad = sum(pair.health.level == level for pair in fleet.pairs)
    if level not in {"red", "amber"} or not bad or level in others:
        return ""
    does = "is failing" if level == "red" else "needs attention"
    if bad > 1:
        does = "are failing" if level == "red" else "need attention"
    return f"{bad} of {count(len(fleet.pairs), 'pair')} {does}"


def _said(levels: Sequence[Level], level: Level, pairs: str) -> str:
    watched = [each for each in levels if each != "grey"]
    if not levels:
        return "No index and no snapshot is known yet" if level != "red" else "Nothing could be read"
    if not watched:
        return f"No policy covers any of {count(len(levels), 'index')}: nothing is expected"
    red, amber = watched.count("red"), watched.count("amber")
    if red or amber:
        parts = [f"{red} failing"] if red else []
        parts += [f"{amber} need{'s' if amber == 1 else ''} attention"] if amber else []
        return f"Of {count(len(watched), 'index')}, {' and '.join(parts)}" + (f"; {pairs}" if pairs else "")
    wrong = {"red": "not everything could be checked", "amber": "something needs attention"}.get(level)
    if wrong is not None:
        return f"The indexes are well, but {pairs or wrong}"
    return (
        "The one index has what it should" if len(watched) == 1 else f"All {len(watched)} indexes have what they should"
    )


def _on(words: str) -> Element:
    return h("span", words, class_="on")


def _link(index: IndexFacts, links: Links) -> Element:
    return h("a", _named(index), href=links.page("indexes", index.service, index.index), class_="on")


def _named(index: IndexFacts) -> str:
    return f"{index.service}/{_plain(index.index)}"


def _plain(index: str) -> str:
    return "service objects" if index == SERVICE_OBJECTS else index


def _at_work(runs: Sequence[RunFacts], links: Links, now: datetime) -> Element:
    cards = [
        h(
            "li",
            h("h3", h("a", run.run, href=links.page("runs", run.run))),
            h("p", run.asked, class_="asked"),
            progress(run),
            h("p", "Started ", ago(run.started or run.created, now), f" by {run.started_by}", class_="by"),
            class_="run",
        )
        for run in runs
    ]
    return section(f"At work: {count(len(runs), 'run')}", h("ul", cards, class_="runs"), name="at-work", live=True)


def _filter(request: PageRequest, wanted: str, level: str) -> Element:
    choices = [("", "every status"), ("attention", "only attention and failing"), ("red", "only failing")]
    return h(
        "form",
        h("input", type="hidden", name="code", value=request.links.code) if request.links.code else None,
        h("label", "Find an index ", h("input", type="search", name="q", value=wanted, id="find", autocomplete="off")),
        h(
            "label",
            "with ",
            h(
                "select",
                [h("option", words, value=value, selected=value == level) for value, words in choices],
                name="level",
            ),
        ),
        h("button", "Show", type="submit"),
        method="get",
        action=Links(prefix=request.links.prefix).home(),
        class_="filter",
        role="search",
        aria_label="Indexes",
    )


def _service(service: ServiceFacts, links: Links, now: datetime, wanted: str, level: str) -> Element:
    chosen = [index for index in service.indexes if _matches(index, wanted, level)]
    left_out = len(service.indexes) - len(chosen)
    policies = [
        h(
            "li",
            h("b", policy.policy),
            " next ",
            ago(policy.next_run, now),
            ", last run ",
            h("a", policy.last_state or "at work", href=links.page("runs", policy.last_run))
            if policy.last_run
            else "never",
            [" ", ago(policy.last_finished, now)] if policy.last_finished else None,
        )
        for policy in service.policies
    ]
    rows = sorted(chosen, key=lambda index: ({"red": 0, "amber": 1}.get(index.health.level, 2), index.index))[
        :_MOST_SHOWN
    ]
    if chosen:
        content: Child = table(
            f"Indexes of {service.service}", _COLUMNS, [_row(index, links, now) for index in rows], class_="indexes"
        )
    elif left_out:
        content = h("p", f"None of its {count(left_out, 'index')} matches.", class_="nothing")
    else:
        content = h("p", service.unread or "It has no index, and there is no snapshot of one.", class_="nothing")
    return section(
        service.service,
        h(
            "p",
            f"{service.tier}, {service.region}, store {service.store}",
            class_="about",
        ),
        h("ul", policies, class_="policies") if policies else None,
        content,
        h("p", f"{count(left_out, 'index')} left out by the filter.", class_="nothing")
        if chosen and left_out
        else None,
        name=f"service-{service.service}",
        live=True,
        beside=badge(service.health.level),
    )


def _matches(index: IndexFacts, wanted: str, level: str) -> bool:
    levels = {"red": {"red"}, "attention": {"red", "amber"}}.get(level)
    return wanted in index.index.lower() and (levels is None or index.health.level in levels)


def _row(index: IndexFacts, links: Links, now: datetime) -> list[Child]:
    last = index.last
    return [
        [
            h(
                "a",
                "service objects" if index.index == SERVICE_OBJECTS else index.index,
                href=links.page("indexes", index.service, index.index),
            ),
        ],
        _status(index),
        _complete(index, now),
        _next(index, links, now),
        [documents_plot(index.history), f"{last.documents:,}"] if last is not None else nothing(),
        size(last.bytes) if last is not None else nothing(),
        [added_plot(index.history), size(last.added_stored)] if last is not None else nothing(),
        _verified(index, now),
        ago(index.last_drill, now) if index.last_drill is not None else "never",
        _copies(index, now),
    ]


def _status(index: IndexFacts) -> Child:
    first = index.health.reasons[0]
    why = None if first.kind == "well" else h("span", first.what, class_="why")
    more = len([reason for reason in index.health.reasons if reason.level in {"amber", "red"}]) - 1
    return [badge(index.health.level), why, h("span", f"and {more} more", class_="why") if more > 0 else None]


def _complete(index: IndexFacts, now: datetime) -> Child:
    last, within = index.last_complete, index.recovery_point
    said: list[Child] = ["never" if last is None else ago(last.created, now)]
    if last is not None and last.state != "complete":
        said.append(h("span", f" ({last.state})", class_="aside"))
    if within is not None:
        words = f"of {exact_span(within)}"
        part = 1.0 if last is None else (now - last.created) / within
        bar = share_bar(part, f"{min(round(part * 100), 999)} percent of the recovery point", index.health.level)
        said += [h("span", words, class_="aside"), bar if last is not None else None]
    return said


def _next(index: IndexFacts, links: Links, now: datetime) -> Child:
    if index.running is not None:
        return h("a", "at work", href=links.page("runs", index.running))
    return ago(index.next_run, now) if index.next_run is not None else nothing()


def _verified(index: IndexFacts, now: datetime) -> Child:
    found = index.last_verified
    if found is None or found.at is None:
        return "never" if index.snapshots else nothing()
    return [
        ago(found.at, now),
        h("span", f" {count(len(found.damage), 'finding')}", class_="why") if found.damage else None,
    ]


def _copies(index: IndexFacts, now: datetime) -> Child:
    if not index.replicas:
        return nothing()
    said: list[Child] = []
    for copy in index.replicas:
        if copy.unread:
            age = "not readable"
        else:
            age = "none" if copy.last is None else span(max(now - copy.last, timedelta(0)))
        level: Level = "red" if copy.unread or copy.last is None else "amber" if copy.behind else "green"
        behind = f", {copy.behind} behind" if copy.behind else ""
        said.append(
            h("span", sign(level), unseen(f"{LEVEL_WORDS[level]}: "), f"{copy.store} {age}{behind}", class_="copy")
        )
    return said


def _stores(fleet: Fleet) -> Element:
    columns = (Column("Store"), Column("Status"), Column("Region"), Column("Own snapshots of"), Column("Copies of"))
    rows = [
        [
            store.store,
            [badge(store.health.level), h("span", store.unread, class_="why") if store.unread else None],
            store.region,
            ", ".join(store.own) or nothing(),
            ", ".join(store.copies) or nothing(),
        ]
        for store in fleet.replicas
    ]
    return section("Stores", table("Where snapshots are kept", columns, rows), name="stores", live=True)
