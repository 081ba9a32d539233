import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexvault.search.page import PageReader, document_line

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
