"""What a verification reports of each kind of damage, and what it reads."""

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from indexvault.errors import IntegrityError, NotFoundError
from indexvault.snapshots.chunk_check import document_check
from indexvault.snapshots.chunks import Chunk
from indexvault.snapshots.manifest import Manifest
from indexvault.snapshots.names import PackFolder, manifest_name
from indexvault.snapshots.pack_store import store_pack
from indexvault.snapshots.packs import Packer, member
from indexvault.snapshots.reader import read_chunk
from indexvault.snapshots.slices import Slice
from indexvault.snapshots.store import BlobProperties, Store
from indexvault.snapshots.tree import encode_segment, node_of
from indexvault.snapshots.tree_reader import TreeReader
from indexvault.snapshots.used_packs import used_packs
from indexvault.snapshots.verify import VerifyReport, verify_index
from indexvault.snapshots.writer import commit
from tests.memory_store import MemoryStore
from tests.snapshots.damaging import Change, flip, flip_in, flip_middle, packs_of, replace, rewrite
from tests.snapshots.samples import MORNING, chunks_of, cut, document, documents, verified, write_snapshot

EAST, HOTELS = "contoso-east", "hotels"
LINES = documents(range(300))
FINE: dict[str, Any] = {"bits": 2, "pack_bytes": 4000}
"""So many chunks that they stand in segments, and several packs."""


async def two_snapshots(store: Store, **fine: Any) -> tuple[Manifest, Manifest]:
    """Return two snapshots that share all chunks but one."""
    first, _ = await write_snapshot(store.snapshots, LINES, **fine)
    changed = LINES | dict([document(150, " b")])
    created = MORNING + timedelta(days=1)
    second, _ = await write_snapshot(store.snapshots, changed, created=created, run="run-2", previous=first, **fine)
    return first, second


async def verify(store: Store, **choices: Any) -> VerifyReport:
    return await verify_index(store.snapshots, EAST, HOTELS, **choices)


async def own_of(store: Store, one: Manifest, other: Manifest) -> Chunk:
    """Return the chunk that only one of two snapshots has."""
    others = {chunk.sha256 for chunk in await chunks_of(store.snapshots, other)}
    (own,) = [chunk for chunk in await chunks_of(store.snapshots, one) if chunk.sha256 not in others]
    return own


@pytest.mark.parametrize("fine", [{}, FINE], ids=["root", "segments"])
async def test_a_shared_chunk_is_read_once(store: Store, fine: dict[str, Any]) -> None:
    first, second = await two_snapshots(store, **fine)
    assert first.tree.level == bool(fine)
    seen: list[Chunk] = []
    report = await verify(store, progress=seen.append)
    report.raise_for_damage()
    assert (report.snapshots, report.findings, report.unnamed) == (2, (), 0)
    chunks = {*await chunks_of(store.snapshots, first), *await chunks_of(store.snapshots, second)}
    assert report.chunks == report.chunks_named == len(seen) == len(chunks)
    assert len(seen) == first.tree.count + 1
    assert seen[: second.tree.count] == await chunks_of(store.snapshots, second)


async def test_what_is_shared_is_not_fetched_again(monkeypatch: pytest.MonkeyPatch) -> None:
    store = MemoryStore()
    first, second = await two_snapshots(store, **FINE)
    read = await read_bytes(store, monkeypatch)
    assert second.stored <= read < 1.3 * first.stored


async def read_bytes(store: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> int:
    """Return how many bytes of packs a verification reads."""
    read_range = store.snapshots.read_range
    asked: list[int] = []

    async def counted(name: str, offset: int, length: int) -> bytes:
        if "/packs/" in name:
            asked.append(length)
        return await read_range(name, offset, length)

    with monkeypatch.context() as patched:
        patched.setattr(store.snapshots, "read_range", counted)
        await verify(store)
    return sum(asked)


@pytest.mark.parametrize("depth", ["content", "sizes"])
async def test_a_missing_pack_is_named_with_every_snapshot_it_belongs_to(store: Store, depth: str) -> None:
    first, second = await two_snapshots(store, **FINE)
    shared, own = (await chunks_of(store.snapshots, first))[0], await own_of(store, second, first)
    assert shared.pack != own.pack
    await store.snapshots.delete(first.folder.pack(shared.pack))
    await store.snapshots.delete(first.folder.pack(own.pack))
    reports = [await verify(store, depth=depth, only=only) for only in (None, [second.id])]
    for report in reports:
        found = {finding.blob: (finding.kind, finding.snapshots) for finding in report.findings}
        assert found == {
            first.folder.pack(shared.pack): ("missing", (first.id, second.id)),
            first.folder.pack(own.pack): ("missing", (second.id,)),
        }
    with pytest.raises(IntegrityError, match=second.id):
        reports[0].raise_for_damage()


@pytest.mark.parametrize(
    ("damage", "shows_in_sizes"),
    [(flip_middle, False), (lambda data: data[:-5], True), (lambda _: b"", True)],
    ids=["flipped byte", "truncated", "empty"],
)
async def test_a_damaged_pack_is_found_by_its_content_and_by_its_size_if_that_changed(
    store: Store, damage: Change, *, shows_in_sizes: bool
) -> None:
    first, second = await two_snapshots(store, **FINE)
    pack = packs_of(await chunks_of(store.snapshots, first))[1]
    name = first.folder.pack(pack)
    await replace(store, name, damage)
    by_content, by_size = await verify(store), await verify(store, depth="sizes")
    (found,) = by_content.findings
    assert (found.blob, found.kind, found.snapshots) == (name, "damaged", (first.id, second.id))
    assert [each.blob for each in by_size.findings] == [name] * shows_in_sizes
    assert 0 < by_content.chunks < by_content.chunks_named


async def test_damage_in_a_pack_belongs_to_the_snapshots_that_use_what_is_damaged(store: Store) -> None:
    """A pack that two snapshots share may be damaged where only one of them needs it."""
    first, second = await two_snapshots(store)
    own = await own_of(store, first, second)
    name = first.folder.pack(own.pack)
    assert own.pack in packs_of(await chunks_of(store.snapshots, second))
    await replace(store, name, flip_in(own))
    report = await verify(store)
    assert [(found.blob, found.snapshots) for found in report.damage] == [(name, (first.id,))]
    assert report.chunks == report.chunks_named - 1


@pytest.mark.parametrize("where", [0, 3, 9, 10, 14, 16, 19, 20, 51, 52, -8, -1], ids=str)
async def test_flipped_bits_are_found_wherever_they_are_in_a_member(where: int) -> None:
    """Header, extra field, length, hash, the deflated bytes, checksum and size."""
    store = MemoryStore()
    manifest, _ = await write_snapshot(store.snapshots, LINES)
    chunk = (await chunks_of(store.snapshots, manifest))[3]
    name = manifest.folder.pack(chunk.pack)
    await replace(store, name, flip(chunk.offset + (where if where >= 0 else chunk.stored + where)))
    report = await verify(store)
    assert [(found.blob, found.snapshots) for found in report.damage] == [(name, (manifest.id,))]
    assert report.chunks == report.chunks_named - 1


@pytest.mark.parametrize("what", ["gone", "flipped", "cut"])
async def test_a_damaged_segment_is_named_and_the_rest_is_checked(store: Store, what: str) -> None:
    first, second = await two_snapshots(store, **FINE)
    nodes = [node async for node in TreeReader(store.snapshots, first.folder).nodes(first.tree, 1)]
    shared = {node.pack for node in second.tree.nodes} & {node.pack for node in nodes}
    (name,) = [first.folder.segments(pack) for pack in shared]
    if what == "gone":
        await store.snapshots.delete(name)
    else:
        at = nodes[0].offset + nodes[0].stored // 2
        await replace(store, name, flip(at) if what == "flipped" else lambda data: data[: nodes[-1].offset + 9])
    report = await verify(store)
    (found,) = report.damage
    assert (found.blob, found.kind) == (name, "missing" if what == "gone" else "damaged")
    assert first.id in found.snapshots
    assert report.unnamed is None
    assert 0 < report.chunks == report.chunks_named < first.tree.count


async def test_a_rewritten_pack_is_read_where_its_chunks_lie_now(store: Store) -> None:
    first, _second = await two_snapshots(store, **FINE)
    for pack in packs_of(await chunks_of(store.snapshots, first))[:3]:
        await rewrite(store.snapshots, first.folder, (await rewrite(store.snapshots, first.folder, pack)).name)
    (segments,) = {node.pack for node in first.tree.nodes}
    await rewrite(store.snapshots, first.folder, segments, segments=True)
    for depth in ("content", "sizes"):
        report = await verify(store, depth=depth)
        assert (report.findings, report.unnamed) == ((), 0)
        assert report.chunks == report.chunks_named == first.tree.count + 1


@pytest.mark.parametrize("depth", ["content", "sizes"])
@pytest.mark.parametrize("what", ["unreadable", "lacks one", "gone"])
async def test_a_damaged_record_of_locations_is_named(store: Store, what: str, depth: str) -> None:
    first, second = await two_snapshots(store, **FINE)
    pack = packs_of(await chunks_of(store.snapshots, first))[0]
    await rewrite(store.snapshots, first.folder, pack, keep=[1, 2, 3] if what == "lacks one" else None)
    record = first.folder.locations(pack)
    if what == "gone":
        await store.snapshots.delete(record)
    elif what == "unreadable":
        await replace(store, record, flip_middle)
    report = await verify(store, depth=depth)
    (found,) = report.damage
    expected = (first.folder.pack(pack), "missing") if what == "gone" else (record, "damaged")
    assert (found.blob, found.kind) == expected
    assert found.snapshots == (first.id, second.id)


@pytest.mark.parametrize("depth", ["content", "sizes"])
async def test_what_is_wrong_with_a_rewritten_pack_is_said_of_the_new_one(store: Store, depth: str) -> None:
    first, second = await two_snapshots(store, **FINE)
    one, other = packs_of(await chunks_of(store.snapshots, first))[:2]
    gone = await rewrite(store.snapshots, first.folder, one)
    await store.snapshots.delete(first.folder.pack(gone.name))
    cut_off = await rewrite(store.snapshots, first.folder, other)
    await replace(store, first.folder.pack(cut_off.name), lambda data: data[:-1])
    found = {each.blob: (each.kind, each.snapshots) for each in (await verify(store, depth=depth)).damage}
    assert found == {
        first.folder.pack(gone.name): ("missing", (first.id, second.id)),
        first.folder.pack(cut_off.name): ("damaged", (first.id, second.id)),
    }


async def test_an_edited_manifest_is_damaged_and_the_others_are_still_checked(store: Store) -> None:
    first, second = await two_snapshots(store)
    name = manifest_name(EAST, HOTELS, first.id)
    await replace(store, name, lambda data: data.replace(b'"complete"', b'"lossy"'))
    report = await verify(store)
    assert [(finding.blob, finding.snapshots) for finding in report.findings] == [(name, (first.id,))]
    assert "checksum" in report.findings[0].what
    assert (report.snapshots, report.chunks, report.unnamed) == (1, second.tree.count, None)


async def test_a_wrong_summary_is_found(store: Store) -> None:
    first, _ = await two_snapshots(store)
    name = manifest_name(EAST, HOTELS, first.id)
    data = await store.snapshots.read(name, 10**6)
    await store.snapshots.delete(name)
    await store.snapshots.create(name, data, metadata={"documents": "7"})
    assert [finding.blob for finding in (await verify(store)).damage] == [name]


async def test_a_manifest_that_should_be_there_is_damage(store: Store) -> None:
    first, second = await two_snapshots(store)
    name = manifest_name(EAST, HOTELS, first.id)
    await store.snapshots.delete(name)
    for only in (None, [first.id]):
        report = await verify(store, only=only, missing={first.id: "the manifest has vanished"})
        assert [(each.kind, each.blob, each.what, each.snapshots) for each in report.damage] == [
            ("missing", name, "the manifest has vanished", (first.id,))
        ]
        with pytest.raises(IntegrityError, match=name):
            report.raise_for_damage()
    sound = await verify(store, only=[second.id], missing={first.id: "the manifest has vanished"})
    assert sound.damage == ()
    with pytest.raises(NotFoundError):
        await verify(store, only=[first.id])


async def test_a_missing_manifest_leaves_packs_that_no_snapshot_uses(store: Store) -> None:
    first, second = await two_snapshots(store, **FINE)
    only_second = (await used_packs(store.snapshots, second)).names(second.folder)
    only_second -= (await used_packs(store.snapshots, first)).names(first.folder)
    sizes = {blob.name: blob.size async for blob in store.snapshots.list("")}
    await store.snapshots.delete(manifest_name(EAST, HOTELS, second.id))
    report = await verify(store)
    assert (report.findings, report.snapshots, report.unnamed) == ((), 1, len(only_second))
    assert len(only_second) >= 2
    assert report.unnamed_bytes == sum(sizes[name] for name in only_second)
    with pytest.raises(NotFoundError):
        await verify(store, only=[second.id])


async def test_a_foreign_blob_is_named_and_no_damage(store: Store) -> None:
    await two_snapshots(store)
    names = [
        f"{EAST}/{HOTELS}/{name}"
        for name in ("packs/notes.txt", "segments/a/b.jsonl.gz", "locations/x", "manifests/latest.json", "readme")
    ]
    for name in names:
        await store.snapshots.create(name, b"?")
    report = await verify(store)
    assert sorted(finding.blob for finding in report.findings) == sorted(names)
    assert report.damage == ()
    report.raise_for_damage()


async def test_slices_together_read_every_chunk_once(store: Store) -> None:
    await two_snapshots(store, **FINE)
    reports = [await verify(store, sample=Slice(number, 5)) for number in range(1, 6)]
    assert sum(report.chunks for report in reports) == reports[0].chunks_named
    assert all(not report.findings for report in reports)
    assert all(report.chunks < report.chunks_named for report in reports)


async def test_a_slice_finds_damage_in_it_only_but_every_missing_pack() -> None:
    store = MemoryStore()
    first, _ = await two_snapshots(store, **FINE)
    packs = packs_of(await chunks_of(store.snapshots, first))
    flipped, missing = first.folder.pack(packs[1]), first.folder.pack(packs[3])
    await replace(store, flipped, flip_middle)
    await store.snapshots.delete(missing)
    found = [
        {finding.blob for finding in (await verify(store, sample=Slice(number, 4))).findings} for number in range(1, 5)
    ]
    assert all(missing in blobs for blobs in found)
    assert sum(flipped in blobs for blobs in found) == 1


async def test_a_shared_chunk_lies_in_its_generation(store: Store) -> None:
    first, second = await two_snapshots(store)
    created = MORNING + timedelta(days=2)
    fresh, _ = await write_snapshot(store.snapshots, LINES, created=created, run="run-3", generation="g2")
    pack = packs_of(await chunks_of(store.snapshots, first))[0]
    await store.snapshots.delete(first.folder.pack(pack))
    assert [each.snapshots for each in (await verify(store)).findings] == [(first.id, second.id)]
    await store.snapshots.delete(fresh.folder.pack(pack))
    assert (fresh.id,) in [each.snapshots for each in (await verify(store)).findings]


@pytest.mark.parametrize("depth", ["content", "sizes"])
async def test_a_pack_stored_while_the_listing_was_under_way_is_not_missing(
    monkeypatch: pytest.MonkeyPatch, depth: str
) -> None:
    store = MemoryStore()
    manifest, _ = await write_snapshot(store.snapshots, documents(range(100)))
    late = manifest.folder.pack((await chunks_of(store.snapshots, manifest))[0].pack)
    listing = store.snapshots.list

    async def stale(prefix: str) -> AsyncIterator[BlobProperties]:
        async for blob in listing(prefix):
            if blob.name != late:
                yield blob

    monkeypatch.setattr(store.snapshots, "list", stale)
    assert (await verify(store, depth=depth)).damage == ()


async def test_progress_counts_the_chunks_of_the_slice_alone() -> None:
    store = MemoryStore()
    await write_snapshot(store.snapshots, LINES, **FINE)
    heard: list[Chunk] = []
    report = await verify(store, sample=Slice(number=1, total=3), progress=heard.append)
    assert 0 < len(heard) == report.chunks < report.chunks_named


@pytest.mark.parametrize("depth", ["content", "sizes"])
async def test_a_sound_snapshot_is_checked_whole(store: Store, depth: str) -> None:
    manifest, _ = await write_snapshot(store.snapshots, LINES, **FINE)
    seen: list[Chunk] = []
    report = await verify(store, progress=seen.append, depth=depth)
    report.raise_for_damage()
    assert report == VerifyReport(
        service=EAST,
        index=HOTELS,
        snapshots=1,
        chunks_named=manifest.tree.count,
        chunks=manifest.tree.count,
        documents=300,
        bytes=manifest.bytes,
        unnamed=0,
        unnamed_bytes=0,
        findings=(),
    )
    assert seen == await chunks_of(store.snapshots, manifest)


async def test_an_empty_snapshot_is_sound(store: Store) -> None:
    manifest, _ = await write_snapshot(store.snapshots, {})
    assert (await verified(store.snapshots, manifest)).damage == ()


async def test_each_damaged_pack_is_named(store: Store) -> None:
    manifest, _ = await write_snapshot(store.snapshots, LINES, **FINE)
    names = sorted(manifest.folder.pack(pack) for pack in packs_of(await chunks_of(store.snapshots, manifest))[1:4:2])
    for name in names:
        await replace(store, name, flip_middle)
    report = await verified(store.snapshots, manifest)
    assert [found.blob for found in report.damage] == names
    with pytest.raises(IntegrityError) as caught:
        report.raise_for_damage()
    assert all(name in str(caught.value) for name in names)


async def test_a_missing_manifest_is_named(store: Store) -> None:
    manifest, summary = await write_snapshot(store.snapshots, LINES)
    name = manifest_name(EAST, HOTELS, summary.id)
    await store.snapshots.delete(name)
    with pytest.raises(NotFoundError) as caught:
        await verified(store.snapshots, manifest)
    assert caught.value.on == f"{EAST}/{HOTELS}@{summary.id}"


async def test_a_summary_that_is_not_the_manifests_is_named(store: Store) -> None:
    manifest, summary = await write_snapshot(store.snapshots, LINES)
    name = manifest_name(EAST, HOTELS, summary.id)
    data = await store.snapshots.read(name, 10**6)
    await store.snapshots.delete(name)
    await store.snapshots.create(name, data)
    report = await verified(store.snapshots, manifest)
    assert [(found.blob, "metadata" in found.what) for found in report.damage] == [(name, True)]


class TestContent:
    """Chunks that hash as they should, of a tree that is wrong about the documents in them."""

    @pytest.fixture
    def forge(self) -> Callable[[list[bytes]], Awaitable[str]]:
        async def forge(lines: list[bytes]) -> str:
            store = MemoryStore()
            honest = cut(LINES, bits=14)[0].chunk
            data = b"\n".join(lines) + b"\n"
            folder = PackFolder(service=EAST, index=HOTELS)
            listed = msgspec.structs.replace(
                honest, sha256=hashlib.sha256(data).hexdigest(), documents=data.count(b"\n"), bytes=len(data)
            )
            packer = Packer()
            packer.add(listed.sha256, member(listed.sha256, data))
            pack = packer.finish()
            assert pack is not None
            await store_pack(store.snapshots, folder.pack, pack)
            chunk = listed.placed(pack.name, 0, len(pack.data))
            with pytest.raises(IntegrityError) as caught:
                document_check(folder, "HotelId", summed=False)(chunk, await read_chunk(store.snapshots, folder, chunk))
            assert "packs/" in caught.value.on
            return caught.value.what

        return forge

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            (lambda lines: [lines[1], lines[0], *lines[2:]], "first and last"),
            (lambda lines: [lines[0], lines[2], lines[1], *lines[3:]], "key order"),
            (lambda lines: [lines[0], lines[1], lines[1], *lines[2:]], "key order"),
            (lambda lines: [lines[0], b"{}", *lines[2:]], "HotelId"),
            (lambda lines: [lines[0], b"[]", *lines[2:]], "HotelId"),
            (lambda lines: [lines[0], b"{", *lines[2:]], "HotelId"),
            (lambda lines: [lines[0], b'{"HotelId":7}', *lines[2:]], "HotelId"),
            (lambda lines: [lines[0], b'{"HotelId":"a","x":' + b"[" * 200 + b"]" * 200 + b"}", *lines[2:]], "HotelId"),
            (lambda lines: [lines[0], b"", *lines[1:]], "one document"),
            (lambda lines: [lines[0], lines[1] + b"," + lines[2], *lines[3:]], "HotelId"),
            (lambda lines: lines[:-1], "first and last"),
        ],
        ids=[
            "swapped ends",
            "swapped",
            "repeated",
            "no key",
            "no object",
            "no json",
            "key no string",
            "deep",
            "empty line",
            "two on a line",
            "short",
        ],
    )
    async def test_is_checked_document_by_document(
        self,
        forge: Callable[[list[bytes]], Awaitable[str]],
        change: Callable[[list[bytes]], list[bytes]],
        said: str,
    ) -> None:
        what = await forge(change(list(LINES.values())))
        assert said in what
        assert "Hôtel" not in what

    async def test_must_add_up_to_the_manifests_digest(self) -> None:
        store = MemoryStore()
        manifest, _ = await write_snapshot(store.snapshots, LINES)
        await store.snapshots.delete(manifest_name(EAST, HOTELS, manifest.id))
        wrong = msgspec.structs.replace(manifest, content_digest="0" * 64)
        await commit(store.snapshots, wrong, await used_packs(store.snapshots, manifest))
        report = await verified(store.snapshots, manifest)
        assert any("content digest" in found.what for found in report.damage)


async def test_a_shared_segment_before_which_keys_end_later_is_damage(store: Store) -> None:
    """Its keys rise in the one tree, and overlap with those before it in the other."""
    sound, _ = await write_snapshot(store.snapshots, LINES, **FINE)
    one, _ = await write_snapshot(
        store.snapshots, LINES, created=MORNING - timedelta(days=1), run="run-2", previous=sound, **FINE
    )
    first, second = one.tree.nodes[:2]
    (entries,) = await TreeReader(store.snapshots, one.folder).open([first], 1)
    (following,) = await TreeReader(store.snapshots, one.folder).open([second], 1)
    sealed = {each.chunk.sha256: each for each in cut(LINES, 2)}
    beyond = sealed[following[0].sha256]
    overlapping = [*entries, following[0]]
    data = encode_segment(overlapping)
    packer = Packer()
    node = node_of(overlapping, data)
    packer.add(node.sha256, member(node.sha256, data))
    pack = packer.finish()
    assert pack is not None
    await store_pack(store.snapshots, one.folder.segments, pack)
    placed = node.placed(pack.name, 0, pack.members[0].stored)
    assert second.last > beyond.chunk.last
    tree = msgspec.structs.replace(one.tree, nodes=(placed, *one.tree.nodes[1:]))
    forged = msgspec.structs.replace(
        one,
        id="20261118T023000Z-aaaaaa",
        created=MORNING - timedelta(days=2),
        tree=tree,
        bytes=tree.bytes,
        stored=tree.stored,
        counts=msgspec.structs.replace(one.counts, documents=tree.documents),
    )
    await commit(store.snapshots, forged, await used_packs(store.snapshots, sound))
    report = await verify(store)
    (finding,) = report.findings
    assert "not in key order" in finding.what
    assert forged.id in finding.snapshots
