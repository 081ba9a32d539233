"""Ways to damage what is stored, for tests."""

from collections.abc import Callable, Iterable, Sequence

from indexvault.snapshots.chunks import Chunk
from indexvault.snapshots.locations import Location, encode_locations
from indexvault.snapshots.names import PackFolder
from indexvault.snapshots.pack_store import store_pack
from indexvault.snapshots.packs import Pack, Packer, scan_members
from indexvault.snapshots.store import SnapshotWriter, Store

type Change = Callable[[bytes], bytes]


async def replace(store: Store, name: str, change: Change) -> None:
    """Replace a blob by what `change` makes of it. Its metadata stays."""
    properties = await store.snapshots.properties(name)
    assert properties is not None
    data = await store.snapshots.read(name, 1 << 30)
    await store.snapshots.delete(name)
    await store.snapshots.create(name, change(data), metadata=properties.metadata)


def flip(at: int) -> Change:
    """Flip bits of the byte at a position, counted from the end if it is negative."""

    def change(data: bytes) -> bytes:
        changed = bytearray(data)
        changed[at] ^= 0xFF
        return bytes(changed)

    return change


def flip_middle(data: bytes) -> bytes:
    return flip(len(data) // 2)(data)


def flip_in(chunk: Chunk) -> Change:
    """Flip bits in the middle of a chunk's member."""
    return flip(chunk.offset + chunk.stored // 2)


async def rewrite(
    blobs: SnapshotWriter, folder: PackFolder, pack: str, *, keep: Sequence[int] | None = None, segments: bool = False
) -> Pack:
    """Rewrite a pack as a prune does: the members at some positions, or all, in another order, and remove the old one.

    Returns the new pack.
    """
    name_of = folder.segments if segments else folder.pack
    data = await blobs.read(name_of(pack), 1 << 30)
    members = list(scan_members(data, name_of(pack)))
    kept = [members[at] for at in (range(len(members)) if keep is None else keep)]
    kept = [*kept[1:], kept[0]]
    packer = Packer(1 << 30)
    for each in kept:
        packer.add(each.sha256, data[each.offset : each.offset + each.stored])
    new = packer.finish()
    assert new is not None
    await store_pack(blobs, name_of, new)
    record = [
        Location(was.offset, new.name, now.offset, now.stored) for was, now in zip(kept, new.members, strict=True)
    ]
    await blobs.create(folder.locations(pack), encode_locations(record))
    await blobs.delete(name_of(pack))
    return new


def packs_of(chunks: Iterable[Chunk]) -> list[str]:
    """Return the packs that chunks lie in, in the chunks' order."""
    return list(dict.fromkeys(chunk.pack for chunk in chunks))
