"""Whether a definition holds anything that looks like a secret.

The service hides the secrets it knows of: connection strings read as null, keys as `<redacted>`. It can't know of those
that people write where none belongs, such as a function's key in a skill's address or a token in a header.
"""

import re
from typing import Any

import msgspec

_SECRET_NAMES = frozenset(
    {
        "accesskey", "accesstoken", "accountkey", "apikey", "applicationsecret", "authorization", "clientsecret",
        "connectionstring", "key", "ocp-apim-subscription-key", "password", "pwd", "sastoken", "secret",
        "sharedaccesskey", "subscriptionkey", "token", "x-api-key", "api-key", "x-functions-key",
    }
)  # fmt: skip
_PLACEHOLDERS = frozenset({"", "<redacted>", "<unchanged>"})
_IDENTITY = re.compile(r"\s*ResourceId=[^;]*;?\s*(?:[A-Za-z]+=[^;]*;?\s*)?", re.IGNORECASE)
"""A connection string that names a resource, to be reached with a managed identity, has no secret in it."""
_SECRET_VALUES = re.compile(
    r"""
    (?:accountkey|sharedaccesskey|sharedaccesssignature|password|pwd)\s*=\s*[^;\s]   # in connection strings
    | [?&](?:code|sig|key|api-?key|token|subscription-key)=[^&\s]{8,}                # in addresses
    | \beyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]{5,}                                         # JSON web tokens
    | -----BEGIN[A-Z ]*PRIVATE\ KEY
    | \b[A-Za-z0-9+/]{86}==(?![A-Za-z0-9+/=])                                        # keys of storage accounts
    | \b[A-Za-z0-9]{42}AzS[ec][A-Za-z0-9]{7}\b                                       # keys of search services
    | \bBearer\s+[\w.~+/-]{16,}
    """,
    re.VERBOSE | re.IGNORECASE,
)


def find_secret(definition: bytes | msgspec.Raw) -> str | None:
    """Give the path of the first member that looks like a secret, such as `skills/0/uri`; never its value."""
    return _find(msgspec.json.decode(definition), "")


def _find(value: Any, path: str) -> str | None:
    match value:
        case dict():
            parts = ((str(name), inner) for name, inner in value.items())
        case list():
            parts = ((str(position), inner) for position, inner in enumerate(value))
        case str() if _is_secret(path.rpartition("/")[2], value):
            return path
        case _:
            return None
    for name, inner in parts:
        found = _find(inner, f"{path}/{name}" if path else name)
        if found is not None:
            return found
    return None


def _is_secret(name: str, value: str) -> bool:
    if value in _PLACEHOLDERS:
        return False
    if _SECRET_VALUES.search(value):
        return True
    if name.lower() == "connectionstring" and _IDENTITY.fullmatch(value):
        return False
    return name.lower() in _SECRET_NAMES
