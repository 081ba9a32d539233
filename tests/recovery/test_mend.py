"""The documents that deviate are made alike, with as many writes as there are."""

import random
from typing import Any

import msgspec
import pytest

from indexvault.errors import ConflictError, LossNotAcceptedError
from indexvault.recovery.drift import Drift
from indexvault.recovery.mend import Mended, mend, require_other
from indexvault.recovery.sides import LiveSide
from tests.recovery.conftest import NOTES, CompareBoth, note
from tests.recovery.test_compare import both, delete, drift_apart, write
from tests.world import EAST, WEST, World

__all__ = ["both"]


async def mend_west(world: World, drift: Drift, **options: Any) -> Mended:
    source, target = [await LiveSide.open(service, "notes") for service in (world.east, world.west)]
    return await mend(
        source, target, drift.found, rng=random.Random(1), sleep=world.resources.sleep, fence=_open, **options
    )


async def _open() -> None:
    """Let everything through."""


async def test_drift_is_mended_with_as_many_writes(both: World, compared: CompareBoth) -> None:
    await drift_apart(both)
    before = await both.requests(WEST)
    mended = await mend_west(both, await compared())
    assert (mended.written, mended.deleted, mended.unchanged, mended.refused) == (42, 3, 0, [])
    after = await both.requests(WEST)
    assert (await compared()).is_alike
    assert after["index_documents"]["requests"] - before["index_documents"]["requests"] == 1


async def test_what_became_alike_is_not_written(both: World, compared: CompareBoth) -> None:
    await write(both, WEST, note(4, "changed"))
    drift = await compared()
    await write(both, WEST, note(4))
    assert await mend_west(both, drift) == Mended(target=f"{WEST}/notes", unchanged=1)


HIDING = NOTES | {"fields": [*NOTES["fields"], {"name": "secret", "type": "Edm.String", "retrievable": False}]}


async def test_hidden_fields_of_the_target_keep_their_values(world: World, compared: CompareBoth) -> None:
    for service in (EAST, WEST):
        await world.fill(HIDING, [note(number) | {"secret": f"s{number}"} for number in range(20)], service)
    await world.west.index_documents(
        "notes",
        b'{"value":[{"@search.action":"merge","id":"n000004","text":"changed"}]}',
    )
    await mend_west(world, await compared())
    shown = msgspec.json.decode(msgspec.json.encode(HIDING).replace(b'"retrievable":false', b'"retrievable":true'))
    before = await world.west.index_definition("notes")
    await world.west.update_index("notes", msgspec.json.encode(shown), before=before, preview=False)
    kept = {each["id"]: each for each in await world.documents(WEST, "notes", "id")}
    assert kept["n000004"] == note(4) | {"secret": "s4"}


async def test_documents_are_not_added_without_hidden_fields(world: World, compared: CompareBoth) -> None:
    await world.fill(HIDING, [note(number) | {"secret": "s"} for number in range(20)], EAST)
    await world.fill(HIDING, [note(number) | {"secret": "s"} for number in range(19)], WEST)
    drift = await compared()
    with pytest.raises(LossNotAcceptedError, match="secret"):
        await mend_west(world, drift)
    mended = await mend_west(world, drift, accept_loss=True)
    assert mended.written == 1


async def test_a_lost_lock_stops_it_before_a_write(both: World, compared: CompareBoth) -> None:
    await drift_apart(both)
    drift = await compared()

    async def shut() -> None:
        raise ConflictError("lost", on="the lock", do="")

    source, target = [await LiveSide.open(service, "notes") for service in (both.east, both.west)]
    with pytest.raises(ConflictError):
        await mend(source, target, drift.found, rng=random.Random(1), sleep=both.resources.sleep, fence=shut)
    assert (await compared()).deviating == 45


async def test_nothing_but_another_index_is_mended(both: World) -> None:
    east, west = [await LiveSide.open(service, "notes") for service in (both.east, both.west)]
    assert require_other(east, west) is west
    with pytest.raises(ConflictError, match="same index"):
        require_other(east, east)


@pytest.mark.slow  # fills two indexes of 200,000 documents
async def test_drift_among_many_documents(world: World, compared: CompareBoth) -> None:
    """37 changed, 5 missing and 3 extra of 200,000: found exactly, and mended with 45 writes."""
    many = 200_000
    for service in (EAST, WEST):
        await world.fill(NOTES, (note(number) for number in range(many)), service)
    expected = await drift_apart(world, among=many)
    drift = await compared()
    assert {each.key: each.kind for each in drift.found} == expected
    assert (drift.different, drift.missing, drift.extra, drift.identical) == (37, 5, 3, many - 42)
    mended = await mend_west(world, drift)
    assert (mended.written, mended.deleted) == (42, 3)
    left = await compared()
    assert (left.is_alike, left.identical) == (True, many)
    # Two counts for each range, and pages of at most a thousand documents on both sides.
    assert drift.requests < 2 * many / 1000 * 1.2 + 100, drift.requests


def rooms_index(**price: Any) -> dict[str, Any]:
    """Return an index with a collection of complex values, whose `price` has these attributes; without any, none."""
    inside = [{"name": "number", "type": "Edm.Int32"}]
    inside += [{"name": "price", "type": "Edm.Int32", **price}] if price else []
    rooms = {"name": "rooms", "type": "Collection(Edm.ComplexType)", "fields": inside}
    return NOTES | {"fields": [NOTES["fields"][0], rooms]}


@pytest.mark.parametrize("source", [rooms_index(), rooms_index(retrievable=False)])
async def test_what_collections_hold_besides_is_not_written_over(
    world: World, compared: CompareBoth, source: dict[str, Any]
) -> None:
    """A merge replaces a collection whole: its items would lose the sub-fields that the right side does not return."""
    await world.fill(source, [{"id": "a", "rooms": [{"number": 1}]}], EAST)
    await world.fill(rooms_index(retrievable=True), [{"id": "a", "rooms": [{"number": 2, "price": 80}]}], WEST)
    drift = await compared()
    assert [each.kind for each in drift.found] == ["different"]
    with pytest.raises(LossNotAcceptedError, match="rooms/price"):
        await mend_west(world, drift)
    assert await world.documents(WEST, "notes", "id") == [{"id": "a", "rooms": [{"number": 2, "price": 80}]}]
    assert (await mend_west(world, drift, accept_loss=True)).written == 1


async def test_a_document_that_went_meanwhile_is_not_added_without_hidden_fields(
    world: World, compared: CompareBoth
) -> None:
    for service in (EAST, WEST):
        await world.fill(HIDING, [note(number) | {"secret": "s"} for number in range(3)], service)
    await world.west.index_documents("notes", b'{"value":[{"@search.action":"merge","id":"n000001","text":"changed"}]}')
    drift = await compared()
    assert [each.kind for each in drift.found] == ["different"]
    await delete(world, WEST, "n000001")
    with pytest.raises(LossNotAcceptedError, match="secret"):
        await mend_west(world, drift)
    assert len(await world.documents(WEST, "notes", "id")) == 2


async def test_extra_documents_are_deleted_although_there_are_hidden_fields(
    world: World, compared: CompareBoth
) -> None:
    await world.fill(HIDING, [note(number) | {"secret": "s"} for number in range(3)], EAST)
    await world.fill(HIDING, [note(number) | {"secret": "s"} for number in range(4)], WEST)
    assert (await mend_west(world, await compared())).deleted == 1
