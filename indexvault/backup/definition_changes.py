"""Whether a change of an index's definition can have changed the documents that are read of it. Pure.

A snapshot has one definition, and its documents must agree with it. Much of a definition is about searching alone and
may change at any time: scoring profiles, suggesters, semantic configurations, synonyms, CORS, descriptions.
"""

from typing import Any

import msgspec

from indexvault.snapshots.manifest import Definition, VersionedDefinition

_SEARCHED_BY = frozenset({"synonymMaps", "searchAnalyzer", "description"})
"""Members of a field that decide how it is searched. All others decide what documents hold, or can't be changed."""
_DOCUMENTS_DEPEND_ON = ("fields", "permissionFilterOption", "purviewEnabled")
_FIXED = ("similarity", "encryptionKey")
"""Set when an index is made, and never after. Source: Update Index, REST reference, 2026-09."""


def concerns_searching_alone(before: Definition, after: Definition) -> bool:
    """Return whether a definition was changed, and in nothing that the documents depend on.

    Fields must be the same, with their names, types, order and all that decides whether they are returned; and nothing
    may differ that is fixed when an index is made, since that would be another index. Where nothing at all differs,
    though the ETag does, nobody knows what was changed and changed back, such as a field hidden for a while: False.
    """
    one, other = (msgspec.json.decode(each.body, type=dict[str, Any]) for each in _comparable(before, after))
    return _decisive(one) == _decisive(other) and _content(one) != _content(other)


def _comparable(one: Definition, other: Definition) -> tuple[VersionedDefinition, VersionedDefinition]:
    """Return both in the api-version that tells most, of those that both have."""
    if one.preview is not None and other.preview is not None:
        return one.preview, other.preview
    return one.stable, other.stable


def _content(members: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if _said(value) and not name.startswith("@odata.")}


def _decisive(members: dict[str, Any]) -> dict[str, Any]:
    found = {name: _said(members.get(name)) for name in (*_DOCUMENTS_DEPEND_ON, *_FIXED)}
    found["fields"] = _fields(members.get("fields"))
    return found


def _fields(fields: Any) -> Any:
    if not isinstance(fields, list):
        return None
    return [
        {
            name: _fields(value) if name == "fields" else value
            for name, value in field.items()
            if name not in _SEARCHED_BY
        }
        for field in fields
    ]


def _said(value: Any) -> Any:
    """Return a value, or None for one that says nothing."""
    return value or None
