"""Compare definitions by what they say, without their names, their secrets and what a service sets itself.

An ETag can't do that: a service was seen to renew one by itself, and whether an identical update keeps it is not
documented.
"""

import hashlib
from typing import Any

import msgspec

from indexvault.search.secret_scan import WITHHELD, without_secrets

_FILLED_IN = frozenset({"similarity"})
"""Members of a definition that the service adds if they were not sent."""


def content_digest(body: msgspec.Raw) -> str:
    """Return a hash that two definitions share if they have the same content; see `content`."""
    return hashlib.sha256(msgspec.json.encode(content(body), order="sorted")).hexdigest()


def same_content(one: msgspec.Raw, other: msgspec.Raw) -> bool:
    """Return whether the JSON of two definitions has the same content; see `content`."""
    return content(one) == content(other)


def is_creation_of(present: msgspec.Raw, sent: msgspec.Raw) -> bool:
    """Return whether `present` is what the service may have made of the definition `sent`.

    The service switches on attributes of fields that were left to it, fills in parameters of vector search, and adds
    the similarity; it changes nothing that was sent. Source: Indexes - Create (REST API), 2026-09.
    """
    there, wanted = content(present), _comparable(sent)
    if not there.keys() - wanted.keys() <= _FILLED_IN:
        return False
    return all(_holds(there.get(name), value, flags=name == "fields") for name, value in wanted.items())


def includes(present: msgspec.Raw, sent: msgspec.Raw) -> bool:
    """Return whether `present` has all that the definition `sent` has, perhaps with members that were filled in."""
    return _holds(content(present), _comparable(sent), flags=False)


def _comparable(sent: msgspec.Raw) -> dict[str, Any]:
    """Return the content of a definition that was sent, without its secrets: the service hides those it was given."""
    settings: dict[str, Any] = _set_members(content(sent), leaving_out=(WITHHELD,))
    return settings


def _holds(there: Any, wanted: Any, *, flags: bool) -> bool:
    """Return whether a value is the wanted one, with members that were filled in: with `flags` only those that are set.

    Members that are false or empty are in neither.
    """
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


def _set_members(value: Any, leaving_out: tuple[str, ...] = ()) -> Any:
    if isinstance(value, list):
        return [_set_members(item, leaving_out) for item in value]
    if not isinstance(value, dict):
        return value
    inner = {name: _set_members(item, leaving_out) for name, item in value.items() if not name.startswith("@odata.e")}
    unset: tuple[object, ...] = (None, [], {}, *leaving_out)
    return {name: item for name, item in inner.items() if item is not False and item not in unset}
