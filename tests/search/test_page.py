import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexvault.errors import UnexpectedAnswerError
from indexvault.search.page import PageReader, UnsplitDocuments, UnsplitReader, document_line

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.from_regex(r"[a-zA-Z][a-zA-Z0-9_]{0,9}", fullmatch=True)
ANNOTATIONS = st.dictionaries(st.sampled_from(["@search.score", "@search.highlights", "@search.captions"]), JSON)


@given(annotations=ANNOTATIONS, members=st.dictionaries(NAMES, JSON, min_size=1))
def test_annotations_go_and_the_rest_stays(annotations: dict[str, object], members: dict[str, object]) -> None:
    line = document_line(msgspec.json.encode(annotations | members))
    assert line == msgspec.json.encode(members)


@pytest.mark.parametrize(
    ("raw", "line"),
    [
        (b'{"@search.score":1.0,"id":"1"}', b'{"id":"1"}'),
        (b'{"@search.score":1.0,"@search.rerankerScore":null,"id":"1"}', b'{"id":"1"}'),
        (b'{"id":"1","text":"\\"@search.score\\":1"}', b'{"id":"1","text":"\\"@search.score\\":1"}'),
        (b'{"id":"1",\r\n "n":1.50}', b'{"id":"1",   "n":1.50}'),
        (b'{"id":"1","n":1E2,"big":12345678901234567890}', b'{"id":"1","n":1E2,"big":12345678901234567890}'),
    ],
)
def test_bytes_are_kept_as_they_came(raw: bytes, line: bytes) -> None:
    assert document_line(raw) == line


def test_a_page_is_split_with_its_keys_wherever_they_stand() -> None:
    body = (
        b'{"@odata.context":"x","@search.coverage":100.0,"@search.nextPageParameters":{"skip":2},"value":['
        b'{"@search.score":1.0,"name":"a","id":"k1"},{"@search.score":1.0,"name":"b","id":"k2"}]}'
    )
    page = PageReader("id").read(body, on="x")
    assert [(document.key, document.line) for document in page.documents] == [
        ("k1", b'{"name":"a","id":"k1"}'),
        ("k2", b'{"name":"b","id":"k2"}'),
    ]
    assert page.cut_short
    assert page.coverage == 100


def test_a_key_field_may_be_called_anything() -> None:
    page = PageReader("key").read(b'{"value":[{"key":"a"}]}', on="x")
    assert page.documents[0].key == "a"
    page = PageReader("class").read(b'{"value":[{"class":"a"}]}', on="x")
    assert page.documents[0].key == "a"


FILLER = ",".join("0.125" for _ in range(4000)).encode()


@pytest.mark.parametrize(
    ("document", "key"),
    [
        (b'{"id":"a","v":[%s]}', "a"),
        (b'{"@search.score":1.0,"id":"a","v":[%s]}', "a"),
        (b'{"v":[%s],"id":"a"}', "a"),
        (b'{"id":"a","v":[%s],"id":"b"}', "b"),
        (b'{"id":"a","v":[%s],"\\u0069d":"b"}', "b"),
        (b'{"id":"a","v":[%s],"inside":{"id":"b"}}', "a"),
        (b'{"id":"a","v":[%s],"text":"\\"id\\":"}', "a"),
        (b'{"id":"\\u00e9","v":[%s]}', "é"),
        ('{"id":"é","v":[%s]}'.encode(), "é"),
        (b'{"id" : "a","v":[%s]}', "a"),
        (b'{"id":"a","v":[%s],' + b",".join(b'"f%d":1' % at for at in range(99)) + b',"id":"b"}', "b"),
    ],
)
def test_keys_of_large_documents_are_those_that_count(document: bytes, key: str) -> None:
    reader = PageReader("id")
    line = (document % FILLER).replace(b'"@search.score":1.0,', b"")
    first = b'{"id":"0","v":[%s]}' % FILLER
    for _ in range(3):
        page = reader.read(b'{"value":[%s,%s]}' % (first, document % FILLER), on="x")
        assert [(each.key, each.line) for each in page.documents] == [("0", first), (key, line)]


@pytest.mark.parametrize(
    "document",
    [
        b'{"v":[%s]}',
        b'{"id":null,"v":[%s]}',
        b'{"id":1,"v":[%s]}',
        b'{"id":"a\x01","v":[%s]}',
        b'{"id":"\xff","v":[%s]}',
        b'{"id":"a","v":[%s],"deep":' + b"[" * 200 + b"]" * 200 + b"}",
        b'{"id":"a","v":[%s],"id":null}',
        b'{"id":"a","v":[%s]',
        b'[{"id":"a","v":[%s]}]',
    ],
)
def test_large_documents_without_a_proper_key_are_refused(document: bytes) -> None:
    reader = PageReader("id")
    first = b'{"id":"0","v":[%s]}' % FILLER
    for _ in range(2):
        with pytest.raises(UnexpectedAnswerError):
            reader.read(b'{"value":[%s,%s]}' % (first, document % FILLER), on="x")
        reader.read(b'{"value":[%s]}' % first, on="x")


@pytest.mark.parametrize("name", ['"@search.action"', '"\\u0040search.action"'])
@pytest.mark.parametrize("before", ["", "x\\n" * 2000, "x" * 2000, "a@b"])
def test_annotations_of_one_document_of_a_page_go(name: str, before: str) -> None:
    plain = f'{{"id":"a","text":"{before}"}}'
    body = f'{{"value":[{plain},{{"id":"b","text":"{before}",{name}:"delete"}}]}}'
    page = PageReader("id").read(body.encode(), on="x")
    assert [each.line.decode() for each in page.documents] == [plain, f'{{"id":"b","text":"{before}"}}']


def test_line_breaks_of_one_document_of_a_page_go() -> None:
    page = PageReader("id").read(b'{"value":[{"id":"a"},{"id":"b",\r\n"n":1}]}', on="x")
    assert [each.line for each in page.documents] == [b'{"id":"a"}', b'{"id":"b",  "n":1}']


SCORE = b'{"@search.score":1.0,'
HEAD = b'{"@odata.context":"x","@search.coverage":100.0,"value":['


@given(documents=st.lists(st.dictionaries(NAMES, JSON, max_size=4), max_size=6), key=st.text(max_size=5))
def test_a_page_in_the_usual_form_is_read_as_any_other(documents: list[dict[str, object]], key: str) -> None:
    lines = [msgspec.json.encode({"id": f"{key}{at}"} | each) for at, each in enumerate(documents)]
    lines = [line for line in lines if isinstance(msgspec.json.decode(line)["id"], str)]
    scored = [SCORE + line[1:] for line in lines]
    usual = PageReader("id").read(HEAD + b",".join(scored) + b"]}", on="contoso")
    other = PageReader("id").read(HEAD + b" , ".join(scored) + b" ]}", on="contoso")
    assert (usual.documents, usual.coverage) == (other.documents, other.coverage)
    assert [document.line for document in usual.documents] == lines


@pytest.mark.parametrize(
    "body",
    [
        HEAD + b'{"@search.score":1.0,"id":"1"}{"id":"2"}]}',
        HEAD
        + b'{"@search.score":1.0,"id":"1","x":,{"@search.score":1.0,"id":"2"}},'
        + b'{"@search.score":1.0,"id":"3"}{"id":"4"}]}',
        HEAD + b'{"@search.score":1.0,"id":"1"},,{"@search.score":1.0,"id":"2"}]}',
        HEAD + b'{"@search.score":1.0,"id":"1"}]]}',
        HEAD + b'{"@search.score":1.0,"id":"1"}}]}',
        b'{"x":"value":[{"@search.score":1.0,"id":"1"}]}',
        b'{"x":{"value":[{"@search.score":1.0,"id":"1"}]}',
    ],
)
def test_what_is_no_json_is_no_page_even_where_scores_would_cut_it_into_documents(body: bytes) -> None:
    with pytest.raises(UnexpectedAnswerError):
        PageReader("id").read(body, on="contoso")


def test_a_score_within_a_document_does_not_cut_it() -> None:
    inner = b'{"id":"1","x":[{"y":1},{"@search.score":1.0,"id":"2"}]}'
    (document,) = PageReader("id").read(HEAD + SCORE + inner[1:] + b"]}", on="contoso").documents
    assert document.line == inner


def test_documents_of_the_usual_form_may_not_nest_too_deep() -> None:
    deep = b'{"id":"1","x":' + b"[" * 200 + b"]" * 200 + b"}"
    with pytest.raises(UnexpectedAnswerError):
        PageReader("id").read(HEAD + SCORE + b'"id":"0"},' + SCORE + deep[1:] + b"]}", on="contoso")


@given(
    documents=st.lists(st.dictionaries(NAMES, JSON | st.text("@x", min_size=3), max_size=4), min_size=1, max_size=6),
    key=st.text(max_size=5),
    filler=st.sampled_from([0, 2000]),
)
def test_a_page_that_is_not_split_yet_has_the_lines_of_its_documents(
    documents: list[dict[str, object]], key: str, filler: int
) -> None:
    lines = [
        msgspec.json.encode({"id": f"{key}{at}"} | {name: value for name, value in each.items() if name != "id"})
        for at, each in enumerate(documents)
    ]
    lines = [line[:-1] + b',"filler":"' + b"x" * filler + b'"}' for line in lines]
    body = HEAD + b",".join(SCORE + line[1:] for line in lines) + b"]}"
    page = UnsplitReader("id").read(body, on="contoso")
    assert isinstance(page.documents, UnsplitDocuments)
    assert page.documents.text == b"".join(line + b"\n" for line in lines)
    assert page.documents.last == f"{key}{len(lines) - 1}"
    assert (len(page.documents), page.coverage, page.size) == (len(lines), 100, len(body))
    assert list(page.documents) == PageReader("id").read(body, on="contoso").documents


@pytest.mark.parametrize(
    "body",
    [
        HEAD + SCORE + b'"id":"1"}]]}',
        HEAD + SCORE + b'"id":"1"}}]}',
        HEAD + SCORE + b'"id":"1"}{"id":"2"}]}',
        HEAD + SCORE + b'"id":"1"},,' + SCORE + b'"id":"2"}]}',
        HEAD + SCORE + b'"id":"1","x":,' + SCORE + b'"id":"2"}},' + SCORE + b'"id":"3"}]}',
        HEAD + SCORE + b'"id":"1"},' + SCORE + b'"id":' + b"[" * 200 + b"]" * 200 + b"}]}",
        HEAD + SCORE + b'"x":' + b"[" * 200 + b"]" * 200 + b',"id":"1"},' + SCORE + b'"id":"2"}]}',
        b'{"x":{"value":[' + SCORE + b'"id":"1"}]}',
    ],
)
def test_what_is_no_page_is_refused_at_the_latest_when_it_is_split(body: bytes) -> None:
    with pytest.raises(UnexpectedAnswerError):
        list(UnsplitReader("id").read(body, on="contoso").documents)


@pytest.mark.parametrize(
    "inner",
    [
        b'{"id":"1","x":[{"y":1},{"@search.score":1.0,"id":"2"}]}',
        b'{"id":"1","x":"@,{\\"@search.score\\":1.0,"}',
    ],
)
def test_a_page_is_split_between_its_documents_only(inner: bytes) -> None:
    page = UnsplitReader("id").read(HEAD + SCORE + inner[1:] + b"]}", on="contoso")
    assert [document.line for document in page.documents] == [inner]


def test_annotations_of_a_page_that_is_not_split_yet_go_when_it_is() -> None:
    body = HEAD + SCORE + b'"id":"1"},' + SCORE + b'"id":"2","@search.action":"delete","\\u0040search.x":1}]}'
    page = UnsplitReader("id").read(body, on="contoso")
    assert [document.line for document in page.documents] == [b'{"id":"1"}', b'{"id":"2"}']


def test_what_a_page_says_beside_its_documents_is_read_at_once() -> None:
    begin = b'{"@search.coverage":50.0,"@odata.count":7,"@search.nextPageParameters":{"skip":2},"value":['
    page = UnsplitReader("id").read(begin + SCORE + b'"id":"1"}]}', on="contoso")
    assert isinstance(page.documents, UnsplitDocuments)
    assert (page.coverage, page.count, page.cut_short) == (50, 7, True)
    assert UnsplitReader("id").read(begin + b"]}", on="contoso").documents == []
