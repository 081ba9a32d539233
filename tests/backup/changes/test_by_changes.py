"""Reading only what a field says was changed, the whole way from the service to a snapshot."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from indexvault.backup.limits import Limits
from indexvault.errors import SettingsError
from indexvault.settings.model import ChangesSettings
from indexvault.snapshots.catalogue import list_snapshots
from indexvault.snapshots.labels import Labels
from indexvault.snapshots.names import manifest_name
from indexvault.snapshots.verify import verify_index
from tests.backup.changes.live_documents import (
    CHANGES,
    INDEX,
    by_changes,
    definition,
    delete,
    digest_of_index,
    document,
    manifest_of,
    write,
)
from tests.memory_store import MemoryStore
from tests.world import EAST, Calendar, World, open_world

DOCUMENTS = 3_000


@pytest.fixture
def clock() -> Calendar:
    return Calendar()


@pytest.fixture
async def world(clock: Calendar) -> AsyncIterator[World]:
    async with open_world(MemoryStore("local"), clock=clock, limits=Limits(smallest_range=1000)) as opened:
        yield opened


async def fill(world: World, clock: Calendar, documents: int = DOCUMENTS, **key: bool) -> None:
    await world.fill(
        definition(**key), [document(2 * number, clock.now - timedelta(days=1)) for number in range(documents)]
    )
    report = await by_changes(world)
    assert (report.state, report.documents) == ("complete", documents)
    assert report.reading is not None
    assert report.reading.reason.endswith("in full, since there is no snapshot to build on")
    clock.now += timedelta(minutes=30)
    await world.control("DELETE", EAST, "/requests")


async def searches(world: World) -> int:
    return int((await world.requests(EAST))["search"]["requests"])


async def assert_equals(world: World, report: Any) -> None:
    manifest = await manifest_of(world, report.snapshot)
    assert manifest.content_digest == await digest_of_index(world)
    assert manifest.state == "presumed"
    verified = await verify_index(world.store.snapshots, EAST, INDEX)
    assert verified.findings == ()


@pytest.mark.parametrize("facetable", [False, True])
async def test_what_was_changed_added_and_deleted_is_in_the_snapshot(
    world: World, clock: Calendar, *, facetable: bool
) -> None:
    await fill(world, clock, facetable=facetable)
    before = await manifest_of(world)
    await write(world, [document(2 * number, clock.now, 1) for number in range(5, 2000, 400)])
    await write(world, [document(2 * number + 1, clock.now) for number in range(7, 2900, 700)])
    await delete(world, [10, 2222, 5998])
    report = await by_changes(world)
    assert (report.state, report.documents) == ("presumed", DOCUMENTS + 5 - 3)
    assert report.presumption is not None
    assert (report.presumption.base, report.presumption.proved) == (before.id, before.id)
    assert report.presumption.since == "2026-11-16T02:20:00.000Z"
    await assert_equals(world, report)
    assert report.reading is not None
    assert report.reading.method == "changes"
    assert report.reading.requests < 40


async def test_runs_build_on_each_other(world: World, clock: Calendar) -> None:
    await fill(world, clock)
    first = await manifest_of(world)
    for number in range(4):
        await write(world, [document(100 * number, clock.now, number + 1)])
        await delete(world, [1000 + 2 * number])
        report = await by_changes(world)
        assert report.presumption is not None
        assert report.presumption.proved == first.id
        await assert_equals(world, report)
        clock.now += timedelta(minutes=5)


async def test_nothing_changed_writes_no_manifest_and_takes_few_requests(world: World, clock: Calendar) -> None:
    await fill(world, clock)
    before = [blob.name async for blob in world.store.snapshots.list("")]
    report = await by_changes(world, run="quiet")
    total = sum(each["requests"] for each in (await world.requests(EAST)).values())
    assert (report.unchanged, report.state, report.documents) == (True, "complete", DOCUMENTS)
    assert total <= 20
    assert [blob.name async for blob in world.store.snapshots.list("")] == before
    assert [blob.name async for blob in world.store.runs.list("runs/")] == []


async def test_a_snapshot_that_is_to_carry_labels_is_written_even_if_nothing_changed(
    world: World, clock: Calendar
) -> None:
    await fill(world, clock)
    labelled = await by_changes(world, labels=Labels(description="before the release"))
    assert (labelled.unchanged, labelled.state, labelled.added_chunks) == (False, "presumed", 0)
    assert (await manifest_of(world, labelled.snapshot)).description == "before the release"


async def test_documents_without_a_value_are_always_read(world: World, clock: Calendar) -> None:
    await fill(world, clock)
    await write(world, [document(1, None), document(3, None)])
    await assert_equals(world, await by_changes(world))
    clock.now += timedelta(hours=5)
    await write(world, [document(3, None, 7)])
    await assert_equals(world, await by_changes(world))


async def test_a_value_that_very_many_documents_share_is_read_along_the_key(world: World, clock: Calendar) -> None:
    await fill(world, clock)
    await write(world, [document(2 * number + 1, clock.now) for number in range(1_300)])
    report = await by_changes(world, changes=msgspec.structs.replace(CHANGES, margin=timedelta()))
    assert report.presumption is None
    clock.now += timedelta(hours=1)
    async with open_world(
        MemoryStore("local"), clock=clock, limits=Limits(few_changes=5_000, sorted_run_bytes=100_000)
    ) as wide:
        await fill(wide, clock)
        await write(wide, [document(2 * number + 1, clock.now) for number in range(2_300)])
        await assert_equals(wide, await by_changes(wide))


async def test_values_in_the_future_are_read_as_long_as_they_are(world: World, clock: Calendar) -> None:
    await fill(world, clock)
    ahead = clock.now + timedelta(days=300)
    await write(world, [document(2, ahead, 1)])
    await assert_equals(world, await by_changes(world))
    clock.now += timedelta(days=1)
    await write(world, [document(2, ahead, 2)])
    await assert_equals(world, await by_changes(world))


async def test_what_the_field_did_not_name_is_found_where_counts_differ(world: World, clock: Calendar) -> None:
    await fill(world, clock)
    old = clock.now - timedelta(days=300)
    await write(world, [document(number, old) for number in (701, 1_201, 3_333, 6_001)])
    await delete(world, [0, 5_000])
    report = await by_changes(world)
    assert report.documents == DOCUMENTS + 4 - 2
    assert "4 documents were found where counts differed, and not by written" in report.notes[0]
    await assert_equals(world, report)


async def test_an_index_that_was_emptied_or_filled_is_followed(world: World, clock: Calendar) -> None:
    await fill(world, clock, 900)
    await delete(world, range(0, 1800, 2))
    report = await by_changes(world)
    assert report.documents == 0
    await assert_equals(world, report)
    clock.now += timedelta(hours=1)
    await write(world, [document(number, clock.now) for number in range(500)])
    await assert_equals(world, await by_changes(world))


async def test_a_deletion_that_an_undeclared_addition_hides_is_missed_until_the_proof(
    world: World, clock: Calendar
) -> None:
    """The limit of the claim, said in docs/guarantees.md."""
    await fill(world, clock)
    await delete(world, [10])
    await write(world, [document(11, clock.now - timedelta(days=99))])
    missed = await by_changes(world)
    assert missed.unchanged
    clock.now += CHANGES.prove_every
    proof = await by_changes(world)
    assert proof.state == "complete"
    assert proof.reading is not None
    assert "one is due every 7 days" in proof.reading.reason
    assert (await manifest_of(world)).content_digest == await digest_of_index(world)


class TestInFull:
    async def test_a_changed_definition(self, world: World, clock: Calendar) -> None:
        await fill(world, clock)
        current = await world.east.index_definition(INDEX)
        changed = msgspec.json.decode(current.body)
        changed["fields"].append({"name": "new", "type": "Edm.String"})
        await world.east.update_index(INDEX, msgspec.json.encode(changed), before=current, preview=False)
        report = await by_changes(world)
        assert report.reading is not None
        assert "the definition has changed since the last snapshot in what documents depend on" in report.reading.reason
        assert report.state == "complete"

    async def test_an_index_made_anew(self, world: World, clock: Calendar) -> None:
        await fill(world, clock)
        current = await world.east.index_definition(INDEX)
        await world.east.delete_index(INDEX, before=current)
        await world.fill(definition(), [document(number, clock.now - timedelta(days=3)) for number in range(10)])
        report = await by_changes(world)
        assert (report.state, report.documents) == ("complete", 10)

    async def test_an_index_made_anew_that_is_searched_otherwise(self, world: World, clock: Calendar) -> None:
        """The same keys with the same old times hold other values: neither the field nor a count tells."""
        await fill(world, clock)
        kept = await world.documents(EAST, INDEX, "id")
        current = await world.east.index_definition(INDEX)
        await world.east.delete_index(INDEX, before=current)
        other = definition() | {"corsOptions": {"allowedOrigins": ["https://contoso.example"], "maxAgeInSeconds": 300}}
        await world.fill(other, [each | {"text": "made anew"} for each in kept])
        report = await by_changes(world)
        assert report.reading is not None
        assert "the index was made anew" in report.reading.reason
        assert (await manifest_of(world)).content_digest == await digest_of_index(world)

    async def test_more_changes_than_are_worth_it(self, world: World, clock: Calendar) -> None:
        await fill(world, clock)
        await write(world, [document(2 * number, clock.now, 1) for number in range(1_200)])
        report = await by_changes(world)
        assert report.reading is not None
        assert "1,200 of 3,000 documents were changed since" in report.reading.reason
        assert report.state == "complete"

    async def test_a_base_that_can_not_be_read(self, world: World, clock: Calendar) -> None:
        await fill(world, clock)
        for name in [blob.name async for blob in world.store.snapshots.list("") if "/packs/" in blob.name]:
            size = len(await world.store.snapshots.read(name, 10**8))
            await world.store.snapshots.delete(name)
            await world.store.snapshots.create(name, bytes(size))
        await write(world, [document(2, clock.now, 1)])
        report = await by_changes(world)
        assert report.state == "complete"
        assert "the index was read twice: the snapshot that changes are merged into can't be read" in report.notes[0]

    async def test_a_base_that_is_removed_meanwhile(self, world: World, clock: Calendar) -> None:
        await fill(world, clock)
        await write(world, [document(2, clock.now, 1)])
        base = (await list_snapshots(world.store.snapshots, EAST, INDEX))[0]

        async def remove(commit: Any, resources: Any, given: Any) -> Any:
            await world.store.snapshots.delete(manifest_name(EAST, INDEX, base.id))
            return await commit(resources, given)

        world.around["commit_snapshot"] = remove
        report = await by_changes(world)
        assert report.state == "complete"
        assert "read twice" in report.notes[0]


class TestRefusals:
    @pytest.mark.parametrize(
        ("field", "why"),
        [
            ("nothing", "the index has no such field"),
            ("text", "its type, Edm.String, is no time"),
            ("id", "it is the key"),
        ],
    )
    async def test_a_field_that_can_not_do(self, world: World, clock: Calendar, field: str, why: str) -> None:
        await fill(world, clock)
        with pytest.raises(SettingsError, match=why):
            await by_changes(world, ChangesSettings(field=field))

    async def test_a_key_without_an_order(self, world: World) -> None:
        await world.fill(definition(sortable=False), [])
        with pytest.raises(SettingsError, match="not sortable, so deletions can't be found"):
            await by_changes(world)

    async def test_a_field_that_lies_in_the_future(self, world: World, clock: Calendar) -> None:
        await fill(world, clock)
        await write(world, [document(2 * number, clock.now + timedelta(days=30)) for number in range(100)])
        with pytest.raises(SettingsError, match="in the future in 100 of 3,000 documents"):
            await by_changes(world)

    async def test_a_field_that_lies_in_the_future_from_the_first_reading_on(
        self, world: World, clock: Calendar
    ) -> None:
        ahead = clock.now + timedelta(days=30)
        await world.fill(definition(), [document(number, ahead) for number in range(100)])
        with pytest.raises(SettingsError, match="in the future in 100 of 100 documents"):
            await by_changes(world)

    async def test_a_number_that_is_no_time(self, world: World, clock: Calendar) -> None:
        await fill(world, clock)
        await write(world, [document(2, clock.now, 5)])
        with pytest.raises(SettingsError, match="its newest value is no time"):
            await by_changes(world, ChangesSettings(field="version"))
