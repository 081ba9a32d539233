"""Check the documents of a chunk whose bytes are proved: that they are JSON, and that their keys are as listed."""

import hashlib
from collections.abc import Callable
from itertools import pairwise

import msgspec

from indexvault.bounds import MOST_LEVELS_READ, brackets, check_levels
from indexvault.errors import UNDECODABLE, IntegrityError
from indexvault.snapshots.chunks import Chunk, Digest, content_digest, document_lines
from indexvault.snapshots.names import PackFolder, repair_advice
from indexvault.snapshots.reader import read_chunk
from indexvault.snapshots.store import SnapshotReader

DIGESTS = 2**256
"""Sums of documents count modulo this: see `content_digest`."""


def document_check(folder: PackFolder, key_field: str, *, summed: bool) -> Callable[[Chunk, bytes], int]:
    """Return a function that checks the documents of a chunk; use it in a thread, with `try_chunks` for example.

    The function returns the sum of the SHA-256 of the documents if they are to be `summed`, which takes half of its
    time, and 0 otherwise. It raises IntegrityError naming the chunk's pack if a document is not JSON with a key, or the
    keys do not rise from the chunk's first to its last.
    """
    shape = msgspec.defstruct("Key", [("key", str)], rename={"key": key_field})
    decoder = msgspec.json.Decoder(list[shape])  # type: ignore[valid-type]  # the struct is made above

    def check(chunk: Chunk, data: bytes) -> int:
        lines = document_lines(data) if summed else []
        try:
            _check_levels(data)
            found = decoder.decode(b"".join((b"[", data[:-1].replace(b"\n", b","), b"]")))
        except UNDECODABLE as error:
            raise _not_as_named(f"a document is not JSON with a {key_field!r} in it: {error}", folder, chunk) from error
        keys: list[str] = [each.key for each in found]  # type: ignore[attr-defined]  # the struct is made above
        if len(keys) != chunk.documents:
            raise _not_as_named("a line is not one document", folder, chunk)
        if keys[0] != chunk.first or keys[-1] != chunk.last:
            raise _not_as_named("the first and last keys of a chunk are not those that are listed", folder, chunk)
        if any(before >= after for before, after in pairwise(keys)):
            raise _not_as_named("documents are not in key order, or a key is duplicated", folder, chunk)
        return sum(int.from_bytes(hashlib.sha256(line).digest()) for line in lines)

    return check


async def check_chunk(blobs: SnapshotReader, folder: PackFolder, chunk: Chunk, key_field: str) -> Digest:
    """Read one chunk back, check it and its documents, and return their content digest.

    Raises NotFoundError and IntegrityError as `read_chunk` and `document_check` do. For many chunks, use
    `document_check` with `try_chunks`.
    """
    data = await read_chunk(blobs, folder, chunk)
    document_check(folder, key_field, summed=False)(chunk, data)
    return content_digest(document_lines(data))


def _check_levels(data: bytes) -> None:
    """Raise msgspec.DecodeError if a document nests too deep."""
    if brackets(data) <= MOST_LEVELS_READ:
        return
    for line in document_lines(data):
        check_levels(line)


def _not_as_named(what: str, folder: PackFolder, chunk: Chunk) -> IntegrityError:
    blob = folder.pack(chunk.pack)
    return IntegrityError(what, on=blob, do=repair_advice(blob))
