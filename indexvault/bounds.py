"""Bounds on what comes from outside: how deep JSON may nest, and how many bytes a body may have.

Everything that others wrote is decoded by `decode`, or by a decoder of its own after `check_levels`. Every body that a
server sends, compressed or not, is read by `BoundedBody`.
"""

import itertools
from typing import Any, overload

import msgspec
from isal import isal_zlib

MEBIBYTE = 1024 * 1024

MOST_LEVELS_READ = 128
"""Levels of arrays and objects in whatever is decoded. A definition has 64 at most, and what wraps it has fewer."""

MOST_NESTED = 1_000_000
"""Arrays and objects in what is decoded: an empty one has 2 bytes as JSON and 64 in memory."""

ANSWER_LIMIT = 64 * MEBIBYTE
"""Decoded bytes of an answer of a search service or a deployment. A page is asked for with 2 MiB in mind."""

DEFINITION_LIMIT = 16 * MEBIBYTE
"""Bytes of a definition. A request has 16 MiB at most. Source: Service limits (Azure AI Search), 2026-09."""

DOCUMENT_LIMIT = 32 * MEBIBYTE
"""Bytes of one document. A request has 16 MiB at most, and a service may escape in its answer what came as UTF-8.
Source: as for DEFINITION_LIMIT."""

_WINDOW = MEBIBYTE
_FEW = 8
_OTHER_BYTES = bytes(set(range(256)) - set(b"[]{}"))
_TO_BRACES = bytes.maketrans(b"[]", b"{}")
_OPEN, _CLOSE = b"{", b"}"
_WINDOW_BITS = {"gzip": 31, "x-gzip": 31, "deflate": 15}


class OversizedBodyError(Exception):
    """A body has more bytes, as sent or decoded, than are read. The text says how many that is."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"it sent more than the {limit / MEBIBYTE:g} MiB that are read")
        self.limit = limit


class BrokenBodyError(Exception):
    """A body's encoding is unknown, broken, or broke off."""


def check_levels(data: bytes | str | msgspec.Raw, most: int = MOST_LEVELS_READ) -> None:
    """Raise msgspec.DecodeError if JSON nests deeper than `most` levels. It need not be valid JSON.

    Takes constant memory beside the data, no recursion, and almost no time where the data has few brackets.
    """
    text = data.encode() if isinstance(data, str) else bytes(data)
    if (most >= 2 * _FEW and _has_few_brackets(text)) or brackets(text) <= most:
        return
    level, in_string, is_escaped = 0, False, False
    for at in range(0, len(text), _WINDOW):
        window = text[at : at + _WINDOW]
        if b"\\" in window or is_escaped:
            window, is_escaped = _without_escapes(window, is_escaped=is_escaped)
        pieces = window.split(b'"')
        outside = b"".join(pieces[in_string::2]).translate(None, _OTHER_BYTES).translate(_TO_BRACES)
        in_string ^= len(pieces) % 2 == 0
        # Without its innermost pairs it nests one level less.
        if level + outside.replace(_OPEN + _CLOSE, b"").count(_OPEN) + 1 > most:
            steps = (1 if byte == _OPEN[0] else -1 for byte in outside)
            if any(reached > most for reached in itertools.accumulate(steps, initial=level)):
                raise msgspec.DecodeError(f"it nests deeper than {most} levels")
        level += outside.count(_OPEN) - outside.count(_CLOSE)


@overload
def decode(data: bytes | str | msgspec.Raw) -> Any: ...
@overload
def decode[Kind](data: bytes | str | msgspec.Raw, kind: type[Kind]) -> Kind: ...
def decode(data: bytes | str | msgspec.Raw, kind: Any = Any) -> Any:
    """Decode JSON of at most MOST_LEVELS_READ levels and MOST_NESTED arrays and objects.

    Raises what `errors.UNDECODABLE` lists.
    """
    text = data.encode() if isinstance(data, str) else bytes(data)
    if brackets(text) > MOST_NESTED:
        raise msgspec.DecodeError(f"it has more than {MOST_NESTED:,} arrays and objects")
    check_levels(text)
    return msgspec.json.decode(text, type=kind)


def brackets(text: bytes) -> int:
    """Return how many arrays and objects JSON has at most: those that look so within strings are counted too."""
    return occurrences(text, b"{") + occurrences(text, b"[")


def occurrences(data: bytes, byte: bytes) -> int:
    """Return how often a byte occurs. Where it is rare, that takes a quarter of the time of `bytes.count`."""
    return len(data) - len(data.replace(byte, b""))


def _has_few_brackets(text: bytes) -> bool:
    """Return whether JSON has at most _FEW of each bracket that opens. Finding a few is faster than counting all."""
    for bracket in (b"[", b"{"):
        at = text.find(bracket)
        for _ in range(_FEW):
            if at < 0:
                break
            at = text.find(bracket, at + 1)
        if at >= 0:
            return False
    return True


class BoundedBody:
    """Collects and decodes a body as it arrives, and stops at `limit` bytes, counted as sent and as decoded.

    `encoding` is the Content-Encoding header: none, `identity`, `gzip` or `deflate`. Every method raises
    OversizedBodyError and BrokenBodyError.
    """

    def __init__(self, encoding: str | None, limit: int) -> None:
        self._encoding = (encoding or "identity").strip().lower()
        self._limit = limit
        self._parts: list[bytes] = []
        self._sent = self._size = 0
        self._is_begun = False
        if self._encoding != "identity" and self._encoding not in _WINDOW_BITS:
            raise BrokenBodyError("it is encoded in a way that was not asked for")
        self._inflate = self._new_inflate()

    def add(self, part: bytes) -> None:
        """Take the next bytes as they were sent."""
        self._sent += len(part)
        if self._sent > self._limit:
            raise OversizedBodyError(self._limit)
        if self._encoding == "identity":
            self._keep(part)
            return
        self._is_begun = self._is_begun or bool(part)
        while part:
            if self._inflate.eof:
                self._inflate = self._new_inflate()
            try:
                self._keep(self._inflate.decompress(part, self._limit - self._size + 1))
            except isal_zlib.error as error:  # type: ignore[misc]  # the stub declares the class as an instance
                raise BrokenBodyError("it can't be decompressed") from error
            part = self._inflate.unused_data if self._inflate.eof else self._inflate.unconsumed_tail

    def whole(self) -> bytes:
        """Return the decoded body, once all of it has been added."""
        if self._is_begun and not self._inflate.eof:
            raise BrokenBodyError("its compressed body broke off")
        return self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)

    def _keep(self, part: bytes) -> None:
        self._size += len(part)
        if self._size > self._limit:
            raise OversizedBodyError(self._limit)
        if part:
            self._parts.append(part)

    def _new_inflate(self) -> Any:
        return isal_zlib.decompressobj(_WINDOW_BITS.get(self._encoding, 31))


def _without_escapes(window: bytes, *, is_escaped: bool) -> tuple[bytes, bool]:
    """Remove backslashes with the byte that each escapes. Return whether the byte after the window is escaped.

    A backslash stands in strings alone, so that what it escapes is never a bracket outside of them.
    """
    if is_escaped:
        window = window[1:]
    pairs = window.replace(b"\\\\", b"")
    # Pairs of backslashes are gone, so that any other escapes what follows.
    return pairs.replace(b'\\"', b"").removesuffix(b"\\"), pairs.endswith(b"\\")
