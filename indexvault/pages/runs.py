"""The list of runs, and the page of one run, which follows it and can cancel it."""

import msgspec

from indexvault.api.decode import decode_members
from indexvault.api.endpoint import Nothing
from indexvault.api.run_views import IndexView, RunList, RunView
from indexvault.api.runs import RunPath, RunsQuery, cancel_run, list_runs, show_run
from indexvault.errors import NotFoundError, RequestError
from indexvault.pages.form import read_form
from indexvault.pages.html import Child, Element, h
from indexvault.pages.parts import Column, facts, nothing, section, state, table
from indexvault.pages.request import Page, PageRequest, Redirect
from indexvault.pages.run_parts import bar
from indexvault.pages.words import ago, at, left, size
from indexvault.printable import count
from indexvault.status.health import in_words

_PURPOSE = "cancel"
_REFRESH_SECONDS = 2
_LISTED = 100
_MOST_ROWS = 1000
_FINISHED = frozenset({"done", "lossy", "unsettled", "failed", "cancelled"})


class CancelForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the form sends that cancels a run."""

    token: str


async def runs_page(request: PageRequest) -> Page:
    """Return the newest runs of all stores."""
    reply = await list_runs(request.call(None, RunsQuery(limit=_LISTED), Nothing()))
    found: RunList = reply.content
    now, links = request.resources.clock(), request.links
    columns = (Column("Run"), Column("State"), Column("What"), Column("Created"), Column("Ended"))
    rows: list[list[Child]] = [
        [
            h("a", run.run, href=links.page("runs", run.run), class_="name"),
            [state(run.state), h("span", run.failure, class_="why") if run.failure else None],
            [run.asked, h("span", f"by {run.started_by}", class_="aside")],
            ago(run.created, now),
            ago(run.finished, now) if run.finished is not None else nothing(),
        ]
        for run in found.runs
    ]
    unread = [
        h("p", f"Store {each.store} could not be listed: {each.error.what}.", class_="notice red")
        for each in found.unread
    ]
    return Page(
        title="Runs",
        here="runs",
        refresh=15,
        content=h(
            "div",
            h("h1", "Runs"),
            unread,
            h(
                "div",
                table("The newest runs", columns, rows, class_="runs-table")
                if rows
                else h("p", "There are no runs.", class_="nothing"),
                id="runs",
                data_live=True,
            ),
        ),
    )


async def run_page(request: PageRequest, run: str) -> Page:
    """Return the page of a run. Raises NotFoundError if there is none."""
    view = await _view(request, run)
    links, now = request.links, request.resources.clock()
    is_finished = view.state in _FINISHED
    return Page(
        title=f"{view.state} · {view.run}",
        refresh=None if is_finished else _REFRESH_SECONDS,
        trail=(("Status", links.home()), ("Runs", links.page("runs"))),
        content=h(
            "div",
            h("div", h("h1", f"{view.kind.capitalize()} ", h("span", view.run, class_="name")), class_="headline"),
            h(
                "div",
                h("p", state(view.state), " ", _figures(view), role="status", class_="figures"),
                None if is_finished else _bar(view),
                facts(
                    [
                        ("Asked for", view.asked),
                        ("Started by", view.started_by),
                        ("Created", [at(view.created), " ", ago(view.created, now)]),
                        ("Ended", [at(view.finished), f", after {_took(view)}"] if view.finished is not None else None),
                        ("Failure", h("span", view.failure, class_="why") if view.failure else None),
                        ("Notes", h("ul", [h("li", note) for note in view.notes]) if view.notes else None),
                    ]
                ),
                id="state",
                data_live=True,
            ),
            None if is_finished else _cancel_form(request, view),
            section("Indexes", _indexes(request, view), name="indexes", live=True),
        ),
    )


async def cancel_page(request: PageRequest, run: str) -> Redirect:
    """Cancel a run, and go back to it."""
    view = await _view(request, run)
    form = decode_members(read_form(request), CancelForm, "form")
    request.tokens.require(form.token, _PURPOSE, view.run.encode(), request.resources.clock())
    await cancel_run(request.call(None, Nothing(), RunPath(view.run)))
    return Redirect(request.links.page("runs", view.run))


async def _view(request: PageRequest, run: str) -> RunView:
    try:
        path = decode_members({"run": run}, RunPath, "path")
    except RequestError:
        raise NotFoundError("no run has such a name", on="this address", do="Start from the list of runs") from None
    reply = await show_run(request.call(None, Nothing(), path))
    view: RunView = reply.content
    return view


def _figures(view: RunView) -> str:
    words = [f"{view.documents:,} documents", size(view.bytes)]
    if view.rate is not None:
        words.append(f"{view.rate:,.0f} documents a second")
    if view.seconds_left is not None:
        words.append(left(view.seconds_left))
    return ", ".join(words)


def _bar(view: RunView) -> Element:
    at_work = [index for index in view.indexes if index.state == "running"]
    expected = [index.expected for index in at_work if index.expected is not None]
    if at_work and len(expected) == len(at_work):
        return bar(sum(index.documents or 0 for index in at_work), sum(expected), view.run)
    ended = sum(index.state not in {"waiting", "running"} for index in view.indexes)
    return bar(ended or None, len(view.indexes), view.run)


def _took(view: RunView) -> str:
    assert view.finished is not None  # noqa: S101 - asked for ended runs only
    return in_words(view.finished - (view.started or view.created))


def _cancel_form(request: PageRequest, view: RunView) -> Element:
    token = request.tokens.make(_PURPOSE, view.run.encode(), request.resources.clock())
    return h(
        "details",
        h("summary", "Cancel this run"),
        h(
            "form",
            h("p", "It loses its locks and can't commit any more; what has finished stays."),
            h("input", type="hidden", name="token", value=token),
            h("button", "Cancel it now", type="submit", class_="button strong"),
            method="post",
            action=request.links.page("runs", view.run, "cancel"),
        ),
        id="cancel",
    )


def _indexes(request: PageRequest, view: RunView) -> Element:
    if not view.indexes:
        return h("p", "They are being chosen.", class_="nothing")
    columns = (
        Column("Index"),
        Column("State"),
        Column("Progress"),
        Column("Documents", number=True),
        Column("Size", number=True),
        Column("Came of it"),
    )
    shown = view.indexes[:_MOST_ROWS]
    rest = len(view.indexes) - len(shown)
    caption = count(len(view.indexes), "index") + (f", of which {rest:,} are not shown" if rest else "")
    return table(caption, columns, [_row(request, index) for index in shown])


def _row(request: PageRequest, index: IndexView) -> list[Child]:
    name = f"{index.service}/{index.index}"
    words = [index.stage] if index.stage else []
    if index.rate is not None:
        words.append(f"{index.rate:,.0f} a second")
    if index.seconds_left is not None:
        words.append(left(index.seconds_left))
    is_running = index.state == "running"
    return [
        h("a", name, href=request.links.page("indexes", index.service, index.index)),
        state(index.state),
        [bar(index.documents, index.expected, name), h("span", ", ".join(words), class_="aside")]
        if is_running
        else nothing(),
        nothing() if index.documents is None else _of(index),
        nothing() if index.bytes is None else size(index.bytes),
        _outcome(request, index),
    ]


def _of(index: IndexView) -> str:
    of = f" of {index.expected:,}" if index.expected is not None and index.state == "running" else ""
    return f"{index.documents or 0:,}{of}"


def _outcome(request: PageRequest, index: IndexView) -> list[Child]:
    said: list[Child] = []
    if index.snapshot is not None:
        address = request.links.page("snapshots", index.service, index.index, index.snapshot)
        said.append(h("a", index.snapshot, href=address, class_="name"))
    said += [h("span", index.failure, class_="why")] if index.failure else []
    said += [h("span", f"not in it: {loss}", class_="why") for loss in index.losses[:_MOST_ROWS]]
    said += [h("span", note, class_="aside") for note in index.notes[:_MOST_ROWS]]
    if index.report:
        text = msgspec.json.format(msgspec.json.encode(index.report), indent=2).decode()[:100_000]
        said.append(
            h(
                "details",
                h("summary", "Report", h("span", f" of {index.index}", class_="unseen")),
                h("pre", h("code", text), tabindex="0", role="region", aria_label=f"Report of {index.index}"),
                id=f"report-{index.service}-{index.index}",
            )
        )
    return said or [nothing()]
