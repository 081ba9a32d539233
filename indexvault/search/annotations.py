"""Take annotations out of documents: members such as `@search.score`, which belong to a request and not to a document.

A document that is sent with an `@search.action` of its own would choose what the service does with it, since the
last member of a name counts. No field's name holds an `@`. Only members of the document itself are looked at: inside a
complex field the service knows no actions. Source: Documents - Index (REST API) and Naming rules, 2026-09.
"""

import re

import msgspec

_MAY_BE_NAME = re.compile(rb'"(?:@|\\u0040)')
"""How the name of an annotation can begin: JSON has two spellings of `@`, raw and escaped."""


def without_annotations(document: bytes) -> bytes:
    """Return a document without its annotations, else the same bytes.

    Raises what msgspec raises (`errors.UNDECODABLE`) if a document that may have annotations is no JSON object.
    """
    # Single bytes are found ten times as fast as an expression, and most documents have neither of these.
    if (b"@" not in document and b"\\" not in document) or _MAY_BE_NAME.search(document) is None:
        return document
    members = msgspec.json.decode(document, type=dict[str, msgspec.Raw])
    if not any(name.startswith("@") for name in members):
        return document
    kept = (
        msgspec.json.encode(name) + b":" + bytes(value) for name, value in members.items() if not name.startswith("@")
    )
    return b"{" + b",".join(kept) + b"}"
