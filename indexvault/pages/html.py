"""HTML as a tree of elements whose texts are escaped by construction.

Whatever an index, a store or a person can write becomes text: it is escaped, and characters that could turn the reading
direction or control something become visible ones. Nothing takes markup as a string, so there is no way to forget it.
"""

import re
from collections.abc import Iterable
from html import escape
from typing import Final

from indexvault.printable import printable

type Child = "Element | str | int | Iterable[Child] | None"

_VOID: Final = frozenset({"br", "hr", "input", "link", "meta"})
"""Elements that have no content, and no end."""
_ADDRESSES: Final = frozenset({"href", "src", "action"})
_ADDRESS: Final = re.compile(r"(?:/(?!/)|#|\?)[^\x00-\x20\"'<>\\]*", re.ASCII)
_NAME: Final = re.compile(r"[a-z][a-zA-Z0-9-]*")


class Element:
    """An element, or some of them, as HTML text."""

    __slots__ = ("html",)

    def __init__(self, html: str) -> None:
        self.html = html


def h(tag: str, *children: Child, **attributes: str | int | bool | None) -> Element:
    """Return an element with its children.

    The names of attributes lose a final underscore, and the others become dashes. False and None leave an attribute
    out, True gives it no value. Raises ValueError for what a page must never hold: scripts and styles in attributes,
    and addresses of elsewhere.
    """
    begin = f"<{tag}{''.join(_attribute(name, value) for name, value in attributes.items())}>"
    if tag in _VOID:
        return Element(begin)
    return Element(f"{begin}{render(children)}</{tag}>")


def render(child: Child) -> str:
    """Return a child as HTML text."""
    if child is None:
        return ""
    if isinstance(child, Element):
        return child.html
    if isinstance(child, str):
        return text(child)
    if isinstance(child, int):
        return f"{child:,}"
    return "".join(map(render, child))


def text(value: str) -> str:
    """Return a text, escaped, for content and for attributes in double quotes."""
    return escape(printable(value), quote=True)


def _attribute(name: str, value: str | int | bool | None) -> str:  # noqa: FBT001 - a value, not a switch
    if value is None or value is False:
        return ""
    said = name.rstrip("_").replace("_", "-")
    if not _NAME.fullmatch(said) or said.startswith("on") or said == "style":
        raise ValueError(f"{said!r} is no attribute for a page")
    if value is True:
        return f" {said}"
    if said in _ADDRESSES and not _ADDRESS.fullmatch(str(value)):
        raise ValueError(f"{said} leads elsewhere")
    return f' {said}="{text(str(value))}"'
