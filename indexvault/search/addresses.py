"""Addresses in definitions: whether one holds nothing but scheme, host and a path of words, and which host it means."""

import re
from urllib.parse import parse_qsl, unquote, urlsplit

from indexvault.search.random_text import are_words

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,20}://")
_HOST = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*|\[[0-9a-f:.]+\]")
_SEGMENT = re.compile(r"[\w.~()',:@$!*+ -]*")
_PLAIN_PARAMETERS = frozenset({"api-version", "apiversion", "version", "model-version", "modelversion", "language"})
_PLAIN_VALUE = re.compile(r"[\w.,-]{0,40}")
_DEFAULT_PORTS = {"https": 443, "http": 80}
LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})


def is_address(text: str) -> bool:
    """Return whether a text as a whole is an address with a scheme."""
    return _SCHEME.match(text.strip()) is not None and len(text.split()) == 1


def is_plain_address(text: str) -> bool:
    """Return whether an address has only a scheme, a host, a path of words, and parameters that name a version.

    An address without a scheme is read as one that begins with its host.
    """
    try:
        url = urlsplit(text if _SCHEME.match(text.strip()) else f"//{text.strip()}")
        parameters = parse_qsl(url.query, keep_blank_values=True, strict_parsing=bool(url.query))
    except ValueError:
        return False
    if "@" in url.netloc or url.fragment:
        return False
    return all(map(_is_plain_segment, url.path.split("/"))) and all(
        name.lower() in _PLAIN_PARAMETERS and _PLAIN_VALUE.fullmatch(value) and are_words(value)
        for name, value in parameters
    )


def host_of(address: str) -> str | None:
    """Return the host that an address means, in lower case, with its port if that is not the scheme's own.

    None if it is no address, or one that programs read in different ways: with a user, a backslash, a blank, a host
    outside ASCII. Plain http is for loopback only.
    """
    if not address.isascii() or not address.isprintable() or set(address) & set(' \\"<>^`{|}'):
        return None
    try:
        url = urlsplit(address)
        port = url.port
    except ValueError:
        return None
    if url.scheme not in _DEFAULT_PORTS or "@" in url.netloc:
        return None
    name = _name_of(url.netloc)
    if name is None or (url.scheme == "http" and name not in LOOPBACK):
        return None
    return name if port in {None, _DEFAULT_PORTS[url.scheme]} else f"{name}:{port}"


def host_named(text: str) -> str | None:
    """Return a host as `host_of` returns it, from a setting such as `contoso.openai.azure.com`; None if it is none."""
    name = _name_of(text)
    if name is None or set(text) & set("/?#"):
        return None
    return host_of(f"{'http' if name in LOOPBACK else 'https'}://{text}")


def _name_of(netloc: str) -> str | None:
    name = netloc.lower()
    name = name[: name.find("]") + 1] if name.startswith("[") else name.partition(":")[0].removesuffix(".")
    return name if _HOST.fullmatch(name) else None


def _is_plain_segment(segment: str) -> bool:
    text = unquote(segment)
    return _SEGMENT.fullmatch(text) is not None and are_words(text)
