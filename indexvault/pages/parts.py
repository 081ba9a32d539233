"""Parts that pages are made of: levels with their words, tables, lists of facts."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from indexvault.pages.html import Child, Element, h
from indexvault.status.health import Health, Level, Reason

LEVEL_WORDS: dict[Level, str] = {"green": "ok", "amber": "attention", "red": "failing", "grey": "not expected"}
type Look = Level | Literal["busy"]
"""A level, or `busy`: at work, which says nothing about how good it is."""

_SHAPES: dict[Look, tuple[str, str]] = {
    "green": ("M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1Z", "m4.8 8.2 2.2 2.3 4.2-4.7"),
    "amber": ("M8 1.2 15.4 14.6H.6Z", "M8 6v4M8 12v.6"),
    "red": ("M5 1h6l4 4v6l-4 4H5l-4-4V5Z", "m5.5 5.5 5 5m0-5-5 5"),
    "grey": ("M8 1.6a6.4 6.4 0 1 0 0 12.8A6.4 6.4 0 0 0 8 1.6Z", "M5.2 8h5.6"),
    "busy": ("M8 1.6a6.4 6.4 0 1 0 0 12.8A6.4 6.4 0 0 0 8 1.6Z", "m6.6 5.4 4 2.6-4 2.6Z"),
}
"""An outline and a sign for each level, so that nobody needs to see the colour."""

_STATES: dict[str, Look] = {
    "done": "green",
    "complete": "green",
    "ok": "green",
    "presumed": "green",
    "lossy": "amber",
    "unsettled": "amber",
    "gone": "grey",
    "warning": "amber",
    "failed": "red",
    "damaged": "red",
    "missing": "red",
    "cancelled": "amber",
    "waiting": "busy",
    "running": "busy",
}


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table. `number` aligns it to the right."""

    heading: str
    number: bool = False


def sign(level: Look) -> Element:
    """Return the sign of a level; the words beside it say the same."""
    outline, inner = _SHAPES[level]
    return h(
        "svg",
        h("path", d=outline, class_="outline"),
        h("path", d=inner, class_="inner"),
        class_=f"sign {level}",
        viewBox="0 0 16 16",
        width=16,
        height=16,
        aria_hidden="true",
        focusable="false",
    )


def badge(level: Look, words: str | None = None) -> Element:
    """Return a level with its sign and its words."""
    return h(
        "span", sign(level), words or ("at work" if level == "busy" else LEVEL_WORDS[level]), class_=f"badge {level}"
    )


def state(said: str) -> Element:
    """Return the state of a run, a snapshot or a check as a badge."""
    return badge(_STATES.get(said, "grey"), said)


def reasons(health: Health, but: Iterable[str] = ()) -> Element | None:
    """Return what is wrong as a list, with what to do about it; None if nothing is."""
    left = set(but)
    bad = [reason for reason in health.reasons if reason.level in {"amber", "red"} and reason.kind not in left]
    return h("ul", [h("li", reason_line(each)) for each in bad], class_="reasons") if bad else None


def reason_line(reason: Reason) -> list[Child]:
    """Return one reason: its sign, what is so, and what to do."""
    level = h("span", f"{LEVEL_WORDS[reason.level]}: ", class_="unseen")
    do: list[Child] = [" ", h("span", commands(f"{reason.do}."), class_="do")] if reason.do else []
    return [sign(reason.level), h("span", level, f"{_capital(reason.what)}.", do, class_="what")]


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]


def commands(words: str) -> list[Child]:
    """Return a text in which what stands between backquotes is a command."""
    return [h("code", part) if at % 2 else part for at, part in enumerate(words.split("`"))]


def table(
    caption: str, columns: Sequence[Column], rows: Iterable[Sequence[Child]], *, name: str = "", class_: str = ""
) -> Element:
    """Return a table, the first cell of each row its heading. On a phone each row becomes a card.

    Roles are given although they are those of the elements: with another `display` browsers would drop them.
    """
    head = [
        h("th", column.heading, scope="col", role="columnheader", class_="number" if column.number else None)
        for column in columns
    ]
    body = [h("tr", _cells(columns, row), role="row") for row in rows]
    return h(
        "div",
        h(
            "table",
            h("caption", caption),
            h("thead", h("tr", head, role="row"), role="rowgroup"),
            h("tbody", body, role="rowgroup"),
            role="table",
            class_=f"cards {class_}".rstrip(),
        ),
        class_="scrolls",
        id=name or None,
    )


def _cells(columns: Sequence[Column], row: Sequence[Child]) -> Iterable[Element]:
    for at, (column, cell) in enumerate(zip(columns, row, strict=True)):
        kind = "number" if column.number else None
        if at == 0:
            yield h("th", cell, scope="row", role="rowheader", class_=kind)
        else:
            yield h("td", cell, role="cell", class_=kind, data_label=column.heading)


def facts(pairs: Iterable[tuple[str, Child]]) -> Element:
    """Return a list of names and values; what has no value is left out."""
    rows = [h("div", h("dt", name), h("dd", value)) for name, value in pairs if value is not None]
    return h("dl", rows, class_="facts")


def section(heading: str, *content: Child, name: str, live: bool = False, beside: Child = None) -> Element:
    """Return a section under a heading. A live one is replaced when the page is read again."""
    title = h("h2", heading, id=f"{name}-heading")
    return h(
        "section",
        h("div", title, beside, class_="headline") if beside is not None else title,
        content,
        aria_labelledby=f"{name}-heading",
        id=name,
        data_live=live,
    )


def unseen(words: str) -> Element:
    """Return words for those who hear the page."""
    return h("span", words, class_="unseen")


def nothing() -> Element:
    """Return a dash where there is nothing to tell."""
    return h("span", h("span", "\u2014", aria_hidden="true"), unseen("none"), class_="none")
