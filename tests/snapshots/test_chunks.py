import hashlib
import itertools
import random
from statistics import mean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexvault.errors import AccountingError
from indexvault.snapshots.chunks import (
    CHUNK_CAP,
    CHUNK_TARGET,
    ChunkCutter,
    SealedChunk,
    add_digests,
    boundary_bits,
    content_digest,
    document_lines,
    ends_chunk,
    key_reader,
    zero_bits,
)
from tests.snapshots.samples import cut, document

keys = st.text(alphabet="ABCXYZabcxyz0123456789-_=", min_size=1, max_size=20)
lines = st.builds(lambda text: f'{{"text":"{text}"}}'.encode(), st.text("abcé★ ", max_size=40))
indexes = st.dictionaries(keys, lines, max_size=200)
bits = st.integers(min_value=0, max_value=6)


def boundaries(chunks: list[SealedChunk]) -> set[str]:
    return {sealed.chunk.last for sealed in chunks[:-1]}


class TestCutting:
    @given(indexes, bits)
    def test_what_is_cut_comes_back_whole_and_in_order(self, index: dict[str, bytes], bits: int) -> None:
        chunks = cut(index, bits)
        back = [line for sealed in chunks for line in document_lines(sealed.data)]
        assert back == [index[key] for key in sorted(index)]
        assert add_digests(sealed.digest for sealed in chunks) == content_digest(index.values())

    @given(indexes, bits)
    def test_an_entry_says_what_its_chunk_holds(self, index: dict[str, bytes], bits: int) -> None:
        left = iter(sorted(index))
        for sealed in cut(index, bits):
            held = list(itertools.islice(left, sealed.chunk.documents))
            assert (sealed.chunk.first, sealed.chunk.last) == (held[0], held[-1])
            assert sealed.chunk.bytes == len(sealed.data)
            assert sealed.chunk.sha256 == hashlib.sha256(sealed.data).hexdigest()
            assert (sealed.chunk.pack, sealed.chunk.offset, sealed.chunk.stored) == ("", 0, 0)
        assert next(left, None) is None

    @given(indexes, keys, lines, bits)
    def test_one_document_more_or_less_moves_no_other_boundary(
        self, index: dict[str, bytes], key: str, line: bytes, bits: int
    ) -> None:
        without = {name: kept for name, kept in index.items() if name != key}
        before, after = cut(without, bits), cut(without | {key: line}, bits)
        assert boundaries(before) ^ boundaries(after) <= {key, max(without, default=key)}
        changed = {sealed.chunk.sha256 for sealed in before} - {sealed.chunk.sha256 for sealed in after}
        assert len(changed) <= 1

    @given(indexes, bits)
    def test_boundaries_follow_from_keys_alone(self, index: dict[str, bytes], bits: int) -> None:
        rewritten = dict.fromkeys(index, b"{}")
        assert boundaries(cut(index, bits)) == boundaries(cut(rewritten, bits))
        assert boundaries(cut(index, bits)) == {key for key in sorted(index)[:-1] if ends_chunk(key, bits)}

    def test_a_chunk_stops_short_of_the_cap(self) -> None:
        line = b"x" * (CHUNK_CAP // 4)
        index = {f"k{number}": line for number in range(10)}
        chunks = cut(index, bits=14)
        assert [sealed.chunk.documents for sealed in chunks] == [3, 3, 3, 1]
        assert all(sealed.chunk.bytes <= CHUNK_CAP for sealed in chunks)

    def test_a_document_that_fills_the_cap_exactly_is_within_it(self) -> None:
        index = {"a": b"x" * (CHUNK_CAP // 2 - 1), "b": b"x" * (CHUNK_CAP // 2 - 1), "c": b"x"}
        assert [sealed.chunk.bytes for sealed in cut(index, bits=14)] == [CHUNK_CAP, 2]

    def test_a_document_larger_than_the_cap_is_a_chunk_of_its_own(self) -> None:
        index = {"a": b"1", "b": b"x" * (CHUNK_CAP + 1), "c": b"3"}
        assert [sealed.chunk.first for sealed in cut(index, bits=14)] == ["a", "b", "c"]

    def test_after_a_cut_at_the_cap_boundaries_are_found_again(self) -> None:
        index = {f"{number:04}": b"x" * 100_000 for number in range(300)}
        before, after = cut(index, bits=6), cut({"!": b"x" * 100_000} | index, bits=6)
        shared = {sealed.chunk.sha256 for sealed in before} & {sealed.chunk.sha256 for sealed in after}
        assert max(sealed.chunk.bytes for sealed in before) > CHUNK_CAP - 100_001
        assert len(shared) > len(before) // 2

    @pytest.mark.parametrize("second", ["a", "A", ""])
    def test_keys_that_do_not_rise_are_refused(self, second: str) -> None:
        cutter = ChunkCutter(0)
        cutter.add("a", b"{}")
        with pytest.raises(AccountingError):
            cutter.add(second, b"{}")

    def test_keys_rise_as_their_utf8_bytes_do(self) -> None:
        cutter = ChunkCutter(14)
        for key in ("A", "Z", "_", "a", "é", "\uffff", "\U00010000"):
            cutter.add(key, b"{}")

    def test_a_document_of_two_lines_is_refused(self) -> None:
        with pytest.raises(AccountingError):
            ChunkCutter(0).add("a", b'{\n"a":1}')

    def test_nothing_gives_no_chunk(self) -> None:
        assert ChunkCutter(0).finish() is None


class TestBoundaries:
    def test_the_low_bits_of_the_hash_decide(self) -> None:
        for key in ("hotel-1", "é", "z" * 1024):
            number = int(hashlib.sha256(key.encode()).hexdigest(), 16)
            assert [ends_chunk(key, bits) for bits in range(15)] == [number % 2**bits == 0 for bits in range(15)]

    @pytest.mark.parametrize(
        ("average", "expected"), [(0, 14), (0.5, 14), (32, 8), (512, 4), (1024, 3), (19e3, 0), (2e6, 0)]
    )
    def test_bits_are_chosen_from_the_average_document(self, average: float, expected: int) -> None:
        assert boundary_bits(average) == expected

    @given(keys)
    def test_zero_bits_are_those_of_the_whole_hash(self, key: str) -> None:
        number = int(hashlib.sha256(key.encode()).hexdigest(), 16)
        assert number % 2 ** zero_bits(key) == 0
        assert number % 2 ** (zero_bits(key) + 1) != 0

    @pytest.mark.parametrize("size", [200, 900, 3000])
    def test_chunks_average_the_target(self, size: int) -> None:
        index = {f"doc-{number}": b"x" * size for number in range(30 * CHUNK_TARGET // size)}
        chunks = cut(index, boundary_bits(size))
        assert CHUNK_TARGET / 2 < mean(sealed.chunk.bytes for sealed in chunks) < CHUNK_TARGET * 2


class TestDigest:
    @given(st.lists(lines, max_size=20), st.randoms(use_true_random=False))
    def test_order_does_not_matter(self, content: list[bytes], order: random.Random) -> None:
        shuffled = order.sample(content, len(content))
        assert content_digest(shuffled) == content_digest(content)

    @given(st.lists(lines, max_size=20), lines)
    def test_one_more_document_does(self, content: list[bytes], more: bytes) -> None:
        assert content_digest([*content, more]) != content_digest(content)

    def test_is_as_the_format_defines_it(self) -> None:
        one, two = hashlib.sha256(b'{"a":1}').hexdigest(), hashlib.sha256(b'{"a":2}').hexdigest()
        expected = f"{(int(one, 16) + int(two, 16)) % 2**256:064x}"
        assert content_digest([b'{"a":1}', b'{"a":2}']) == expected == add_digests([one, two])
        assert content_digest([]) == "0" * 64


class TestKeys:
    def test_are_read_wherever_they_stand(self) -> None:
        read = key_reader("HotelId")
        key, line = document(7)
        assert read(line) == key
        assert read(b'{"a":{"HotelId":"inner"},"HotelId":"\\u0041"}') == "A"

    def test_can_have_any_name(self) -> None:
        assert key_reader("class")(b'{"class":"x","key":"y"}') == "x"
