"""Check the documents of a chunk whose bytes are proved: that they are JSON, and that their keys are as listed."""

from collections.abc import Callable
from hashlib import sha256
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


def keys_reader(key_field: str) -> Callable[[bytes], list[str]]:
    """Return a function that reads the keys of all documents of a chunk at once, skipping everything else.

    The function raises what `errors.UNDECODABLE` lists for anything but documents with that key.
    """
    shape = msgspec.defstruct("Key", [("key", str)], rename={"key": key_field}, gc=False)
    decoder = msgspec.json.Decoder(list[shape])  # type: ignore[valid-type]  # the struct is made above

    def read(data: bytes) -> list[str]:
        if brackets(data) > MOST_LEVELS_READ:
            for line in document_lines(data):
                check_levels(line)
        found = decoder.decode(b"".join((b"[", data[:-1].replace(b"\n", b","), b"]")))
        return [each.key for each in found]  # type: ignore[attr-defined]  # the struct is made above

    return read


def document_check(folder: PackFolder, key_field: str, *, summed: bool) -> Callable[[Chunk, bytes], int]:
    """Return a function that checks the documents of a chunk; use it in a thread, with `try_chunks` for example.

    The function returns the sum of the SHA-256 of the documents if they are to be `summed`, which takes half of its
    time, and 0 otherwise. It raises IntegrityError naming the chunk's pack if a document is not JSON with a key, or the
    keys do not rise from the chunk's first to its last.
    """
    keys_of = keys_reader(key_field)

    def check(chunk: Chunk, data: bytes) -> int:
        try:
            keys = keys_of(data)
        except UNDECODABLE as error:
            what = f"a document is not JSON with a {key_field!r} in it: {error}"
            raise damaged_chunk(what, folder, chunk) from error
        if len(keys) != chunk.documents:
            raise damaged_chunk("a line is not one document", folder, chunk)
        if keys[0] != chunk.first or keys[-1] != chunk.last:
            raise damaged_chunk("the first and last keys of a chunk are not those that are listed", folder, chunk)
        if any(before >= after for before, after in pairwise(keys)):
            raise damaged_chunk("documents are not in key order, or a key is duplicated", folder, chunk)
        return sum_of_documents(data) if summed else 0

    return check


def sum_of_documents(data: bytes) -> int:
    """Return the sum of the SHA-256 of a chunk's documents: modulo DIGESTS it is their content digest."""
    total = start = 0
    while (end := data.find(b"\n", start)) >= 0:
        total += int.from_bytes(sha256(data[start:end]).digest())
        start = end + 1
    return total


async def check_chunk(blobs: SnapshotReader, folder: PackFolder, chunk: Chunk, key_field: str) -> Digest:
    """Read one chunk back, check it and its documents, and return their content digest.

    Raises NotFoundError and IntegrityError as `read_chunk` and `document_check` do. For many chunks, use
    `document_check` with `try_chunks`.
    """
    data = await read_chunk(blobs, folder, chunk)
    document_check(folder, key_field, summed=False)(chunk, data)
    return content_digest(document_lines(data))


def damaged_chunk(what: str, folder: PackFolder, chunk: Chunk) -> IntegrityError:
    """Return the error for a chunk whose documents are not what its tree says."""
    blob = folder.pack(chunk.pack)
    return IntegrityError(what, on=blob, do=repair_advice(blob))
