from datetime import timedelta

import msgspec
import pytest

from indexvault.errors import IntegrityError, NotFoundError, SettingsError
from indexvault.snapshots.catalogue import list_snapshots, read_manifest, resolve, resolve_manifest
from indexvault.snapshots.manifest import Loss, Unsettled, UnsettledPart, seal
from indexvault.snapshots.names import SnapshotReference, manifest_name
from indexvault.snapshots.store import Store
from indexvault.snapshots.summary import Summary, summarise, to_metadata
from indexvault.snapshots.tree import Tree
from indexvault.snapshots.used_packs import UsedPacks
from indexvault.snapshots.writer import commit
from tests.memory_store import MemoryStore
from tests.snapshots.samples import LATER, MORNING, documents, manifest_of, write_snapshot

LOSS = Loss(field="secret", reason="not retrievable")


async def three_days(store: Store) -> list[str]:
    """Write a snapshot a day, the second one lossy, and one of a sibling index; return the ids, oldest first."""
    ids = []
    for day in range(3):
        created = MORNING + timedelta(days=day)
        losses = (LOSS,) if day == 1 else ()
        _, summary = await write_snapshot(
            store.snapshots, documents(range(20 + day)), created=created, run=f"run-{day}", losses=losses
        )
        ids.append(summary.id)
    await write_snapshot(store.snapshots, documents(range(5)), index="hotels-2", created=MORNING, run="run-9")
    return ids


async def write_unsettled(store: Store, *, days: int) -> Summary:
    """Write a snapshot that leaves a document open."""
    manifest = manifest_of(Tree(), "00" * 32, created=MORNING + timedelta(days=days), run=f"open-{days}")
    left = Unsettled(documents=1, parts=(UnsettledPart(part="by stars", documents=1),))
    return await commit(
        store.snapshots, msgspec.structs.replace(manifest, state="unsettled", unsettled=left), UsedPacks()
    )


def reference(text: str) -> SnapshotReference:
    return SnapshotReference.parse(text)


class TestListing:
    async def test_gives_an_index_newest_first(self, store: Store) -> None:
        ids = await three_days(store)
        listed = await list_snapshots(store.snapshots, "contoso-east", "hotels")
        assert [summary.id for summary in listed] == ids[::-1]
        assert [summary.state for summary in listed] == ["complete", "lossy", "complete"]
        assert [summary.documents for summary in listed] == [22, 21, 20]

    async def test_gives_a_service_or_a_whole_store(self, store: Store) -> None:
        await three_days(store)
        everything = await list_snapshots(store.snapshots)
        assert [summary.index for summary in everything] == ["hotels"] * 3 + ["hotels-2"]
        assert await list_snapshots(store.snapshots, "contoso-east") == everything
        assert await list_snapshots(store.snapshots, index="hotels-2") == everything[3:]
        assert await list_snapshots(store.snapshots, "contoso") == []
        assert await list_snapshots(store.snapshots, "contoso-east", "hotel") == []

    async def test_reads_no_bodies(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        await three_days(store)
        monkeypatch.delattr(type(store.snapshots), "read")
        assert len(await list_snapshots(store.snapshots)) == 4

    async def test_chunks_without_a_manifest_are_no_snapshot(self, store: Store) -> None:
        (first, *_) = await three_days(store)
        await store.snapshots.delete(manifest_name("contoso-east", "hotels-2", "x"))
        await store.snapshots.delete(manifest_name("contoso-east", "hotels", first))
        assert first not in [summary.id for summary in await list_snapshots(store.snapshots)]
        with pytest.raises(NotFoundError):
            await resolve(store.snapshots, reference(f"contoso-east/hotels@{first}"), now=LATER)

    async def test_passes_over_foreign_blobs(self, store: Store) -> None:
        await three_days(store)
        for name in ("readme.txt", "contoso-east/readme", "contoso-east/hotels/manifests/notes.json", "a.b/c/d"):
            await store.snapshots.create(name, b"hello")
        assert len(await list_snapshots(store.snapshots)) == 4

    async def test_reads_the_manifest_where_a_copy_dropped_the_metadata(self, store: Store) -> None:
        manifest, summary = await write_snapshot(store.snapshots, documents(range(9)))
        name = manifest_name("contoso-east", "hotels", summary.id)
        await store.snapshots.delete(name)
        await store.snapshots.create(name, seal(manifest))
        assert await list_snapshots(store.snapshots) == [summary]

    async def test_shows_a_damaged_manifest_for_what_it_is(self, store: Store) -> None:
        ids = await three_days(store)
        name = manifest_name("contoso-east", "hotels", ids[2])
        await store.snapshots.delete(name)
        await store.snapshots.create(name, b"{}")
        listed = await list_snapshots(store.snapshots, "contoso-east", "hotels")
        assert [(summary.id, summary.state) for summary in listed] == [
            (ids[2], "damaged"),
            (ids[1], "lossy"),
            (ids[0], "complete"),
        ]


class TestResolving:
    async def test_latest_is_the_newest(self, store: Store) -> None:
        ids = await three_days(store)
        assert (await resolve(store.snapshots, reference("contoso-east/hotels@latest"), now=LATER)).id == ids[2]

    @pytest.mark.parametrize(
        ("time", "day"),
        [
            ("2026-11-20", 0),
            ("2026-11-21", 1),
            ("2026-11-20T02:30", 0),
            ("2026-11-21T02:29", 0),
            ("2026-11-21T02:30", 1),
            ("2026-11-22T04:30+02:00", 2),
            ("2030-01-01", 2),
        ],
    )
    async def test_a_time_gives_the_newest_at_or_before_it(self, time: str, day: int) -> None:
        store = MemoryStore()
        ids = await three_days(store)
        assert (await resolve(store.snapshots, reference(f"contoso-east/hotels@{time}"), now=LATER)).id == ids[day]

    async def test_an_id_gives_that_snapshot(self, store: Store) -> None:
        for snapshot in await three_days(store):
            assert (
                await resolve(store.snapshots, reference(f"contoso-east/hotels@{snapshot}"), now=LATER)
            ).id == snapshot

    async def test_a_part_of_an_id_gives_that_snapshot(self, store: Store) -> None:
        ids = await three_days(store)  # their random parts differ in the last digit only
        found = await resolve(store.snapshots, reference(f"contoso-east/hotels@{ids[1][-6:]}"), now=LATER)
        assert found.id == ids[1]
        manifest = await resolve_manifest(store.snapshots, reference(f"contoso-east/hotels@{ids[1][-6:]}"), now=LATER)
        assert manifest.id == ids[1]

    async def test_a_part_of_several_ids_is_refused_with_all_of_them(self, store: Store) -> None:
        ids = await three_days(store)
        asked = reference(f"contoso-east/hotels@{ids[0][-6:-2]}")
        for ask in (resolve, resolve_manifest):
            with pytest.raises(NotFoundError, match="3 snapshots") as caught:
                await ask(store.snapshots, asked, now=LATER)
            assert all(snapshot in caught.value.do for snapshot in ids)

    async def test_a_part_of_an_id_finds_damage_as_the_whole_one_does(self, store: Store) -> None:
        ids = await three_days(store)
        name = manifest_name("contoso-east", "hotels", ids[2])
        await store.snapshots.delete(name)
        await store.snapshots.create(name, b"{}")
        for ask in (resolve, resolve_manifest):
            with pytest.raises(IntegrityError, match=name):
                await ask(store.snapshots, reference(f"contoso-east/hotels@{ids[2][-6:]}"), now=LATER)

    @pytest.mark.parametrize(("point", "day"), [("yesterday", 1), ("-1d", 0), ("-12h", 1), ("-0d", 2)])
    async def test_a_relative_time_gives_the_newest_at_or_before_it(self, point: str, day: int) -> None:
        store = MemoryStore()
        ids = await three_days(store)
        now = MORNING + timedelta(days=1, hours=23, minutes=59) if point != "-0d" else LATER
        if point == "yesterday":
            now = MORNING + timedelta(days=2)
        assert (await resolve(store.snapshots, reference(f"contoso-east/hotels@{point}"), now=now)).id == ids[day]

    async def test_an_index_that_is_misspelt_is_answered_with_what_was_meant(self, store: Store) -> None:
        await three_days(store)
        with pytest.raises(NotFoundError, match=r"did you mean 'hotels'\?") as caught:
            await resolve(store.snapshots, reference("contoso-east/hotel@latest"), now=LATER)
        assert "hotels-2" in caught.value.do
        with pytest.raises(NotFoundError, match=r"did you mean 'contoso-east'\?"):
            await resolve(store.snapshots, reference("contoso-eest/hotels@latest"), now=LATER)

    async def test_what_is_not_there_is_answered_with_what_is(self, store: Store) -> None:
        ids = await three_days(store)
        for missing in ("2026-11-19", "20261120T023000Z-ffffff"):
            with pytest.raises(NotFoundError) as caught:
                await resolve(store.snapshots, reference(f"contoso-east/hotels@{missing}"), now=LATER)
            assert all(snapshot in caught.value.do for snapshot in ids)
        with pytest.raises(NotFoundError, match="hotels-2"):
            await resolve(store.snapshots, reference("contoso-east/motels@latest"), now=LATER)
        with pytest.raises(NotFoundError, match="contoso-east"):
            await resolve(store.snapshots, reference("contoso-west/hotels@latest"), now=LATER)

    async def test_an_empty_store_says_so(self, store: Store) -> None:
        with pytest.raises(NotFoundError, match="no snapshot at all"):
            await resolve(store.snapshots, reference("contoso-west/hotels@latest"), now=LATER)

    async def test_damaged_snapshots_are_passed_over_unless_named(self, store: Store) -> None:
        ids = await three_days(store)
        name = manifest_name("contoso-east", "hotels", ids[2])
        await store.snapshots.delete(name)
        await store.snapshots.create(name, b"{}")
        assert (await resolve(store.snapshots, reference("contoso-east/hotels@latest"), now=LATER)).id == ids[1]
        with pytest.raises(IntegrityError, match=name):
            await resolve(store.snapshots, reference(f"contoso-east/hotels@{ids[2]}"), now=LATER)

    async def test_an_unsettled_one_is_the_latest_only_where_no_other_is(self, store: Store) -> None:
        first = await write_unsettled(store, days=0)
        latest = reference("contoso-east/hotels@latest")
        assert (await resolve(store.snapshots, latest, now=LATER)).id == first.id
        lossy = Loss("hidden", "retrievable is false")
        _, settled = await write_snapshot(
            store.snapshots, documents(range(9)), created=MORNING + timedelta(days=1), losses=(lossy,)
        )
        last = await write_unsettled(store, days=2)
        for text in ("latest", "2026-11-30"):
            asked = reference(f"contoso-east/hotels@{text}")
            assert (await resolve(store.snapshots, asked, now=LATER)).id == settled.id
            assert (await resolve_manifest(store.snapshots, asked, now=LATER)).id == settled.id
        before = reference("contoso-east/hotels@2026-11-20")
        assert (await resolve(store.snapshots, before, now=LATER)).id == first.id
        by_id = reference(f"contoso-east/hotels@{last.id}")
        assert (await resolve(store.snapshots, by_id, now=LATER)).id == last.id

    async def test_one_from_the_future_is_found_by_its_id_alone(self, store: Store) -> None:
        ids = await three_days(store)
        now = MORNING + timedelta(days=1, hours=1)  # the third is from tomorrow
        for text in ("latest", "2026-11-22", "2030-01-01"):
            assert (await resolve(store.snapshots, reference(f"contoso-east/hotels@{text}"), now=now)).id == ids[1]
            found = await resolve_manifest(store.snapshots, reference(f"contoso-east/hotels@{text}"), now=now)
            assert found.id == ids[1]
        by_id = reference(f"contoso-east/hotels@{ids[2]}")
        assert (await resolve(store.snapshots, by_id, now=now)).id == ids[2]

    async def test_where_all_are_from_the_future_the_error_says_so(self, store: Store) -> None:
        _, summary = await write_snapshot(store.snapshots, documents(range(9)))
        with pytest.raises(NotFoundError, match=f"{summary.id} .*in the future: only by its id"):
            await resolve(store.snapshots, reference("contoso-east/hotels@latest"), now=MORNING - timedelta(hours=1))

    @pytest.mark.parametrize(("ahead", "is_latest"), [(-1, True), (0, True), (300, True), (301, False)])
    async def test_clocks_may_differ_by_five_minutes(self, ahead: int, *, is_latest: bool) -> None:
        store = MemoryStore()
        _, summary = await write_snapshot(store.snapshots, documents(range(9)))
        now = MORNING - timedelta(seconds=ahead)
        latest = reference("contoso-east/hotels@latest")
        if is_latest:
            assert (await resolve(store.snapshots, latest, now=now)).id == summary.id
        else:
            with pytest.raises(NotFoundError):
                await resolve(store.snapshots, latest, now=now)


class TestReadingAManifest:
    async def test_by_reference_or_by_summary(self, store: Store) -> None:
        manifest, summary = await write_snapshot(store.snapshots, documents(range(9)))
        assert await read_manifest(store.snapshots, summary) == manifest
        assert await resolve_manifest(store.snapshots, reference("contoso-east/hotels@latest"), now=LATER) == manifest

    async def test_a_reference_without_an_id_must_be_resolved_first(self, store: Store) -> None:
        await write_snapshot(store.snapshots, documents(range(9)))
        with pytest.raises(SettingsError, match="no single snapshot"):
            await read_manifest(store.snapshots, reference("contoso-east/hotels@latest"))

    async def test_one_that_lies_under_anothers_name_is_refused(self, store: Store) -> None:
        manifest, summary = await write_snapshot(store.snapshots, documents(range(9)))
        other = manifest_name("contoso-east", "motels", summary.id)
        await store.snapshots.create(other, seal(manifest), metadata=to_metadata(summary))
        with pytest.raises(IntegrityError) as caught:
            await resolve_manifest(store.snapshots, reference("contoso-east/motels@latest"), now=LATER)
        assert caught.value.on == other

    async def test_one_that_is_gone_is_named(self, store: Store) -> None:
        summary_of_nothing = reference("contoso-east/hotels@20261120T023000Z-7f3a9c")
        with pytest.raises(NotFoundError, match="20261120T023000Z-7f3a9c"):
            await read_manifest(store.snapshots, summary_of_nothing)
        ids = await three_days(store)
        with pytest.raises(NotFoundError) as caught:
            await read_manifest(store.snapshots, summary_of_nothing)
        assert all(snapshot in caught.value.do for snapshot in ids)

    async def test_the_manifest_decides_what_the_metadata_can_only_say(self, store: Store) -> None:
        manifest = manifest_of(Tree(), "0" * 64, losses=(LOSS,))
        name = manifest_name("contoso-east", "hotels", manifest.id)
        boast = to_metadata(summarise(manifest)) | {"state": "complete", "losses": "0"}
        await store.snapshots.create(name, seal(manifest), metadata=boast)
        assert (
            await resolve_manifest(store.snapshots, reference("contoso-east/hotels@latest"), now=LATER)
        ).state == "lossy"


async def test_proved_means_the_newest_full_reading_and_presumed_ones_are_the_latest(store: Store) -> None:
    hour = timedelta(hours=1)
    made, full = await write_snapshot(store.snapshots, documents(range(9)))
    _, presumed = await write_snapshot(
        store.snapshots, documents(range(10)), created=MORNING + hour, run="two", proved=made
    )
    found = {}
    now = MORNING + 2 * hour
    for point in ("latest", "proved", "2026-11-20T03:30", presumed.id, full.id):
        reference = SnapshotReference.parse(f"contoso-east/hotels@{point}")
        found[point] = (await resolve(store.snapshots, reference, now=now)).id
        proved = msgspec.structs.replace(reference, proved=True)
        if point != presumed.id:
            assert (await resolve_manifest(store.snapshots, proved, now=now)).id == full.id
            continue
        for choosing in (resolve, resolve_manifest):
            with pytest.raises(NotFoundError, match=f"not proved; the full reading it builds on is {full.id}"):
                await choosing(store.snapshots, proved, now=now)
    assert found == {
        "latest": presumed.id,
        "proved": full.id,
        "2026-11-20T03:30": presumed.id,
        presumed.id: presumed.id,
        full.id: full.id,
    }
    assert str(SnapshotReference.parse("contoso-east/hotels@proved")) == "contoso-east/hotels@proved"
