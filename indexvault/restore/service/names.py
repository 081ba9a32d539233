"""Rename objects for the target, and the references between them. Pure.

Synonym maps keep their names, which are part of an index's definition.
"""

import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import msgspec

from indexvault.errors import SettingsError

ORDER = (
    "synonymmaps", "indexes", "datasources", "skillsets", "indexers", "knowledgesources", "knowledgebases", "aliases",
)  # fmt: skip
"""The order in which objects are created: none before what it refers to. Source: service facts, 2026-09."""
_KEEP_NAMES = frozenset({"synonymmaps"})
_RULE = re.compile(r"(?P<from>[^=*]*\*?[^=*]*)=(?P<to>[^=*]*\*?[^=*]*)")
_LONGEST_RULE = 1000

_REFERENCES: dict[str, tuple[tuple[str, str], ...]] = {
    "indexers": (("dataSourceName", "datasources"), ("targetIndexName", "indexes"), ("skillsetName", "skillsets")),
    "skillsets": (("indexProjections.selectors[].targetIndexName", "indexes"),),
    "knowledgesources": (("searchIndexParameters.searchIndexName", "indexes"),),
    "knowledgebases": (("knowledgeSources[].name", "knowledgesources"),),
    "aliases": (("indexes[]", "indexes"),),
}
"""Where a definition names other objects, by kind: the path of the member, and the kind of what it names."""


class Rules:
    """The rules for names on the target. Raises SettingsError for a rule that can't be read."""

    def __init__(self, rules: Sequence[str]) -> None:
        self._rules = [_read(rule) for rule in rules]

    def name(self, kind: str, name: str) -> str:
        """Return an object's name on the target: by the first rule that matches, else its own."""
        if kind in _KEEP_NAMES:
            return name
        for expression, replacement in self._rules:
            found = expression.fullmatch(name)
            if found is not None:
                return replacement.replace("*", found.groups()[0] if found.groups() else "")
        return name


class Reference(msgspec.Struct, frozen=True):
    """A reference of one object to another, by the other's name on the target."""

    kind: str
    name: str


def renamed(kind: str, body: msgspec.Raw, rules: Rules, target: str) -> tuple[dict[str, Any], list[Reference]]:
    """Return a definition under its new name with its references renamed, and those references.

    Members that the service adds when it answers are left out.
    """
    members = {
        name: value for name, value in msgspec.json.decode(body, type=dict[str, Any]).items() if name[:6] != "@odata"
        or name == "@odata.type"
    }  # fmt: skip
    members["name"] = target
    found: list[Reference] = []
    for path, referred in _REFERENCES.get(kind, ()):
        _replace(members, path.split("."), partial(_noted, found, referred, rules))
    return members, found


def _noted(found: list[Reference], kind: str, rules: Rules, name: str) -> str:
    target = rules.name(kind, name)
    found.append(Reference(kind, target))
    return target


def _replace(value: Any, path: list[str], replacement: Callable[[str], str]) -> None:
    """Replace the texts at a path; `[]` after a member stands for every item of its list."""
    name, rest = path[0].removesuffix("[]"), path[1:]
    if not isinstance(value, dict) or value.get(name) is None:
        return
    inner = value[name]
    if path[0].endswith("[]"):
        if not isinstance(inner, list):
            return
        if rest:
            for item in inner:
                _replace(item, rest, replacement)
        else:
            value[name] = [replacement(item) for item in inner]
    elif rest:
        _replace(inner, rest, replacement)
    elif isinstance(inner, str):
        value[name] = replacement(inner)


def _read(rule: str) -> tuple[re.Pattern[str], str]:
    parts = _RULE.fullmatch(rule) if len(rule) <= _LONGEST_RULE else None
    if parts is None or not parts["from"] or not parts["to"] or ("*" in parts["to"] and "*" not in parts["from"]):
        raise SettingsError(
            "this is no rule for names",
            on=f"rename {rule!r}",
            do="Write it as '*=dr-*', 'hotels=inns' or 'old-*=new-*'",
        )
    expression = "(.*)".join(re.escape(part) for part in parts["from"].split("*"))
    return re.compile(expression), parts["to"]
