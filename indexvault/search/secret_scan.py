"""Find what looks like a secret in a definition, and take it out.

The service hides the secrets it knows of: connection strings read as null, keys as `<redacted>`. It can't know those
that people put elsewhere, such as a function's key in the URL of a skill or vectorizer, or a token in a header. These
are taken out here, so that no snapshot and no record of a run holds one.
"""

import re
from collections.abc import Iterator

import msgspec

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
# Wider than SECRET_MEMBERS, and in any case: people put secrets where the service knows of none. An overlay is checked
# for SECRET_MEMBERS only, since it may have to set any other member to a plain value.
_SECRET_NAMES = frozenset(name.lower() for name in SECRET_MEMBERS) | {
    "accesskey", "accesstoken", "accountkey", "api-key", "authorization", "clientsecret", "ocp-apim-subscription-key",
    "pwd", "sastoken", "secret", "sharedaccesskey", "subscriptionkey", "token", "x-api-key", "x-functions-key",
}  # fmt: skip
_HEADERS = frozenset({"httpheaders", "headers"})
_OPEN_HEADERS = frozenset(
    {"accept", "accept-charset", "accept-language", "content-language", "content-type", "user-agent"}
)
"""Headers that hold no credentials. The value of any other header counts as a secret."""
_ADDRESSES = ("uri", "url", "endpoint")
_PLACEHOLDERS = frozenset({"", REDACTED, "<unchanged>", WITHHELD})
_IDENTITY = re.compile(r"\s*ResourceId=[^;]*(?:;\s*(?:[A-Za-z]+=[^;]*(?:;\s*)?)?)?", re.IGNORECASE)
"""A connection string that names a resource, for a managed identity, holds no secret."""
_SECRET_VALUES = re.compile(
    r"""
    (?:accountkey|sharedaccesskey|sharedaccesssignature|password|pwd)\s*=\s*[^;\s]   # in connection strings
    | [?&](?:code|sig|key|api-?key|(?:access_)?token|(?:client_?)?secret|subscription-key)=[^&\s]{8,}  # in URLs
    | ://[^/\s:@]+:[^/\s@]+@                                                         # a password in a URL
    | (?<![\w-])eyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]{5,}                                 # JSON web tokens
    | (?<=-)eyJ[\w-]{10,400}\.[\w-]{10,}\.[\w-]{5,}    # the same after a dash; the bound keeps the time linear
    | -----BEGIN[A-Z ]*PRIVATE\ KEY
    | \b[A-Za-z0-9+/]{86}==(?![A-Za-z0-9+/=])                                        # keys of storage accounts
    | \b[A-Za-z0-9]{42}AzS[ec][A-Za-z0-9]{7}\b                                       # keys of search services
    | \bBearer\s+[\w.~+/-]{16,}
    """,
    re.VERBOSE | re.IGNORECASE,
)


def without_secrets(definition: msgspec.Raw) -> msgspec.Raw:
    """Return a definition with `<withheld>` for each value that looks like a secret, else the same bytes."""
    return _stripped(definition, (), msgspec.json.decode(definition))


def withheld_members(definition: msgspec.Raw) -> list[str]:
    """Return the paths, such as `skills/0/uri`, of the members whose values have been taken out."""
    return ["/".join(path) for path, value in _texts((), msgspec.json.decode(definition)) if value == WITHHELD]


def holds_secret(definition: bytes | msgspec.Raw) -> bool:
    """Return whether any value looks like a secret."""
    return any(_is_secret(path, value) for path, value in _texts((), msgspec.json.decode(definition)))


def is_for_secrets(path: str) -> bool:
    """Return whether a member is meant to hold secrets: a key, a header, a URL.

    What was taken out anywhere else, such as a description or an analyzer's rule, was content.
    """
    parts = tuple(path.lower().split("/"))
    return _is_credential(parts) or parts[-1].endswith(_ADDRESSES)


def _stripped(raw: msgspec.Raw, path: tuple[str, ...], value: object) -> msgspec.Raw:
    """Copy the parts that hold a secret; keep all others byte for byte."""
    if not any(_is_secret(inner, text) for inner, text in _texts(path, value)):
        return raw
    if isinstance(value, dict):
        members = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
        kept = {name: _stripped(member, (*path, name), value[name]) for name, member in members.items()}
        return msgspec.Raw(msgspec.json.encode(kept))
    if isinstance(value, list):
        items = msgspec.json.decode(raw, type=list[msgspec.Raw])
        return msgspec.Raw(
            msgspec.json.encode([_stripped(item, (*path, str(at)), value[at]) for at, item in enumerate(items)])
        )
    return msgspec.Raw(msgspec.json.encode(WITHHELD))


def _texts(path: tuple[str, ...], value: object) -> Iterator[tuple[tuple[str, ...], str]]:
    match value:
        case dict():
            for name, inner in value.items():
                yield from _texts((*path, str(name)), inner)
        case list():
            for position, inner in enumerate(value):
                yield from _texts((*path, str(position)), inner)
        case str():
            yield path, value


def _is_secret(path: tuple[str, ...], value: str) -> bool:
    if value in _PLACEHOLDERS:
        return False
    if _SECRET_VALUES.search(value):
        return True
    lowered = tuple(part.lower() for part in path)
    if lowered[-1:] == ("connectionstring",) and _IDENTITY.fullmatch(value):
        return False
    return _is_credential(lowered)


def _is_credential(path: tuple[str, ...]) -> bool:
    """Return whether a member, by its path in lower case, holds only a secret."""
    if path[-1:] and path[-1] in _SECRET_NAMES:
        return True
    return len(path) > 1 and path[-2] in _HEADERS and path[-1] not in _OPEN_HEADERS
