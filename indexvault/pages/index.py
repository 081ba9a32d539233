"""The page of one index: its status in full, its history as plots, and all its snapshots."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from indexvault.api.decode import decode_members
from indexvault.api.parameters import KeptName, ServiceName
from indexvault.errors import IndexvaultError, NotFoundError, RequestError
from indexvault.pages.html import Child, Element, h
from indexvault.pages.parts import Column, badge, commands, facts, nothing, reasons, section, state, table
from indexvault.pages.plots import added_plot, bytes_plot, documents_plot
from indexvault.pages.request import Links, Page, PageRequest
from indexvault.pages.words import ago, at, exact_span, size
from indexvault.printable import count
from indexvault.snapshots.catalogue import list_snapshots
from indexvault.snapshots.summary import Summary
from indexvault.status.facts import IndexFacts
from indexvault.status.gather import read_fleet

_PAGE = 100
_MOST_DIGITS = 7
_COLUMNS = (
    Column("Snapshot"),
    Column("State"),
    Column("Made"),
    Column("Documents", number=True),
    Column("Size", number=True),
    Column("Stored", number=True),
    Column("Added", number=True),
    Column("Run"),
)


class IndexPath(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which index."""

    service: ServiceName
    index: KeptName


def index_path(service: str, index: str) -> IndexPath:
    """Return the index that an address names. Raises NotFoundError for what can't be one."""
    try:
        return decode_members({"service": service, "index": index}, IndexPath, "path")
    except RequestError:
        raise NotFoundError("no index has such a name", on="this address", do="Start from the status") from None


async def index_page(request: PageRequest, service: str, index: str) -> Page:
    """Return the page of an index. Raises NotFoundError if nothing is known of it."""
    path = index_path(service, index)
    resources, links = request.resources, request.links
    fleet = await read_fleet(resources, service=path.service, index=path.index)
    found = next(iter(fleet.indexes), None)
    if found is None:
        raise NotFoundError(
            "there is no such index, and no snapshot of one", on=f"{path.service}/{path.index}", do="See the status"
        )
    now = fleet.checked_at
    try:
        blobs = resources.clients.store_of(path.service).snapshots
        listed: list[Summary] | str = await list_snapshots(blobs, path.service, path.index)
    except NotFoundError:
        listed = []
    except IndexvaultError as error:
        listed = f"{error.on}: {error.what}. {error.do}"
    return Page(
        title=f"{path.service}/{path.index}",
        trail=(("Status", links.home()),),
        content=h(
            "div",
            h("div", h("h1", f"{path.service}/{path.index}"), badge(found.health.level), class_="headline"),
            reasons(found.health)
            or h("p", f"{found.health.words[:1].upper()}{found.health.words[1:]}.", class_="about"),
            _facts(found, links, now),
            _history(found),
            section("Snapshots", _snapshots(request, path, listed, now), name="snapshots"),
        ),
    )


def _facts(index: IndexFacts, links: Links, now: datetime) -> Element:
    last, verified, run = index.last_complete, index.last_verified, index.last_run
    proved = index.last_proved
    copies = [
        h(
            "li",
            f"store {copy.store}: ",
            copy.unread
            or (["the last complete copy is of ", ago(copy.last, now)] if copy.last is not None else "none"),
            f", {count(copy.behind, 'complete snapshot')} behind" if copy.behind else None,
        )
        for copy in index.replicas
    ]
    return facts(
        [
            ("Last complete", _point(last.id, last.created, index, links, now) if last is not None else "never"),
            (
                "Last read in full",
                _point(proved.id, proved.created, index, links, now) if proved is not None and proved != last else None,
            ),
            ("Recovery point", exact_span(index.recovery_point) if index.recovery_point is not None else None),
            ("Policies", ", ".join(index.policies) or "none"),
            ("Next run", ago(index.next_run, now) if index.next_run is not None else None),
            ("At work", h("a", index.running, href=links.page("runs", index.running)) if index.running else None),
            (
                "Last run",
                [h("a", run.run, href=links.page("runs", run.run)), " ", state(run.state)] if run is not None else None,
            ),
            ("Last verified", ago(verified.at, now) if verified is not None and verified.at is not None else "never"),
            ("Last drill", ago(index.last_drill, now) if index.last_drill is not None else "never"),
            ("Copies", h("ul", copies) if copies else None),
            ("On the service", {True: "yes", False: "no", None: "not known"}[index.is_on_service]),
        ]
    )


def _point(snapshot: str, created: datetime, index: IndexFacts, links: Links, now: datetime) -> Child:
    return [
        h("a", snapshot, href=links.page("snapshots", index.service, index.index, snapshot), class_="name"),
        " ",
        ago(created, now),
    ]


def _history(index: IndexFacts) -> Element | None:
    plots = [
        ("Documents", documents_plot(index.history, large=True)),
        ("Size", bytes_plot(index.history)),
        ("Stored by each snapshot", added_plot(index.history, large=True)),
    ]
    shown = [
        h("figure", h("figcaption", caption, _range(index, caption)), plot)
        for caption, plot in plots
        if plot is not None
    ]
    if len(shown) < len(plots):
        return None
    return section("Over time", h("div", shown, class_="plots"), name="over-time")


def _range(index: IndexFacts, caption: str) -> Element:
    points = index.history
    if caption == "Documents":
        said = f"{points[0].documents:,} to {points[-1].documents:,}"
    elif caption == "Size":
        said = f"{size(points[0].bytes)} to {size(points[-1].bytes)}"
    else:
        said = f"{size(max(point.added_stored for point in points))} at most"
    days = f"{points[0].created:%d %b} to {points[-1].created:%d %b}"
    return h("span", f"{said}, {days}", class_="aside")


def _snapshots(request: PageRequest, path: IndexPath, listed: Sequence[Summary] | str, now: datetime) -> list[Child]:
    if isinstance(listed, str):
        return [h("p", "They can't be listed: ", commands(listed), class_="notice red")]
    if not listed:
        return [h("p", "There is none.", class_="nothing")]
    said = request.query.get("from", "0")
    begin = int(said) if said.isascii() and said.isdigit() and len(said) <= _MOST_DIGITS else 0
    begin = min(begin, max(len(listed) - 1, 0))
    shown = listed[begin : begin + _PAGE]
    links = request.links
    rows: list[list[Child]] = []
    for each in shown:
        unread = each.state in {"damaged", "missing"}
        rows.append(
            [
                h("a", each.id, href=links.page("snapshots", path.service, path.index, each.id), class_="name"),
                [state(each.state), None if each.is_trusted else h("span", "not authentic", class_="why")],
                [at(each.created), h("span", ago(each.created, now), class_="aside")],
                nothing() if unread else each.documents,
                nothing() if unread else size(each.bytes),
                nothing() if unread else size(each.stored),
                nothing() if unread else size(each.added_stored),
                h("span", each.run, class_="name") if each.run else nothing(),
            ]
        )
    older, newer = begin + _PAGE, max(0, begin - _PAGE)
    pages = [
        h("a", "Newer", href=links.page("indexes", path.service, path.index, **{"from": str(newer)}))
        if begin
        else None,
        h("span", f"{begin + 1:,} to {begin + len(shown):,} of {len(listed):,}"),
        h("a", "Older", href=links.page("indexes", path.service, path.index, **{"from": str(older)}))
        if older < len(listed)
        else None,
    ]
    return [
        table(f"Snapshots of {path.service}/{path.index}, the newest first", _COLUMNS, rows),
        h("nav", pages, aria_label="Older and newer snapshots", class_="pages") if len(listed) > _PAGE else None,
    ]
