import gzip
import hashlib
import itertools
import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexvault.errors import IntegrityError
from indexvault.snapshots.chunks import Chunk, SealedChunk
from indexvault.snapshots.packs import (
    SMALLEST_MEMBER,
    Member,
    Pack,
    Packer,
    is_sound,
    member,
    open_chunk,
    open_chunks,
    open_member,
    scan_members,
)
from tests.peak import taking_at_most
from tests.snapshots.samples import cut, documents

BLOB = "contoso-east/hotels/packs/x.jsonl.gz"

contents = st.lists(st.binary(min_size=1, max_size=300), min_size=1, max_size=20)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def packed(parts: list[bytes], target: int = 1 << 30) -> list[Pack]:
    packer = Packer(target)
    full = [packer.add(sha256(part), member(sha256(part), part)) for part in parts]
    return [pack for pack in (*full, packer.finish()) if pack is not None]


class TestPacks:
    @given(contents)
    def test_are_gzip_files_of_what_was_put_in(self, parts: list[bytes]) -> None:
        (pack,) = packed(parts)
        assert gzip.decompress(pack.data) == b"".join(parts)

    def test_zcat_reads_one(self) -> None:
        (pack,) = packed([sealed.data for sealed in cut(documents(range(100)))])
        zcat = shutil.which("zcat")
        assert zcat is not None
        read = subprocess.run([zcat], input=pack.data, capture_output=True, check=True)  # noqa: S603 - our own bytes
        assert read.stdout == b"".join(line + b"\n" for line in documents(range(100)).values())

    @given(contents)
    def test_describe_themselves(self, parts: list[bytes]) -> None:
        (pack,) = packed(parts)
        members = list(scan_members(pack.data, BLOB))
        assert members == list(pack.members)
        assert [each.sha256 for each in members] == [sha256(part) for part in parts]
        for each, part in zip(members, parts, strict=True):
            assert open_member(each.sha256, pack.data[each.offset : each.offset + each.stored], 300, BLOB) == part

    @given(contents)
    def test_are_named_by_their_bytes_and_made_alike(self, parts: list[bytes]) -> None:
        (pack,), (again,) = packed(parts), packed(parts)
        assert pack == again
        assert pack.name == sha256(pack.data)
        assert is_sound(pack.name, pack.data)
        assert not is_sound(pack.name, pack.data + b"\0")

    @given(contents, st.integers(1, 2000))
    def test_are_full_at_their_size(self, parts: list[bytes], target: int) -> None:
        packs = packed(parts, target)
        assert gzip.decompress(b"".join(pack.data for pack in packs)) == b"".join(parts)
        for pack in packs[:-1]:
            assert len(pack.data) >= target > len(pack.data) - pack.members[-1].stored

    @given(st.binary(max_size=20))
    def test_no_document_makes_a_member_smaller_than_the_least(self, key: bytes) -> None:
        line = b'{"":"%s"}\n' % key.hex().encode()
        assert len(member(sha256(line), line)) >= SMALLEST_MEMBER

    def test_nothing_gives_no_pack(self) -> None:
        assert Packer().finish() is None

    @pytest.mark.parametrize("damage", ["cut", "more", "length", "short length"])
    def test_a_pack_that_is_no_row_of_members_is_found(self, damage: str) -> None:
        (pack,) = packed([b"one\n", b"two\n"])
        data = {
            "cut": pack.data[:-1],
            "more": pack.data + b"\0",
            "length": pack.data[:16] + b"\xff\xff\xff\x7f" + pack.data[20:],
            "short length": pack.data[:16] + b"\x01\0\0\0" + pack.data[20:],
        }[damage]
        with pytest.raises(IntegrityError):
            list(scan_members(data, BLOB))


class TestOpening:
    @pytest.fixture
    def sealed(self) -> SealedChunk:
        (sealed,) = cut(documents(range(40)), bits=14)
        return sealed

    @pytest.fixture
    def stored(self, sealed: SealedChunk) -> bytes:
        return member(sealed.chunk.sha256, sealed.data)

    def test_gives_the_chunk(self, sealed: SealedChunk, stored: bytes) -> None:
        assert open_chunk(sealed.chunk, stored, BLOB) == sealed.data

    def test_every_change_of_one_byte_is_found_and_named_unless_it_carries_nothing(
        self, sealed: SealedChunk, stored: bytes
    ) -> None:
        missed, named = 0, set()
        for position, flip in itertools.product(range(len(stored)), (1, 2, 4, 8, 16, 32, 64, 128, 255)):
            changed = bytearray(stored)
            changed[position] ^= flip
            try:
                assert open_chunk(sealed.chunk, bytes(changed), BLOB) == sealed.data
            except IntegrityError as error:
                named.add(error.on)
            else:
                missed += 1
        assert named == {BLOB}
        # Deflate has a few bits without meaning, such as the padding of its last byte.
        assert missed < 9

    def test_every_truncation_is_found(self, sealed: SealedChunk, stored: bytes) -> None:
        for length in range(len(stored)):
            with pytest.raises(IntegrityError):
                open_chunk(sealed.chunk, stored[:length], BLOB)

    @pytest.mark.parametrize("more", [b"\0", b"\n", member(sha256(b"{}\n"), b"{}\n")])
    def test_bytes_after_the_end_are_found(self, sealed: SealedChunk, stored: bytes, more: bytes) -> None:
        with pytest.raises(IntegrityError):
            open_chunk(sealed.chunk, stored + more, BLOB)

    def test_bytes_after_the_end_are_found_whatever_the_member_says(self, sealed: SealedChunk, stored: bytes) -> None:
        longer = stored[:16] + (len(stored) + 1).to_bytes(4, "little") + stored[20:] + b"\0"
        with pytest.raises(IntegrityError, match="follow"):
            open_chunk(sealed.chunk, longer, BLOB)

    def test_a_bomb_is_not_unpacked(self, sealed: SealedChunk) -> None:
        bomb = member(sealed.chunk.sha256, b"\0" * (64 << 20))
        with pytest.raises(IntegrityError, match=str(sealed.chunk.bytes)):
            open_chunk(sealed.chunk, bomb, BLOB)

    @pytest.mark.parametrize(
        "wrong",
        [{"documents": 39}, {"documents": 41}, {"bytes": 100}, {"bytes": 10**6}, {"sha256": "0" * 64}],
        ids=str,
    )
    def test_an_entry_that_says_otherwise_is_found(
        self, sealed: SealedChunk, stored: bytes, wrong: dict[str, int | str]
    ) -> None:
        entry = {name: wrong.get(name, getattr(sealed.chunk, name)) for name in Chunk.__struct_fields__}
        with pytest.raises(IntegrityError):
            open_chunk(Chunk(**entry), stored, BLOB)

    def test_a_member_is_what_the_format_says(self) -> None:
        data = b'{"a":1}\n'
        stored = member(sha256(data), data)
        assert stored[:16] == bytes.fromhex("1f8b08040000000000ff" + "2800" + "49562400")
        assert int.from_bytes(stored[16:20], "little") == len(stored)
        assert stored[20:52] == hashlib.sha256(data).digest()
        assert Member(sha256(data), 0, len(stored)) == next(scan_members(stored, BLOB))


class TestOpeningSeveral:
    @pytest.fixture
    def sealed(self) -> list[SealedChunk]:
        return cut(documents(range(60)), bits=3)

    @pytest.fixture
    def chunks(self, sealed: list[SealedChunk]) -> list[Chunk]:
        return [each.chunk for each in sealed]

    @pytest.fixture
    def stored(self, sealed: list[SealedChunk]) -> list[bytes]:
        return [member(each.chunk.sha256, each.data) for each in sealed]

    def test_gives_each_chunk(self, sealed: list[SealedChunk], chunks: list[Chunk], stored: list[bytes]) -> None:
        assert len(chunks) > 3
        assert open_chunks(chunks, stored) == [each.data for each in sealed]

    def test_gives_none_for_every_change_of_one_byte_unless_it_carries_nothing(
        self, sealed: list[SealedChunk], chunks: list[Chunk], stored: list[bytes]
    ) -> None:
        missed = 0
        for position, flip in itertools.product(range(len(stored[1])), (1, 8, 128, 255)):
            changed = bytearray(stored[1])
            changed[position] ^= flip
            opened = open_chunks(chunks, [stored[0], bytes(changed), *stored[2:]])
            assert opened in (None, [each.data for each in sealed])
            missed += opened is not None
        assert missed < 9

    def test_gives_none_for_every_truncation(self, chunks: list[Chunk], stored: list[bytes]) -> None:
        for length in range(len(stored[-1])):
            assert open_chunks(chunks, [*stored[:-1], stored[-1][:length]]) is None

    @pytest.mark.parametrize("more", [b"\0", b"\n", b"\0" * 200, member(sha256(b"{}\n"), b"{}\n")])
    @pytest.mark.parametrize("at", [0, -1])
    def test_gives_none_for_bytes_after_a_member_whatever_it_says(
        self, chunks: list[Chunk], stored: list[bytes], more: bytes, at: int
    ) -> None:
        member_bytes = stored[at]
        size = len(member_bytes) + len(more)
        stored[at] = member_bytes[:16] + size.to_bytes(4, "little") + member_bytes[20:] + more
        assert open_chunks(chunks, stored) is None

    def test_does_not_unpack_a_bomb(self, chunks: list[Chunk], stored: list[bytes]) -> None:
        bomb = member(chunks[1].sha256, b"\0" * (64 << 20))
        stored[1] = bomb[:-4] + chunks[1].bytes.to_bytes(4, "little")
        with taking_at_most(32):
            assert open_chunks(chunks, stored) is None

    @pytest.mark.parametrize(
        "wrong",
        [{"documents": 1000}, {"bytes": 100}, {"bytes": 10**6}, {"bytes": 2**53}, {"sha256": "0" * 64}],
        ids=str,
    )
    def test_gives_none_for_an_entry_that_says_otherwise(
        self, chunks: list[Chunk], stored: list[bytes], wrong: dict[str, int | str]
    ) -> None:
        entry = {name: wrong.get(name, getattr(chunks[2], name)) for name in Chunk.__struct_fields__}
        assert open_chunks([*chunks[:2], Chunk(**entry), *chunks[3:]], stored) is None

    def test_gives_none_for_chunks_that_changed_places(self, chunks: list[Chunk], stored: list[bytes]) -> None:
        assert open_chunks(chunks, [stored[1], stored[0], *stored[2:]]) is None
