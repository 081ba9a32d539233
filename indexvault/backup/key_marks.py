"""Remember keys in eight bytes each: enough to tell which keys a partition had when it was read before.

Two of ten million keys share a mark with a probability of one in 400,000.
"""

import hashlib
from array import array
from collections.abc import Iterable

_BYTES = 8


def mark_of(key: str) -> int:
    """Return a key's mark."""
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=_BYTES).digest())


def pack(marks: Iterable[int]) -> bytes:
    """Return marks as bytes, sorted."""
    return array("Q", sorted(marks)).tobytes()


def unpack(data: bytes) -> array[int]:
    """Return the sorted marks that `pack` wrote."""
    marks: array[int] = array("Q")
    marks.frombytes(data)
    return marks
