"""Mark members of packs in little memory: a bit for each that a pack may have.

A pack of 8 MiB takes 16 KiB of marks, whatever its members' size: 10 million members of 3 KB some 60 MB.
"""

from collections.abc import Iterable, Iterator

from indexvault.errors import IntegrityError
from indexvault.snapshots.chunks import Chunk
from indexvault.snapshots.locations import Location
from indexvault.snapshots.names import repair_advice
from indexvault.snapshots.packs import PACK_LIMIT, SMALLEST_MEMBER
from indexvault.snapshots.tree import Node

_SHIFT = SMALLEST_MEMBER.bit_length() - 1


class MemberMarks:
    """Marked members of the packs of one kind of an index.

    A member is known by the 64 bytes of its pack in which it begins: no two begin in the same.
    """

    def __init__(self) -> None:
        self._bits: dict[str, bytearray] = {}
        self._sizes: dict[str, int] = {}

    def mark(self, entry: Chunk | Node | Location) -> bool:
        """Mark a member and return whether it was not marked before.

        Raises IntegrityError for one that begins beyond the end of any pack.
        """
        pack = entry.pack
        at = entry.offset >> _SHIFT
        byte = at >> 3
        bits = self._bits.get(pack)
        if bits is None or byte >= len(bits):
            bits = self._grown(pack, entry.offset, byte)
        bit = 1 << (at & 7)
        if bits[byte] & bit:
            return False
        bits[byte] |= bit
        self._sizes[pack] += entry.stored
        return True

    def mark_all(self, entries: Iterable[Chunk] | Iterable[Node]) -> None:
        """Mark members. Raises as `mark` does."""
        for entry in entries:
            self.mark(entry)

    def has(self, pack: str, offset: int) -> bool:
        """Return whether the member that begins there is marked."""
        bits = self._bits.get(pack, b"")
        byte = offset >> (_SHIFT + 3)
        return byte < len(bits) and bool(bits[byte] & 1 << ((offset >> _SHIFT) & 7))

    def size(self, pack: str) -> int:
        """Return the stored bytes of the marked members of a pack."""
        return self._sizes.get(pack, 0)

    def bits(self, pack: str) -> int:
        """Return the marks of a pack, as the bits of a number."""
        return int.from_bytes(self._bits.get(pack, b""), "little")

    @property
    def total(self) -> int:
        """The stored bytes of all marked members."""
        return sum(self._sizes.values())

    def __iter__(self) -> Iterator[str]:
        """Iterate over the packs that have marked members."""
        return iter(self._bits)

    def __contains__(self, pack: str) -> bool:
        """Whether any member of a pack is marked."""
        return pack in self._bits

    def _grown(self, pack: str, offset: int, byte: int) -> bytearray:
        if offset >= PACK_LIMIT:
            raise IntegrityError(
                f"a member can't begin at byte {offset} of a pack", on=f"pack {pack}", do=repair_advice(pack)
            )
        if (bits := self._bits.get(pack)) is None:
            bits = self._bits[pack] = bytearray()
            self._sizes[pack] = 0
        bits.extend(bytes(byte + 1 - len(bits)))
        return bits
