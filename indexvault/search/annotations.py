"""Take annotations out of documents: members such as `@search.score`, which belong to a request and not to a document.

A document that is sent with an `@search.action` of its own would choose what the service does with it, since the
last member of a name counts. No field's name holds an `@`. Only members of the document itself are looked at: inside a
complex field the service knows no actions. Source: Documents - Index (REST API) and Naming rules, 2026-09.
"""

import re

import msgspec

_ESCAPED = re.compile(rb"\\u0040")
_SPARSE = 256
"""Bytes to an escape on average above which the escapes are looked at one by one: an expression looks at each byte."""


def has_escaped_mark(text: bytes) -> bool:
    """Return whether JSON spells an `@` as an escape somewhere: a document, or a page of them."""
    at = text.find(b"\\")
    for _ in range(len(text) // _SPARSE):
        if at < 0:
            return False
        if text[at + 1 : at + 2] == b"u" and text.startswith(b"0040", at + 2):
            return True
        at = text.find(b"\\", at + 1)
    return at >= 0 and _ESCAPED.search(text, at) is not None


def may_have_annotations(text: bytes) -> bool:
    """Return whether a document, or one of several, may have annotations: a string in it begins with an `@`."""
    return _has_raw_mark(text) or has_escaped_mark(text)


def without_annotations(document: bytes) -> bytes:
    """Return a document without its annotations, else the same bytes.

    Raises what msgspec raises (`errors.UNDECODABLE`) if a document that may have annotations is no JSON object.
    """
    return _decoded(document) if may_have_annotations(document) else document


def without_raw_annotations(document: bytes) -> bytes:
    """Return as `without_annotations` a document for which `has_escaped_mark` is false, or was for its page."""
    return _decoded(document) if _has_raw_mark(document) else document


def _has_raw_mark(document: bytes) -> bool:
    """Return whether a string begins with `@`. A single byte is found ten times as fast as two."""
    return b"@" in document and b'"@' in document


def _decoded(document: bytes) -> bytes:
    members = msgspec.json.decode(document, type=dict[str, msgspec.Raw])
    if not any(name.startswith("@") for name in members):
        return document
    kept = (
        msgspec.json.encode(name) + b":" + bytes(value) for name, value in members.items() if not name.startswith("@")
    )
    return b"{" + b",".join(kept) + b"}"
