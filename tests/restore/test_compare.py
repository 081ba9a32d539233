import hashlib
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable, Sequence
from itertools import batched
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexvault.errors import IntegrityError, VerificationError
from indexvault.restore.compare import Comparison, ComparisonTally, Deviation, deviations
from indexvault.restore.definition import same_definition, target_definition
from indexvault.restore.projection import Projection
from indexvault.restore.report import MOST_NAMED, Difference, Proof
from indexvault.restore.selection import Selection
from indexvault.restore.windows import UnsplitBatch
from indexvault.restore.workflow import require_proved
from indexvault.search.page import Document, UnsplitDocuments
from indexvault.search.schema import Field, Schema
from indexvault.snapshots.chunk_documents import KeyedLine, document_reader
from indexvault.snapshots.chunks import Chunk
from indexvault.snapshots.manifest import Definition, VersionedDefinition
from indexvault.snapshots.names import PackFolder

SCHEMA = Schema(name="x", fields=(Field("id", "Edm.String", key=True), Field("n", "Edm.Double")))
KEYS = st.text("abcd", min_size=1, max_size=3)
SPLIT = document_reader("id", PackFolder(service="s", index="x"))
SIDES = st.dictionaries(KEYS, st.sampled_from(["1", "1.0", "2"]), max_size=12)


async def side(documents: dict[str, str], size: int = 7) -> AsyncIterator[list[KeyedLine]]:
    for some in batched(sorted(documents), size, strict=False):
        yield [(key, line_of(key, documents[key])) for key in some]


class Pages:
    """A page for so many documents each, not split yet. `split` are the numbers of those that were."""

    def __init__(self, documents: dict[str, str], size: int = 7) -> None:
        self._documents = documents
        self._size = size
        self.split: list[int] = []

    async def __aiter__(self) -> AsyncIterator[UnsplitBatch]:
        for number, keys in enumerate(batched(sorted(self._documents), self._size, strict=False)):
            found = [Document(key, line_of(key, self._documents[key])) for key in keys]
            text = b"".join(document.line + b"\n" for document in found)

            def split(number: int = number, found: list[Document] = found) -> list[Document]:
                self.split.append(number)
                return found

            yield UnsplitBatch(UnsplitDocuments(text, len(found), keys[-1], split))


def cut(documents: dict[str, str], size: int) -> tuple[list[Chunk], dict[str, bytes]]:
    """Cut documents into chunks of so many, and return them with their bytes by hash."""
    lines = [(key, line_of(key, value)) for key, value in sorted(documents.items())]
    chunks, stored = [], {}
    for start in range(0, len(lines), size):
        part = lines[start : start + size]
        data = b"".join(line + b"\n" for _key, line in part)
        sha256 = hashlib.sha256(data).hexdigest()
        stored[sha256] = data
        chunks.append(Chunk(sha256=sha256, first=part[0][0], last=part[-1][0], documents=len(part), bytes=len(data)))
    return chunks, stored


def line_of(key: str, value: str) -> bytes:
    return f'{{"id":"{key}","n":{value}}}'.encode()


def comparison(*, target: Schema = SCHEMA, selection: Selection | None = None) -> Comparison:
    return Comparison(
        schema=target,
        projection=Projection(SCHEMA, target),
        selection=selection or Selection(),
    )


class Compared:
    """A finished comparison: its deviations, its counts, and the chunks that were read."""

    def __init__(self, stored: dict[str, str], size: int = 3) -> None:
        self.chunks, self._data = cut(stored, size)
        self.tally = ComparisonTally(differences=[])
        self.read: list[str] = []
        self.requests = 0
        self.told: list[Deviation] = []

    async def _read(
        self, chunks: AsyncIterable[Sequence[Chunk]] | Iterable[Sequence[Chunk]]
    ) -> AsyncGenerator[tuple[Chunk, list[KeyedLine] | None]]:
        batches = [batch async for batch in chunks] if isinstance(chunks, AsyncIterable) else list(chunks)
        self.requests += 1
        for chunk in [chunk for batch in batches for chunk in batch]:
            self.read.append(chunk.sha256)
            yield chunk, SPLIT(chunk, self._data[chunk.sha256])

    async def _batches(self) -> AsyncGenerator[Sequence[Chunk]]:
        for some in batched(self.chunks, 4, strict=False):
            yield some

    async def to(self, present: dict[str, str], by: Comparison | None = None, pages: Pages | None = None) -> "Compared":
        documents = side(present) if pages is None else aiter(pages)
        found = deviations(self._batches(), self._read, documents, by or comparison(), self.tally)
        self.told = [deviation async for deviation in found]
        return self


@given(stored=SIDES, present=SIDES, size=st.integers(1, 5), page=st.integers(0, 7))
async def test_every_document_of_either_side_is_judged_once(
    stored: dict[str, str], present: dict[str, str], size: int, page: int
) -> None:
    found = await Compared(stored, size).to(present, pages=Pages(present, page) if page else None)
    tally = found.tally
    both = stored.keys() & present.keys()
    assert tally.identical == sum(stored[key] == present[key] for key in both)
    assert tally.equal == sum(
        stored[key] != present[key] and {stored[key], present[key]} <= {"1", "1.0"} for key in both
    )
    kinds = {deviation.key: deviation.kind for deviation in found.told}
    assert {key for key, kind in kinds.items() if kind == "missing"} == stored.keys() - present.keys()
    assert {key for key, kind in kinds.items() if kind == "extra"} == present.keys() - stored.keys()
    assert tally.identical + tally.equal + tally.different == len(both)
    assert len(kinds) == len(found.told) == tally.different + tally.missing + tally.extra
    assert [each.key for each in found.told] == sorted(kinds)
    for deviation in found.told:
        stored_line = line_of(deviation.key, stored[deviation.key]) if deviation.key in stored else None
        assert deviation.line == stored_line


@given(stored=SIDES, present=SIDES)
async def test_what_is_told_makes_both_sides_the_same(stored: dict[str, str], present: dict[str, str]) -> None:
    found = await Compared(stored).to(present)
    made = {key: line_of(key, value) for key, value in present.items()}
    for deviation in found.told:
        if deviation.line is None:
            del made[deviation.key]
        else:
            made[deviation.key] = deviation.line
    assert made.keys() == stored.keys()
    for key, value in stored.items():
        assert made[key] == line_of(key, value) or {value, present[key]} <= {"1", "1.0"}


async def test_chunks_that_match_by_hash_are_not_read() -> None:
    stored = {f"{number:04}": "1" for number in range(100)}
    found = await Compared(stored, 10).to(stored | {"0055": "2"})
    assert found.read == [found.chunks[5].sha256]
    assert found.tally.untouched == 9
    assert [each.key for each in found.told] == ["0055"]


async def test_chunks_that_differ_are_read_together() -> None:
    stored = {f"{number:04}": "1" for number in range(400)}
    found = await Compared(stored, 10).to(dict.fromkeys(stored, "2"))
    assert len(found.read) == 40
    assert found.requests == 10


@pytest.mark.parametrize("page", [1, 7, 10, 13, 33, 1000])
async def test_pages_that_are_chunks_byte_for_byte_are_not_split(page: int) -> None:
    stored = {f"{number:04}": "1" for number in range(100)}
    pages = Pages(stored, page)
    found = await Compared(stored, 10).to(stored, pages=pages)
    assert (found.read, found.tally.untouched, found.tally.identical) == ([], 10, 100)
    if page >= 10:  # no chunk is longer than a page
        assert pages.split == []


async def test_only_pages_around_a_difference_are_split() -> None:
    stored = {f"{number:04}": "1" for number in range(300)}
    present = stored | {"0155": "2"}
    pages = Pages(present, 30)
    found = await Compared(stored, 10).to(present, pages=pages)
    assert found.read == [found.chunks[15].sha256]
    assert (found.tally.untouched, found.tally.different, found.tally.identical) == (29, 1, 299)
    assert pages.split == [5]


async def test_a_chunk_that_claims_other_documents_than_it_has_is_not_passed_over() -> None:
    stored = {f"{number:04}": "1" for number in range(20)}
    compared = Compared(stored, 10)
    compared.chunks[0] = msgspec.structs.replace(compared.chunks[0], documents=11)
    with pytest.raises(IntegrityError):
        await compared.to(stored, pages=Pages(stored, 7))
    assert compared.tally.untouched <= 1


async def test_what_comes_after_the_last_chunk_is_extra_and_leaves_the_chunk_unread() -> None:
    stored = {f"{number:04}": "1" for number in range(20)}
    found = await Compared(stored, 10).to(stored | {"x": "1"})
    assert (found.read, found.tally.identical, found.tally.extra) == ([], 20, 1)


async def test_documents_of_chunks_that_are_gone_are_unproved() -> None:
    class Gone(Compared):
        async def _read(
            self, chunks: AsyncIterable[Sequence[Chunk]] | Iterable[Sequence[Chunk]]
        ) -> AsyncGenerator[tuple[Chunk, list[KeyedLine] | None]]:
            async for chunk, documents in super()._read(chunks):
                yield chunk, None if chunk.first == "0010" else documents

    stored = {f"{number:04}": "1" for number in range(30)}
    found = await Gone(stored, 10).to(stored | {"0003": "2", "0013": "2", "0023": "2"})
    assert (found.tally.unproved, found.tally.different, found.tally.identical) == (10, 2, 18)


async def test_a_window_much_larger_than_its_chunk_is_still_judged_whole() -> None:
    found = await Compared({"a": "1", "z": "1"}, 1).to({f"b{number:05}": "1" for number in range(5000)})
    assert (found.tally.missing, found.tally.extra) == (2, 5000)


async def test_only_selected_documents_are_anybodys_concern() -> None:
    stored = {"a": "1", "b": "2", "c": "2", "d": "1"}
    by_key = await Compared(stored).to({"b": "1", "x": "1"}, comparison(selection=Selection(["b", "d"])))
    assert [(each.key, each.kind) for each in by_key.told] == [("b", "different"), ("d", "missing")]
    by_filter = await Compared(stored).to({"b": "1", "x": "1"}, comparison(selection=Selection(filter="n == `2`")))
    assert [(each.key, each.kind) for each in by_filter.told] == [("b", "different"), ("c", "missing")]


async def test_dropped_and_added_fields_are_no_difference() -> None:
    target = Schema(name="x", fields=(Field("id", "Edm.String", key=True), Field("new", "Edm.String")))
    by = comparison(target=target)
    found = await Compared({"a": "1", "b": "2"}).to({}, by)
    assert [each.line and by.projection.project(each.line) for each in found.told] == [b'{"id":"a"}', b'{"id":"b"}']


async def test_what_differs_is_told_with_the_fields_that_are_not_compared() -> None:
    target = Schema(name="x", fields=(Field("id", "Edm.String", key=True),))
    found = await Compared({"a": "1", "b": "2"}).to({"b": "2"}, comparison(target=target))
    assert [(each.key, each.line) for each in found.told] == [("a", line_of("a", "1")), ("b", line_of("b", "2"))]


async def test_so_many_differences_are_named_and_all_are_counted() -> None:
    found = await Compared({f"{n:04}": "1" for n in range(300)}).to({})
    assert (found.tally.missing, len(found.tally.differences)) == (300, MOST_NAMED)


def proof(**counts: int) -> Proof:
    zero = dict.fromkeys(["compared", "identical", "equal", "different", "missing", "extra", "refused"], 0)
    named = [Difference("k1", "different")]
    rest: dict[str, Any] = zero | counts
    return Proof(snapshot="a/i@s", target="b/j", mode="create", differences=named, proved=not counts, **rest)


def test_a_difference_fails_the_restore_and_is_named() -> None:
    require_proved(proof(), "blob")
    with pytest.raises(VerificationError, match=r"1 documents differ, 1 are missing, 0 extra \(first: 'k1' different"):
        require_proved(proof(different=1, missing=1), "blob")


def definition(stable: str, preview: str | None = None) -> Definition:
    return Definition(
        stable=VersionedDefinition(api_version="2026-04-01", body=msgspec.Raw(stable.encode())),
        preview=None
        if preview is None
        else VersionedDefinition(api_version="2026-08-01-preview", body=msgspec.Raw(preview.encode())),
    )


def test_a_target_gets_the_definition_as_it_was_but_for_its_name() -> None:
    stable = '{"@odata.context":"c","@odata.etag":"e","name":"a","fields":[ {"x":1.50} ],"later":{"y":[]}}'
    made = target_definition(definition(stable, stable.replace('"c"', '"d"')), "b")
    assert bytes(made.body) == b'{"name":"b","fields":[ {"x":1.50} ],"later":{"y":[]}}'
    assert not made.preview


def test_what_only_the_preview_knows_is_created_with_the_preview() -> None:
    made = target_definition(definition('{"name":"a","fields":[]}', '{"name":"a","fields":[],"new":{"n":1}}'), "b")
    assert bytes(made.body) == b'{"name":"b","fields":[],"new":{"n":1}}'
    assert made.preview


def test_a_preview_that_only_adds_empty_members_is_not_needed() -> None:
    assert not target_definition(definition('{"name":"a"}', '{"name":"a","new":null,"newer":[]}'), "b").preview


def test_definitions_are_the_same_whatever_their_etag_and_name() -> None:
    one = definition('{"@odata.etag":"1","name":"a","rules":"x"}').stable
    other = definition('{"name":"b", "rules":"x","@odata.etag":"2"}').stable
    assert same_definition(one, other)
    assert not same_definition(one, definition('{"name":"a","rules":"y"}').stable)
