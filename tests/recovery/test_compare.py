"""Two indexes, or an index and a snapshot, are compared document by document."""

import random
from typing import Any

import msgspec
import pytest

from indexvault.errors import ConflictError, UnreadableIndexError
from indexvault.recovery.compare import compare
from indexvault.recovery.drift import Deviating
from indexvault.recovery.sides import LiveSide, SnapshotSide
from indexvault.search.batch import batch, delete_action, upload_action
from indexvault.search.scan import KeyRange
from indexvault.snapshots.catalogue import resolve_manifest
from indexvault.snapshots.names import SnapshotReference
from indexvault.workflow.patience import Patience
from tests.recovery.conftest import NOTES, CompareBoth, note
from tests.world import EAST, LATER, WEST, World

COUNT = 2_500


async def write(world: World, service: str, *documents: dict[str, Any], index: str = "notes") -> None:
    body = batch(upload_action(msgspec.json.encode(each)) for each in documents)
    answer = await world.clients.service(service).index_documents(index, body)
    assert all(each.status for each in answer.results.values())


async def delete(world: World, service: str, *keys: str) -> None:
    await world.clients.service(service).index_documents("notes", batch(delete_action("id", key) for key in keys))


@pytest.fixture
async def both(world: World) -> World:
    for service in (EAST, WEST):
        await world.fill(NOTES, [note(number) for number in range(COUNT)], service)
    return world


async def drift_apart(world: World, *, seed: int = 3, among: int = COUNT) -> dict[str, str]:
    """Change 37 documents, remove 5 and add 3 in the west. Return what deviates, by key."""
    numbers = random.Random(seed).sample(range(among), 42)
    changed, missing = numbers[:37], numbers[37:]
    await write(world, WEST, *(note(number, "changed in the west") for number in changed))
    await delete(world, WEST, *(note(number)["id"] for number in missing))
    extra = [note(number) for number in (among + 1, among + 7, among + 9)]
    await write(world, WEST, *extra)
    return (
        {note(number)["id"]: "different" for number in changed}
        | {note(number)["id"]: "missing" for number in missing}
        | {each["id"]: "extra" for each in extra}
    )


async def test_equal_indexes_are_alike(both: World, compared: CompareBoth) -> None:
    drift = await compared()
    assert drift.is_alike
    assert (drift.identical, drift.deviating, drift.moving) == (COUNT, 0, 0)
    assert both.slept == []


async def test_drift_is_found_to_the_document(both: World, compared: CompareBoth) -> None:
    expected = await drift_apart(both)
    drift = await compared()
    assert {each.key: each.kind for each in drift.found} == expected
    assert (drift.different, drift.missing, drift.extra, drift.moving) == (37, 5, 3, 0)
    assert not drift.is_alike
    assert drift.requests > 0


async def test_of_too_many_only_the_number_is_told(both: World, compared: CompareBoth) -> None:
    await drift_apart(both)
    drift = await compared(most_found=10)
    assert (len(drift.found), drift.left_out) == (10, 35)
    assert (drift.different, drift.missing, drift.extra) == (37, 5, 3)


async def test_counts_alone_find_only_what_changes_them(both: World, compared: CompareBoth) -> None:
    await write(both, WEST, note(3, "changed"))
    assert (await compared(by_counts=True)).is_alike
    await delete(both, WEST, note(4)["id"])
    drift = await compared(by_counts=True)
    assert not drift.is_alike
    assert [(each.one, each.other) for each in drift.ranges] == [(COUNT, COUNT - 1)]


async def test_values_count_and_not_how_they_are_written(world: World, compared: CompareBoth) -> None:
    await world.fill(NOTES, [note(1) | {"rank": 2.0}, note(2)])
    await world.fill(NOTES, [note(1) | {"rank": 2}, {"id": note(2)["id"], "text": "as it was", "rank": 2.5}], WEST)
    drift = await compared()
    assert drift.is_alike


async def test_definitions_are_compared_without_their_names(both: World, compared: CompareBoth) -> None:
    changed = NOTES | {
        "name": "copy",
        "fields": [*NOTES["fields"], {"name": "added", "type": "Edm.String"}],
    }
    await both.fill(changed, [note(number) | {"added": "x"} for number in range(COUNT)], WEST)
    drift = await compared(other="copy")
    assert [each.path for each in drift.definition] == ["fields/added"]
    assert (drift.deviating, drift.identical + drift.equal) == (0, COUNT)
    assert not drift.is_alike


async def test_another_key_field_is_refused(world: World, compared: CompareBoth) -> None:
    await world.fill(NOTES, [])
    other = {"name": "notes", "fields": [{"name": "key", "type": "Edm.String", "key": True}]}
    await world.fill(other, [], WEST)
    with pytest.raises(ConflictError, match="key field"):
        await compared()


def without_order(name: str = "notes") -> dict[str, Any]:
    key = {"name": "id", "type": "Edm.String", "key": True, "filterable": False, "sortable": False}
    return NOTES | {"name": name, "fields": [key, *NOTES["fields"][1:]]}


@pytest.mark.parametrize("ordered", [EAST, WEST])
async def test_one_side_without_key_order_is_looked_up(world: World, compared: CompareBoth, ordered: str) -> None:
    for service in (EAST, WEST):
        definition = NOTES if service == ordered else without_order()
        await world.fill(definition, [note(number) for number in range(50)], service)
    await write(world, WEST, note(3, "changed"), note(77))
    await delete(world, WEST, note(9)["id"])
    drift = await compared()
    found = {each.key: each.kind for each in drift.found}
    # Where keys have no order, a document that only that side has is known by the count alone.
    if ordered == EAST:
        assert found == {note(3)["id"]: "different", note(9)["id"]: "missing"}
        assert (drift.missing, drift.extra, drift.uncounted) == (1, 0, 1)
    else:
        assert found == {note(3)["id"]: "different", note(77)["id"]: "extra"}
        assert (drift.missing, drift.extra, drift.uncounted) == (1, 1, 0)


@pytest.mark.parametrize("ordered", [EAST, WEST])
async def test_counts_are_compared_where_one_side_has_no_key_order(
    world: World, compared: CompareBoth, ordered: str
) -> None:
    for service in (EAST, WEST):
        await world.fill(
            NOTES if service == ordered else without_order(), [note(number) for number in range(50)], service
        )
    before = await compared(by_counts=True)
    await delete(world, WEST, note(9)["id"])
    drift = await compared(by_counts=True)
    assert [(each.one, each.other) for each in drift.ranges] == [(50, 49)]
    assert drift.definition == before.definition
    assert [each.differs for each in (*before.ranges, *drift.ranges)] == [False, True]


async def test_two_sides_without_key_order_are_refused(world: World, compared: CompareBoth) -> None:
    for service in (EAST, WEST):
        await world.fill(without_order(), [note(1)], service)
    with pytest.raises(UnreadableIndexError, match="neither"):
        await compared()


async def test_what_was_only_late_is_no_drift(both: World) -> None:
    """A document arrives in the west after it was read there, and before it is looked up again."""
    await write(both, EAST, note(5, "new"))

    class Late(LiveSide):
        async def find(self, keys: Any) -> dict[str, bytes]:
            await write(both, WEST, note(5, "new"))
            return await super().find(keys)

    one = await Late.open(both.east, "notes")
    two = await LiveSide.open(both.west, "notes")
    drift = await compare(one, two, wait=lambda: Patience(10, both.resources.sleep))
    assert drift.is_alike
    assert drift.identical + drift.equal == COUNT


async def test_what_keeps_changing_is_moving(both: World) -> None:
    """A document is changed between all look-ups: nothing can be said of it."""
    await write(both, EAST, note(5, "new"), note(6, "drifted"))
    turn = 0

    async def sleep(_seconds: float) -> None:
        nonlocal turn
        turn += 1
        await write(both, WEST, note(5, f"turn {turn}"))

    one, two = [await LiveSide.open(service, "notes") for service in (both.east, both.west)]
    drift = await compare(one, two, wait=lambda: Patience(100, sleep))
    assert drift.found == [Deviating(note(5)["id"], "different", moving=True), Deviating(note(6)["id"], "different")]
    assert (drift.different, drift.moving) == (1, 1)
    assert not drift.is_alike


@pytest.mark.parametrize("snapshot_first", [True, False])
async def test_a_snapshot_is_compared_by_its_hashes(both: World, *, snapshot_first: bool) -> None:
    made = await both.back_up("notes")
    manifest = await resolve_manifest(both.store.snapshots, SnapshotReference(EAST, "notes"), now=LATER)
    assert manifest.id == made.snapshot
    expected = await drift_apart(both)
    kept = SnapshotSide(both.store.snapshots, manifest)
    live = await LiveSide.open(both.west, "notes")
    sides = (kept, live) if snapshot_first else (live, kept)
    drift = await compare(*sides, wait=lambda: Patience(10, both.resources.sleep))
    if not snapshot_first:
        turned = {"different": "different", "missing": "extra", "extra": "missing"}
        expected = {key: turned[kind] for key, kind in expected.items()}
    assert {each.key: each.kind for each in drift.found} == expected
    assert drift.identical + drift.equal == COUNT - 42


async def test_two_snapshots_can_be_compared_too(both: World) -> None:
    first = await both.back_up("notes")
    await write(both, EAST, note(11, "later"))
    second = await both.back_up("notes")
    before, after = [
        SnapshotSide(
            both.store.snapshots,
            await resolve_manifest(both.store.snapshots, SnapshotReference(EAST, "notes", each.snapshot), now=LATER),
        )
        for each in (first, second)
    ]
    drift = await compare(before, after, wait=lambda: Patience(10, both.resources.sleep))
    assert drift.found == [Deviating(note(11)["id"], "different")]
    assert both.slept == []


async def test_two_snapshots_with_other_chunks_are_counted_once(world: World) -> None:
    await world.fill(NOTES, [note(number, "x" * 4000) for number in range(COUNT)])
    made = [await world.back_up("notes")]
    await world.east.index_documents("notes", batch(delete_action("id", note(n)["id"]) for n in range(700, 1100)))
    made.append(await world.back_up("notes"))
    blobs = world.store.snapshots

    class Divided(SnapshotSide):
        async def edges(self) -> list[str]:
            lasts = [each.last async for some in self.chunks(KeyRange(None, None)) for each in some]
            return lasts[:-1]

    sides = [
        Divided(blobs, await resolve_manifest(blobs, SnapshotReference(EAST, "notes", each.snapshot), now=LATER))
        for each in made
    ]
    assert len(await sides[0].edges()) > 2
    for one, other in (sides, sides[::-1]):
        counted = await compare(one, other, wait=lambda: Patience(10, world.resources.sleep), by_counts=True)
        assert not counted.is_alike
        numbers = [(sum(each.one or 0 for each in counted.ranges), sum(each.other or 0 for each in counted.ranges))]
        assert numbers == [(COUNT, COUNT - 400) if one is sides[0] else (COUNT - 400, COUNT)]
        drift = await compare(one, other, wait=lambda: Patience(10, world.resources.sleep))
        assert (drift.identical + drift.equal, drift.missing + drift.extra) == (COUNT - 400, 400)
