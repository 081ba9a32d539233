"""Read the documents of a chunk with their keys, all at once."""

from collections.abc import Callable
from itertools import islice
from operator import lt
from typing import Any

import msgspec

from indexvault.bounds import MOST_LEVELS_READ, brackets, check_levels
from indexvault.errors import UNDECODABLE, IntegrityError
from indexvault.snapshots.chunks import Chunk, document_lines
from indexvault.snapshots.names import PackFolder, repair_advice

type KeyedLine = tuple[str, bytes]
"""A document's key and its bytes."""

type ReadKeys = Callable[[Chunk, bytes], list[str]]
"""Returns the keys of a chunk's documents, whose uncompressed bytes are given, in order."""

type ReadDocuments = Callable[[Chunk, bytes], list[KeyedLine]]
"""Returns the documents of a chunk, whose uncompressed bytes are given, in order."""


def keys_reader(key_field: str, folder: PackFolder) -> ReadKeys:
    """Return a function that reads the keys of a chunk's documents, skipping everything else in them.

    Use a thread, with about a megabyte of chunks at once: `try_chunks` does. The function raises IntegrityError, naming
    the pack, unless the keys are those that the tree lists, in key order: then the chunk was not made by a backup.
    """
    decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(
        msgspec.defstruct("Key", [("key", str)], rename={"key": key_field}, gc=False)
    )

    def read(chunk: Chunk, data: bytes) -> list[str]:
        try:
            if brackets(data) > MOST_LEVELS_READ:
                for line in document_lines(data):
                    check_levels(line)
            keys: list[str] = [each.key for each in decoder.decode_lines(data)]
        except UNDECODABLE as error:
            raise _damaged(f"a document is not JSON with a {key_field!r} in it: {error}", chunk, folder) from error
        if len(keys) != chunk.documents or not keys:
            raise _damaged("a line of a chunk is not one document", chunk, folder)
        if (keys[0], keys[-1]) != (chunk.first, chunk.last):
            raise _damaged("the first and last keys of a chunk are not those that are listed", chunk, folder)
        if not all(map(lt, keys, islice(keys, 1, None))):
            raise _damaged("the documents of a chunk are not in key order, or a key is duplicated", chunk, folder)
        return keys

    return read


def document_reader(key_field: str, folder: PackFolder) -> ReadDocuments:
    """Return a function that splits a chunk into its documents, each with its key. Use and errors as `keys_reader`."""
    keys_of = keys_reader(key_field, folder)

    def read(chunk: Chunk, data: bytes) -> list[KeyedLine]:
        return list(zip(keys_of(chunk, data), document_lines(data), strict=True))

    return read


def _damaged(what: str, chunk: Chunk, folder: PackFolder) -> IntegrityError:
    name = folder.pack(chunk.pack)
    return IntegrityError(what, on=name, do=repair_advice(name))
