"""Trees for the tests: chunks that stand for documents which nobody has, and the whole way from documents to a tree."""

import hashlib
from collections.abc import Iterable, Sequence

import msgspec

from indexvault.snapshots.chunks import Chunk, ends_chunk
from indexvault.snapshots.locations import Location, encode_locations
from indexvault.snapshots.names import PackFolder
from indexvault.snapshots.pack_store import store_pack
from indexvault.snapshots.packs import PACK_LIMIT, Pack, Packer, member, scan_members
from indexvault.snapshots.store import SnapshotWriter
from indexvault.snapshots.tree import Tree, encode_segment, node_of
from indexvault.snapshots.tree_reader import TreeReader
from indexvault.snapshots.tree_writer import TreeWriter
from indexvault.snapshots.used_packs import UsedPacks

FOLDER = PackFolder(service="contoso-east", index="hotels")
PACK = "ab" * 32


def chunks_for(numbers: Iterable[int], *, bits: int = 2, version: str = "", pack: str = PACK) -> list[Chunk]:
    """Return the chunks that documents with these numbers would be cut into; other versions have other hashes."""
    chunks: list[Chunk] = []
    keys: list[str] = []

    def seal() -> None:
        sha256 = hashlib.sha256("".join(keys).encode() + version.encode()).hexdigest()
        chunks.append(Chunk(sha256, keys[0], keys[-1], len(keys), 100 * len(keys), pack, 100 * len(chunks), 100))
        keys.clear()

    for number in sorted(numbers):
        keys.append(f"hotel-{number:07}")
        if ends_chunk(keys[-1], bits):
            seal()
    if keys:
        seal()
    return chunks


async def write_tree(
    blobs: SnapshotWriter, chunks: Sequence[Chunk], *, bits: int = 2, previous: Tree | None = None
) -> tuple[Tree, UsedPacks]:
    """Store the segments above some chunks."""

    async def store(pack: Pack) -> None:
        await store_pack(blobs, FOLDER.segments, pack)

    async with TreeWriter(store, bits, previous=previous, reader=TreeReader(blobs, FOLDER)) as writer:
        for chunk in chunks:
            await writer.add(chunk)
        return await writer.finish(), writer.used


async def read_tree(blobs: SnapshotWriter, tree: Tree) -> list[Chunk]:
    """Return all chunks of a tree."""
    return [chunk async for some in TreeReader(blobs, FOLDER).chunks(tree) for chunk in some]


async def write_overlapping_tree(blobs: SnapshotWriter, chunks: Sequence[Chunk]) -> tuple[Tree, Chunk]:
    """Store a tree that no writer makes: its second segment begins with the chunk that the first one ends with."""
    tree, _used = await write_tree(blobs, chunks)
    first, second = tree.nodes[:2]
    entries, following = await TreeReader(blobs, FOLDER).open([first, second], 1)
    twice = following[0]
    assert isinstance(twice, Chunk)
    assert twice.last < second.last
    data = encode_segment([*entries, twice])
    node = node_of([*entries, twice], data)
    packer = Packer()
    packer.add(node.sha256, member(node.sha256, data))
    pack = packer.finish()
    assert pack is not None
    await store_pack(blobs, FOLDER.segments, pack)
    placed = node.placed(pack.name, 0, pack.members[0].stored)
    return msgspec.structs.replace(tree, nodes=(placed, *tree.nodes[1:])), twice


async def rewrite_pack(blobs: SnapshotWriter, folder: PackFolder, old: str, *, first: int = 0) -> Pack:
    """Rewrite a pack as a prune does: its members in another order, with a record of where they lie now."""
    name = folder.pack(old)
    data = await blobs.read(name, PACK_LIMIT)
    found = list(scan_members(data, name))
    members = [*found[first:][::-1], *found[:first]]
    packer = Packer()
    for each in members:
        packer.add(each.sha256, data[each.offset : each.offset + each.stored])
    pack = packer.finish()
    assert pack is not None
    await store_pack(blobs, folder.pack, pack)
    record = [
        Location(was.offset, pack.name, now.offset, now.stored) for was, now in zip(members, pack.members, strict=True)
    ]
    await blobs.create(folder.locations(old), encode_locations(record))
    await blobs.delete(name)
    return pack
