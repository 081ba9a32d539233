"""Secrets in definitions: never shown again; two special values keep or drop them when written back.

`<unchanged>` keeps the stored value and `<redacted>` removes it.
Source: REST reference of data sources, skills and vectorizers, 2026-09; of `storageConnectionString` and
`cognitiveServices.key` only the fact that they are not shown is documented, their form here is an assumption.
"""

from typing import Any

_SHOWN_AS: dict[str, str | None] = {
    "connectionString": None,
    "storageConnectionString": None,
    "applicationSecret": None,
    "apiKey": "<redacted>",
}
_UNCHANGED = "<unchanged>"
_REDACTED = "<redacted>"


def redacted(value: Any) -> Any:
    """Return a copy of a definition with its secrets replaced by what the service shows."""
    if isinstance(value, list):
        return [redacted(item) for item in value]
    if not isinstance(value, dict):
        return value
    shown = {name: _shown(name, item) for name, item in value.items()}
    if _holds_account_key(value) and value["key"] is not None:
        shown["key"] = _REDACTED
    return shown


def written(value: Any, stored: Any) -> Any:
    """Return a copy of a sent definition with the two special values replaced by what they mean.

    `stored` is the definition it replaces, or None.
    """
    if isinstance(value, list):
        return [written(item, _counterpart(at, item, stored)) for at, item in enumerate(value)]
    if not isinstance(value, dict):
        return value
    before = stored if isinstance(stored, dict) else {}
    return {name: _written(name, item, before.get(name), value) for name, item in value.items()}


def _shown(name: str, value: Any) -> Any:
    if name in _SHOWN_AS:
        return None if value is None else _SHOWN_AS[name]
    return redacted(value)


def _written(name: str, value: Any, before: Any, owner: dict[str, Any]) -> Any:
    if name not in _SHOWN_AS and not (name == "key" and _holds_account_key(owner)):
        return written(value, before)
    if value == _UNCHANGED:
        return before
    return None if value == _REDACTED else value


def _counterpart(at: int, item: Any, stored: Any) -> Any:
    """Return the list entry of the same name in the stored definition; entries without a name match by position."""
    if not isinstance(item, dict) or not isinstance(stored, list):
        return None
    name = item.get("name")
    candidates = stored[at : at + 1] if name is None else stored
    return next((one for one in candidates if isinstance(one, dict) and one.get("name") == name), None)


def _holds_account_key(owner: dict[str, Any]) -> bool:
    return "CognitiveServices" in str(owner.get("@odata.type")) and "key" in owner
