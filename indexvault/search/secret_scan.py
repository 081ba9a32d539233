"""Find what looks like a secret in a definition, and take it out.

The service hides the secrets it knows of: connection strings read as null, keys as `<redacted>`. It can't know those
that people put elsewhere, such as a function's key in the URL of a skill or vectorizer, or a token in a header. These
are taken out here, so that no snapshot and no record of a run holds one.

Where a secret can be expected, what may stay is listed, and all else goes: of an address scheme, host and a path of
words; of headers and parameters the documented ones. Text is searched for what is known by its form.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from indexvault.search.addresses import is_address, is_plain_address
from indexvault.search.random_text import are_words
from indexvault.search.secret_names import (
    NAMES_OF_NAMES,
    Path,
    holds_only_secret,
    is_for_address,
    is_header,
    is_in_headers,
    is_listed_name,
    is_listed_value,
    is_open_header,
    is_parameter,
    is_text,
    plain,
)
from indexvault.search.secret_shapes import has_secret

REDACTED = "<redacted>"
"""What the service shows in place of a secret it knows of."""
WITHHELD = "<withheld>"
"""What indexvault puts in place of a value that looks like a secret."""

SECRET_MEMBERS = frozenset(
    {"connectionString", "apiKey", "key", "applicationSecret", "storageConnectionString", "password"}
)
"""Members of definitions that hold nothing but a secret, as the service spells them. Source: REST reference of data
sources, skillsets and indexes, 2026-09."""
SHOWN_AS_NULL = frozenset({"connectionString", "applicationSecret"})
"""Those of SECRET_MEMBERS that the service shows as null; it shows `<redacted>` for the others."""
_PLACEHOLDERS = frozenset({"", REDACTED, "<unchanged>", WITHHELD})
_OF_IDENTITIES = frozenset(
    {
        "apikind", "applicationid", "connectiontimeout", "database", "federatedcredentialobjectid", "identityauthtype",
        "initialcatalog", "tenantid",
    }
)  # fmt: skip
_NAMES_ADDRESS = frozenset({"sharepointonlineendpoint", "workspaceendpoint"})
_NAMES_RESOURCE = _NAMES_ADDRESS | {"resourceid"}
"""Members of connection strings for a managed identity, which hold no secret. Source: Connect to data sources using a
managed identity, 2026-09."""
_LONGEST_WORD = 40


def without_secrets(definition: msgspec.Raw) -> msgspec.Raw:
    """Return a definition with `<withheld>` for each value that looks like a secret, else the same bytes."""
    found = frozenset(_secrets((), _decoded(definition)))
    return _stripped(definition, (), found, _parents(found)) if found else definition


def withheld_members(definition: msgspec.Raw) -> list[str]:
    """Return the paths, such as `skills/0/uri`, of the members whose values have been taken out."""
    return ["/".join(path) for path, value in _values((), msgspec.json.decode(definition)) if value == WITHHELD]


def holds_secret(definition: bytes | msgspec.Raw) -> bool:
    """Return whether any value looks like a secret."""
    return next(_secrets((), _decoded(definition)), None) is not None


def secret_members(value: Any) -> list[str]:
    """Return the paths of the members of decoded JSON that look like secrets."""
    return ["/".join(path) for path in _secrets((), value)]


def is_for_secrets(path: str) -> bool:
    """Return whether a member is meant to hold secrets: a key, a header, a parameter, a URL.

    What was taken out anywhere else, such as a description or an analyzer's rule, was content.
    """
    parts = tuple(path.split("/"))
    if is_in_headers(parts) or is_parameter(parts):
        return True
    return not is_text(parts) and (holds_only_secret(parts) or is_for_address(parts))


def names_resource(text: str) -> bool:
    """Return whether a connection string names a resource, for a managed identity, and nothing that could be a key."""
    members = [part.partition("=") for part in text.split(";") if part.strip()]
    names = {plain(name) for name, _, _value in members}
    return (
        bool(names & _NAMES_RESOURCE)
        and names <= _NAMES_RESOURCE | _OF_IDENTITIES
        and all(is_plain_address(value) for name, _, value in members if plain(name) in _NAMES_ADDRESS)
    )


def _stripped(
    raw: msgspec.Raw, path: tuple[str, ...], found: frozenset[tuple[str, ...]], above: frozenset[tuple[str, ...]]
) -> msgspec.Raw:
    """Copy the parts that hold a secret; keep all others byte for byte."""
    if path in found:
        return msgspec.Raw(msgspec.json.encode(WITHHELD))
    if path not in above:
        return raw
    if bytes(raw).lstrip().startswith(b"{"):
        members = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
        kept = {name: _stripped(member, (*path, name), found, above) for name, member in members.items()}
        return msgspec.Raw(msgspec.json.encode(kept))
    if not bytes(raw).lstrip().startswith(b"["):
        return raw  # the last of two members of one name, the first of which held the secret and is not copied
    items = msgspec.json.decode(raw, type=list[msgspec.Raw])
    return msgspec.Raw(
        msgspec.json.encode([_stripped(item, (*path, str(at)), found, above) for at, item in enumerate(items)])
    )


def _parents(paths: frozenset[tuple[str, ...]]) -> frozenset[tuple[str, ...]]:
    return frozenset(path[:end] for path in paths for end in range(len(path)))


class _Members:
    """The members of an object, each of those included that have one name: only the last is in a dict."""

    def __init__(self, members: Iterable[tuple[str, Any]]) -> None:
        self.all = list(members)


def _decoded(definition: bytes | msgspec.Raw) -> object:
    """Decode a definition. Raises what msgspec raises, whose idea of JSON is the narrower one."""
    msgspec.json.decode(definition)
    return json.loads(bytes(definition), object_pairs_hook=_Members, parse_int=float, parse_float=float)


def _secrets(path: tuple[str, ...], value: object) -> Iterator[tuple[str, ...]]:
    match value:
        case dict():
            yield from _secrets(path, _Members(value.items()))
        case _Members():
            if any(has_secret(str(name)) for name, _inner in value.all):
                yield path
                return
            is_open = _is_open_entry(value)
            for name, inner in value.all:
                below = (*path, str(name))
                if not (is_open and is_listed_value(below) and not (isinstance(inner, str) and has_secret(inner))):
                    yield from _secrets(below, inner)
        case list():
            for position, inner in enumerate(value):
                yield from _secrets((*path, str(position)), inner)
        case str() if value not in _PLACEHOLDERS and _is_secret(path, value):
            yield path
        case int() | float() if not isinstance(value, bool) and _is_secret_number(path):
            yield path


def _is_open_entry(entry: _Members) -> bool:
    """Return whether an entry of a list of headers is one that holds no credential."""
    names = [value for name, value in entry.all if plain(str(name)) in NAMES_OF_NAMES]
    return len(names) == 1 and is_open_header(str(names[0]))


def _values(path: tuple[str, ...], value: object) -> Iterator[tuple[tuple[str, ...], object]]:
    yield path, value
    match value:
        case dict():
            for name, inner in value.items():
                yield from _values((*path, str(name)), inner)
        case list():
            for position, inner in enumerate(value):
                yield from _values((*path, str(position)), inner)


def _is_secret_number(path: Path) -> bool:
    # The weights of a scoring profile are by the names of fields, which may be any.
    return is_header(path) or (holds_only_secret(path) and path[-2:-1] != ("weights",))


def _is_secret(path: Path, value: str) -> bool:
    if has_secret(value):
        return True
    if is_header(path):
        name, _, rest = value.partition(":")
        is_open_line = path[-1].isdigit() and bool(rest) and is_open_header(name)
        return not (is_open_line or is_listed_name(path))
    if is_parameter(path):
        return not (value.isalpha() and len(value) <= _LONGEST_WORD and are_words(value))
    if is_text(path) or (path and path[-1].startswith("@odata.")):
        return False
    if holds_only_secret(path):
        return not (plain(path[-1]).endswith("connectionstring") and names_resource(value))
    return (is_address(value) or is_for_address(path)) and not is_plain_address(value)
