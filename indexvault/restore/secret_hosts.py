"""Check that each secret of an overlay goes to the host that the overlay names, and nowhere else.

A snapshot or a patch may be a stranger's, and says in a definition where a secret beside it is sent. So the hosts are
looked up in the definition as it would be sent. Whatever can be read in two ways counts as another host.
"""

import json
from collections.abc import Iterator
from itertools import zip_longest
from typing import Any

import msgspec

from indexvault.search.addresses import host_of, is_address
from indexvault.search.secret_hosts import UNREADABLE, hosts_named_by
from indexvault.search.secret_names import is_for_address, plain
from indexvault.search.secret_scan import REDACTED, WITHHELD
from indexvault.settings.overlays import OverlayEntry, OverlaySecret

_NOWHERE = "no address at all"
_NO_DESTINATIONS = frozenset({"authresourceid", "description", "entitiesdefinitionuri"})
"""Members that may hold an address to which no secret is sent. Source: Custom Web API skill, `authResourceId`, and
Custom Entity Lookup skill, 2026-09."""
_OF_SERVICE = "#Microsoft.Azure.Search.CognitiveServicesByKey"
"""The type of an account whose address the service knows by itself."""


class _DuplicateMemberError(ValueError):
    """An object has a member twice: programs differ in which of them counts."""


def misdirected(definition: msgspec.Raw, entry: OverlayEntry) -> list[str]:
    """Return in words which secrets would go to another host than their own, and where.

    `definition` has the overlay's marks in place of its secrets.
    """
    if not entry.secrets:
        return []
    try:
        members = json.loads(bytes(definition), object_pairs_hook=_members)
    except _DuplicateMemberError as error:
        return [f"the definition has two members {error}, so nothing tells which counts"]
    return [
        f"{'.'.join(path)} is for {secret.host or 'the service itself'}, and would go to {host}"
        for path, secret, around in _placed(members, entry, (), ())
        for host in _other_hosts(path, secret, around, entry)
    ]


type _Enclosing = tuple[Any, ...]


def _placed(
    value: Any, entry: OverlayEntry, path: tuple[str, ...], around: _Enclosing
) -> Iterator[tuple[tuple[str, ...], OverlaySecret, _Enclosing]]:
    """Yield each secret with its path and the objects around it, from the inside out, up to an entry of a list."""
    match value:
        case dict():
            for name, inner in value.items():
                yield from _placed(inner, entry, (*path, name), (value, *around))
        case list():
            for position, inner in enumerate(value):
                yield from _placed(inner, entry, (*path, str(position)), ())
        case str() if value in entry.secrets:
            yield path, entry.secrets[value], around


def _other_hosts(path: tuple[str, ...], secret: OverlaySecret, around: _Enclosing, entry: OverlayEntry) -> list[str]:
    own = hosts_named_by(secret.value)
    if own:
        return [_shown(hosts) for hosts in own if secret.host not in hosts]
    if plain(path[-1]).endswith("connectionstring"):
        return [_NOWHERE]
    if secret.host is None:
        is_service_s = bool(around) and around[0].get("@odata.type") == _OF_SERVICE
        hosts = list(_hosts_below(around[0], entry)) if around else []
        return hosts if is_service_s else hosts or [_NOWHERE]
    # The members' own names, from the inside out: that of the innermost object first.
    for name, enclosing in zip_longest(reversed(path[:-1]), around):
        if enclosing is None:
            break
        if _is_of_values(name or ""):
            continue
        if any(_hosts_below(enclosing, entry, values_too=False)):
            return sorted({host for host in _hosts_below(enclosing, entry) if host != secret.host})
    return [_NOWHERE]


def _is_of_values(name: str) -> bool:
    """Return whether an object holds values to send, of which none is where they go: headers, credentials."""
    return plain(name).endswith(("headers", "credentials")) or plain(name) in {"extraparameters", "configuration"}


def _hosts_below(
    value: Any, entry: OverlayEntry, path: tuple[str, ...] = (), *, values_too: bool = True
) -> Iterator[str]:
    match value:
        case dict():
            for name, inner in value.items():
                is_left_out = plain(name) in _NO_DESTINATIONS or (_is_of_values(name) and not values_too)
                if not is_left_out and not name.startswith("@odata."):
                    yield from _hosts_below(inner, entry, (*path, name), values_too=values_too)
        case list():
            for inner in value:
                yield from _hosts_below(inner, entry, path, values_too=values_too)
        case str() if value in entry.secrets:
            yield from map(_shown, hosts_named_by(entry.secrets[value].value))
        case str() if value in {REDACTED, WITHHELD}:
            if is_for_address(path):
                yield "an address that the snapshot does not hold"
        case str() if value and (is_for_address(path) or is_address(value)):
            yield host_of(value) or UNREADABLE


def _shown(hosts: frozenset[str]) -> str:
    return min(hosts)


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise _DuplicateMemberError(name)
        found[name] = value
    return found
