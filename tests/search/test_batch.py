import json
from collections.abc import Callable

import pytest

from indexvault.errors import IntegrityError
from indexvault.search.batch import UPLOAD, batch, upload_action, uploads
from indexvault.search.page import PageReader, document_line

FAR = '"text":"' + "x" * 300 + '",'
HOSTILE = [
    '{"id":"k","@search.action":"delete"}',
    '{"id":"k",' + FAR + '"@search.action":"delete"}',
    '{"@search.score":1.0,"id":"k",' + FAR + '"@search.action":"delete"}',
    '{"id":"k",' + FAR + r'"@se\u0061rch.action":"delete"}',
    '{"id":"k",' + FAR + r'"\u0040search.action":"delete"}',
    '{"id":"k",' + FAR + r'"\u0040\u0073earch.action" : "delete"}',
    '{"id":"k",' + FAR + '"@search.action":"merge","@search.action":"delete"}',
    '{"id":"k",' + FAR + '"@SEARCH.ACTION":"delete"}',
    '{"id":"k",' + FAR + '"@odata.type":"#x"}',
]


def as_action(line: bytes) -> list[tuple[str, object]]:
    found: list[tuple[str, object]] = json.loads(upload_action(line), object_pairs_hook=list)
    return found


def as_read(line: bytes) -> list[tuple[str, object]]:
    found: list[tuple[str, object]] = json.loads(document_line(line), object_pairs_hook=list)
    return found


def as_paged(line: bytes) -> list[tuple[str, object]]:
    [document] = PageReader("id").read(b'{"value":[' + line + b"]}", on="x").documents
    found: list[tuple[str, object]] = json.loads(document.line, object_pairs_hook=list)
    return found


@pytest.mark.parametrize("line", HOSTILE)
@pytest.mark.parametrize("read", [as_read, as_paged])
def test_a_document_is_read_without_annotations_wherever_they_stand(
    read: Callable[[bytes], list[tuple[str, object]]], line: str
) -> None:
    assert [name for name, _value in read(line.encode()) if name.startswith("@")] == []


@pytest.mark.parametrize("line", HOSTILE)
def test_a_stored_document_can_not_choose_its_action(line: str) -> None:
    members = as_action(line.encode())
    assert [(name, value) for name, value in members if name.startswith("@")] == [("@search.action", "upload")]
    assert ("id", "k") in members


@pytest.mark.parametrize(
    "line",
    [
        b'{"id":"k","handle":"@contoso","mail":"a@b","n":1.50}',
        b'{"id":"k","text":"\\"@search.action\\":\\"delete\\"","n" : 1E2}',
        b'{"id":"k","text":"\\u0040search.action"}',
        b'{"id":"k","tags":["@search.action","x"],"n": 1}',
        b'{"id":"k","inner":{"@search.action":"delete"}}',
    ],
)
def test_what_only_looks_like_an_annotation_keeps_its_bytes(line: bytes) -> None:
    assert document_line(line) == line
    assert upload_action(line) == b'{"@search.action":"upload",' + line[1:]


@pytest.mark.parametrize(
    "line", [b' {"id":"k"}', b'x"id":"a"},{"@search.action":"delete","id":"k"}', b"[]", b"{}", b""]
)
def test_a_stored_line_that_is_no_document_is_never_sent(line: bytes) -> None:
    with pytest.raises(IntegrityError):
        upload_action(line)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_actions_of_many_documents_are_those_of_each(count: int) -> None:
    lines = [b'{"id":"%d","text":"{\\"x\\":1}","inner":{"a":[{"b":1}]}}' % number for number in range(count)]
    rests = uploads(b"".join(line + b"\n" for line in lines), count)
    assert rests is not None
    assert [UPLOAD + rest for rest in rests] == [upload_action(line) for line in lines]
    assert batch(rests, UPLOAD) == batch([upload_action(line) for line in lines])


@pytest.mark.parametrize("other", [*(line.encode() for line in HOSTILE), b' {"id":"k"}', b"{}", b"[]", b""])
@pytest.mark.parametrize("at", [0, 1, 2])
def test_documents_that_need_a_look_are_left_to_be_looked_at(other: bytes, at: int) -> None:
    lines = [b'{"id":"a"}', b'{"id":"b"}']
    lines.insert(at, other)
    assert uploads(b"".join(line + b"\n" for line in lines), 3) is None


@pytest.mark.parametrize("lines", [b'{"id":"a"}\n{"id":"b"}', b'{"id":"a"}\n', b""])
def test_lines_that_are_not_so_many_documents_are_left_to_be_looked_at(lines: bytes) -> None:
    assert uploads(lines, 2) is None


@pytest.mark.parametrize("begin", [b"", UPLOAD])
def test_a_batch_of_nothing_is_json(begin: bytes) -> None:
    assert json.loads(batch([], begin)) == {"value": []}
