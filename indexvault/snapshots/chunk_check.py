"""Check the documents of a chunk whose bytes are proved: that they are JSON, and that their keys are as listed."""

from collections.abc import Callable
from hashlib import sha256

from indexvault.snapshots.chunk_documents import keys_reader
from indexvault.snapshots.chunks import Chunk
from indexvault.snapshots.names import PackFolder

DIGESTS = 2**256
"""Sums of documents count modulo this: see `chunks.content_digest`."""


def document_check(folder: PackFolder, key_field: str, *, summed: bool) -> Callable[[Chunk, bytes], int]:
    """Return a function that checks the documents of a chunk. Use and errors as `keys_reader`.

    The function returns the sum of the SHA-256 of the documents if they are to be `summed`, which takes half of its
    time, and 0 otherwise.
    """
    keys_of = keys_reader(key_field, folder)

    def check(chunk: Chunk, data: bytes) -> int:
        keys_of(chunk, data)
        return sum_of_documents(data) if summed else 0

    return check


def sum_of_documents(data: bytes) -> int:
    """Return the sum of the SHA-256 of a chunk's documents: modulo DIGESTS it is their content digest."""
    total = start = 0
    while (end := data.find(b"\n", start)) >= 0:
        total += int.from_bytes(sha256(data[start:end]).digest())
        start = end + 1
    return total
