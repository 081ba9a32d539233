"""Compare definitions by what they say, without their names, their secrets and what a service sets itself.

An ETag can't do that: a service was seen to renew one by itself, and whether an identical update keeps it is not
documented.
"""

from typing import Any

import msgspec

from indexvault.search.secret_scan import WITHHELD, without_secrets

_FILLED_IN = frozenset({"similarity"})
"""Members of a definition that the service adds if they were not sent."""


def same_content(one: msgspec.Raw, other: msgspec.Raw) -> bool:
    """Return whether the JSON of two definitions has the same content; see `content`."""
    return content(one) == content(other)


def is_creation_of(present: msgspec.Raw, sent: msgspec.Raw) -> bool:
    """Return whether `present` is what the service may have made of the definition `sent`.

    The service switches on attributes of fields that were left to it, fills in parameters of vector search, and adds
    the similarity; it changes nothing that was sent. Source: Indexes - Create (REST API), 2026-09.
    """
    there, wanted = content(present), content(sent)
    if not there.keys() - wanted.keys() <= _FILLED_IN:
        return False
    return all(_holds(there.get(name), value, flags=name == "fields") for name, value in wanted.items())


def includes(present: msgspec.Raw, sent: msgspec.Raw) -> bool:
    """Return whether `present` has all that the definition `sent` has, perhaps with members that were filled in."""
    return _holds(content(present), content(sent), flags=False)


def _holds(there: Any, wanted: Any, *, flags: bool) -> bool:
    """Return whether a value is the wanted one, with members that were filled in: with `flags` only those that are set.

    Members that are false or empty are in neither. A secret that was sent can't be compared: the service hides it.
    """
    if wanted == WITHHELD:
        return True
    if isinstance(wanted, dict):
        if not isinstance(there, dict):
            return False
        added = there.keys() - wanted.keys()
        return not (flags and any(there[name] is not True for name in added)) and all(
            _holds(there.get(name), value, flags=flags) for name, value in wanted.items()
        )
    if isinstance(wanted, list):
        return (
            isinstance(there, list)
            and len(there) == len(wanted)
            and all(_holds(one, other, flags=flags) for one, other in zip(there, wanted, strict=True))
        )
    return bool(there == wanted) and isinstance(there, bool) == isinstance(wanted, bool)


def content(body: msgspec.Raw) -> dict[str, Any]:
    """Return a definition's members to compare by, without its name, its secrets and what the service adds.

    Members that are null, empty or false on any level are left out: a newer api-version shows unset members that an
    older one does not know with such values.
    """
    sent = msgspec.json.decode(without_secrets(body), type=dict[str, Any])
    members = {name: value for name, value in sent.items() if name != "name" and not name.startswith("@odata.")}
    settings: dict[str, Any] = _set_members(members)
    return settings


def _set_members(value: Any) -> Any:
    if isinstance(value, list):
        return [_set_members(item) for item in value]
    if not isinstance(value, dict):
        return value
    inner = {name: _set_members(item) for name, item in value.items() if not name.startswith("@odata.e")}
    return {name: item for name, item in inner.items() if item is not False and item not in (None, [], {})}
