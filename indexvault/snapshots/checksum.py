"""JSON objects whose last member is a checksum of all bytes before it.

The last 79 bytes of such an object are always `,"checksum":"<64 hex digits>"}`, the SHA-256 of every byte before them.
"""

import hashlib

TRAILER = b',"checksum":"%s"}'
TRAILER_LENGTH = len(TRAILER % (b"0" * 64))


def with_checksum(body: bytes) -> bytes:
    """Return a JSON object, which must have members, with its checksum as the last one."""
    body = body.removesuffix(b"}")
    return body + _trailer(body)


def has_checksum(data: bytes) -> bool:
    """Return whether an object's checksum is right."""
    return data[-TRAILER_LENGTH:] == _trailer(data[:-TRAILER_LENGTH])


def _trailer(body: bytes) -> bytes:
    return TRAILER % hashlib.sha256(body).hexdigest().encode()
