"""A chunk is split into documents with their keys, and only if they are those that the tree lists."""

import hashlib

import pytest

from indexvault.errors import IntegrityError
from indexvault.snapshots.chunk_documents import document_reader
from indexvault.snapshots.chunks import Chunk
from indexvault.snapshots.names import PackFolder

FOLDER = PackFolder(service="contoso-east", index="hotels")
SPLIT = document_reader("id", FOLDER)


def chunk_of(data: bytes, first: str, last: str) -> Chunk:
    sha256 = hashlib.sha256(data).hexdigest()
    return Chunk(sha256, first, last, data.count(b"\n"), len(data), "a" * 64, 0, 100)


def test_documents_come_with_their_keys_byte_for_byte() -> None:
    data = b'{"n":1.50,"id":"a"}\n{ "id" : "\\u0062", "n":{"id":"x"}}\n'
    assert SPLIT(chunk_of(data, "a", "b"), data) == [
        ("a", b'{"n":1.50,"id":"a"}'),
        ("b", b'{ "id" : "\\u0062", "n":{"id":"x"}}'),
    ]


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b'{"id":"a"}\n{"n":1}\n', "no|not JSON"),
        (b'{"id":"a"}\n{"id":"b"},{"@search.action":"delete","id":"c"}\n', "not JSON"),
        (b'{"id":"a"}\n["b"]\n', "not JSON"),
        (b'{"id":"a"}\n\n{"id":"b"}\n', "one document"),
        (b'{"id":"a"}\n{"id":"c"}\n', "first and last keys"),
        (b'{"id":"a"}\n{"id":"a"}\n{"id":"b"}\n', "key order"),
        (b'{"id":"a"}\n{"id":"b","n":' + b"[" * 200 + b"]" * 200 + b"}\n", "deeper"),
    ],
)
def test_a_chunk_that_no_backup_made_is_refused(data: bytes, what: str) -> None:
    with pytest.raises(IntegrityError, match=what) as raised:
        SPLIT(chunk_of(data, "a", "b"), data)
    assert raised.value.on == FOLDER.pack("a" * 64)
