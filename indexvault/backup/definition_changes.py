"""Decide whether a change of an index's definition can have changed the documents read from it.

A snapshot has one definition, and its documents must agree with it. Much of a definition only concerns searching and
may change at any time: scoring profiles, suggesters, semantic configurations, synonyms, CORS, descriptions.
"""

from typing import Any

import msgspec

from indexvault.snapshots.manifest import Definition, VersionedDefinition

_SEARCHED_BY = frozenset({"synonymMaps", "searchAnalyzer", "description"})
"""Members of a field that only concern searching. All others affect its documents or can't be changed."""
_DOCUMENTS_DEPEND_ON = ("fields", "permissionFilterOption", "purviewEnabled")
_FIXED = ("similarity", "encryptionKey")
"""Set when an index is created and fixed from then on. Source: Update Index, REST reference, 2026-09."""


def same_definition(one: Definition, other: Definition) -> bool:
    """Return whether two definitions say the same in all api-versions, apart from the order of members and ETags."""
    return [_said(each) for each in one.versions] == [_said(each) for each in other.versions]


def _said(version: VersionedDefinition) -> tuple[str, dict[str, Any]]:
    members = msgspec.json.decode(version.body, type=dict[str, Any])
    return version.api_version, {name: value for name, value in members.items() if not name.startswith("@odata.")}


def concerns_only_searching(before: Definition, after: Definition) -> bool:
    """Return whether a definition was changed, but in nothing that its documents depend on.

    Fields must be the same in name, type, order and everything that decides whether they are returned. Nothing that is
    fixed when an index is created may differ: that would be another index. If nothing differs at all, return False: the
    ETag shows a change that was reverted, such as a field hidden for a while.
    """
    one, other = (msgspec.json.decode(each.body, type=dict[str, Any]) for each in before.comparable(after))
    return _relevant(one) == _relevant(other) and _content(one) != _content(other)


def _content(members: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if _value_of(value) and not name.startswith("@odata.")}


def _relevant(members: dict[str, Any]) -> dict[str, Any]:
    found = {name: _value_of(members.get(name)) for name in (*_DOCUMENTS_DEPEND_ON, *_FIXED)}
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


def _value_of(value: Any) -> Any:
    """Return a value, or None if it is empty, which means the same."""
    return value or None
