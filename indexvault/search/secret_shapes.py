"""Texts that are secrets wherever they stand, known by their form: tokens, keys, connection strings, signatures.

Every expression is linear in the text: what repeats is bounded, or ends at the first character it can't take.
"""

import re
from collections.abc import Iterator
from urllib.parse import unquote, urlsplit

from indexvault.search.random_text import are_words, is_random

_ASSIGNED = re.compile(
    r"""
    (?<![a-z0-9])
    (?:(?:shared)?access(?:[ _-]?key|signature)|sharedaccesssignature|account[ _-]?key|shared[ _-]?secret
    |application[ _-]?secret|client[ _-]?secret|api[ _-]?key|password|passwd|pwd)
    ["']?\s{0,8}=\s{0,8}["']?[^;\s>"']
    """,
    re.VERBOSE | re.IGNORECASE,
)
"""Members of connection strings. `pwd => password` is a rule of a synonym map."""
_LABELLED = re.compile(
    r"(?:key|secret|token|password|pwd|signature|credential|code)[ _-]?[0-9]?"
    r"""["']?\s{0,4}(?:[:=]|\bis\b)\s{0,4}["']?"""
    r"(?P<value>[\w.~+/=-]{16,400})",
    re.IGNORECASE,
)
_KNOWN = re.compile(
    r"""
    (?<![A-Za-z0-9])(?:
      sk-(?:proj|ant|svcacct|or|live|test)[\w-]{16} | sk-[A-Za-z0-9]{20} | (?:sk|pk|rk)_(?:live|test)_[A-Za-z0-9]{16}
    | gh[pousr]_[A-Za-z0-9]{16} | github_pat_\w{16} | glpat-[\w-]{16} | xox[abeoprs]-[\w-]{10}
    | (?:AKIA|ASIA)[0-9A-Z]{16} | AIza[\w-]{30} | ya29\.[\w-]{16} | hf_[A-Za-z0-9]{20} | gsk_[A-Za-z0-9]{20}
    | npm_[A-Za-z0-9]{30} | pypi-[\w-]{30} | dapi[0-9a-f]{32} | shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}
    | dop_v1_[0-9a-f]{32} | SG\.[\w-]{16,24}\.[\w-]{16} | [A-Za-z0-9]{42}AzS[ec][A-Za-z0-9]{7}(?![A-Za-z0-9])
    )
    | -----BEGIN[A-Z ]{0,40}PRIVATE\ KEY
    | [A-Za-z0-9]Q~[\w.~-]{30}                         # secrets of Entra applications
    | (?:^|[?&;\s"'])sig=[\w%+/-]{16}                     # signatures of storage without an address
    | (?i:\bbearer\s{1,8}[\w.~+/-]{16})
    | (?i:\bbasic\s{1,8}[A-Za-z0-9+/]{16,400}=)
    """,
    re.VERBOSE,
)
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{32,}={0,2}")
_STORAGE_KEY = 86
_GUID = re.compile(r"(?<![0-9A-Za-z])[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}(?![0-9A-Za-z])")
_DOTTED = re.compile(r"[\w.-]{24,}")
_EMBEDDED = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,20}://[^\s<>]+")
_KEY_PARAMETERS = frozenset(
    {"accesstoken", "apikey", "clientsecret", "code", "key", "secret", "sig", "subscriptionkey", "token"}
)
_SHORTEST_CODE = 4
_SHORTEST = len("pwd=x")
_SHORTEST_PIECE = 24


def has_secret(text: str) -> bool:
    """Return whether a text holds something of a known form."""
    return len(text) >= _SHORTEST and (
        _KNOWN.search(text) is not None
        or _ASSIGNED.search(text) is not None
        or any(is_random(found["value"]) for found in _LABELLED.finditer(text))
        or any(map(_is_web_token, _DOTTED.findall(text)))
        or any(map(_is_key, _BASE64.findall(_GUID.sub(" ", text))))
        or any(map(_shows_secret, _EMBEDDED.findall(text)))
    )


def _is_web_token(text: str) -> bool:
    parts = text.split(".")
    return any(
        len(first.rpartition("eyJ")[2]) >= 10 and "eyJ" in first and len(second) >= 10 and len(third) >= 5  # noqa: PLR2004
        for first, second, third in zip(parts, parts[1:], parts[2:], strict=False)
    )


def _is_key(text: str) -> bool:
    """Return whether a run of base64 characters is a key: that of a storage account, or random for long."""
    if text.endswith("==") and len(text) >= _STORAGE_KEY + 2 and is_random(text[-_STORAGE_KEY - 2 :]):
        return True
    return any(
        len(piece) >= _SHORTEST_PIECE and is_random(piece) and piece != piece.lower() and piece != piece.upper()
        for piece in text.split("/")
    )


def _shows_secret(address: str) -> bool:
    """Return whether an address inside a text holds a password, or a parameter that is a key."""
    try:
        url = urlsplit(address)
        has_password = ":" in url.netloc.rpartition("@")[0]
    except ValueError:
        return False
    return has_password or any(
        (name in _KEY_PARAMETERS and len(value) >= _SHORTEST_CODE) or (is_random(value) and not are_words(value))
        for name, value in _parameters(url.query)
    )


def _parameters(query: str) -> Iterator[tuple[str, str]]:
    for part in query.replace(";", "&").split("&"):
        name, _, value = part.partition("=")
        yield re.sub("[^a-z0-9]", "", name.lower()), unquote(value)
