"""What verification leaves behind for the status: when, and damage until it is seen sound."""

from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest

from indexvault.maintenance.scrub import IndexToVerify, verify_due
from indexvault.maintenance.verified import MOST_FINDINGS, Verified, read_verified, verified_after
from indexvault.snapshots.damage import Finding
from indexvault.snapshots.names import PackFolder, PackName, manifest_name, parse_pack_name
from indexvault.snapshots.run_names import verified_name
from indexvault.snapshots.slices import Slice
from tests import hotels
from tests.memory_store import MemoryStore
from tests.world import EAST, Calendar, open_world

NOW = datetime(2026, 11, 16, 4, tzinfo=UTC)
FOLDER = PackFolder(service=EAST, index="hotels", generation="")


def pack(number: int) -> str:
    return PackName("packs", FOLDER, f"{number:016x}" + "0" * 48).blob


def finding(blob: str) -> Finding:
    return Finding(kind="damaged", blob=blob, what="its bytes are not what was written", snapshots=())


def test_damage_stays_until_its_pack_was_read_sound() -> None:
    first = verified_after(None, 1, [Slice(1, 2)], [finding(pack(0))], NOW)
    assert (first.damaged, [each.blob for each in first.damage]) == (1, [pack(0)])
    second = verified_after(first, 2, [Slice(2, 2)], [], NOW + timedelta(days=7))
    assert [each.blob for each in second.damage] == [pack(0)]
    assert second.damage[0].found == NOW
    third = verified_after(second, 3, [Slice(1, 2)], [], NOW + timedelta(days=14))
    assert (third.damaged, third.damage) == (0, ())
    assert third.at == NOW + timedelta(days=14)


def test_a_manifest_is_looked_at_each_time() -> None:
    gone = finding(manifest_name(EAST, "hotels", "20261116T023000Z-7f3a9c"))
    first = verified_after(None, 1, [Slice(1, 2)], [gone], NOW)
    assert first.damaged == 1
    assert verified_after(first, 2, [Slice(2, 2)], [], NOW).damaged == 0


def test_only_the_first_findings_are_kept_in_words() -> None:
    found = verified_after(None, 1, [Slice(1, 1)], [finding(pack(number)) for number in range(50)], NOW)
    assert (found.damaged, len(found.damage)) == (50, MOST_FINDINGS)


@pytest.mark.parametrize("damaged", [False, True])
async def test_a_turn_records_what_it_found(damaged: bool) -> None:  # noqa: FBT001
    clock = Calendar()
    store = MemoryStore("local")
    async with open_world(store, clock=clock) as world:
        await world.fill(hotels.definition(), hotels.hotels(3))
        await world.back_up("hotels")
        # As an earlier version wrote it, ages ago: all slices are due.
        await store.runs.put(verified_name(EAST, "hotels"), b'{"turn": 1}')
        assert await read_verified(store.runs, EAST, "hotels") == Verified(turn=1)
        if damaged:
            for name in [name for name in store.snapshots._blobs if "/packs/" in name]:
                await store.snapshots.delete(name)
        clock.now += timedelta(days=1)
        await verify_due(world.resources, IndexToVerify("local", EAST, "hotels"))
        found = await read_verified(store.runs, EAST, "hotels")
    assert found is not None
    assert found.at == clock.now
    assert found.damaged == len(found.damage) == int(damaged)


def test_much_new_damage_does_not_make_earlier_damage_forgotten() -> None:
    there = [PackName("packs", FOLDER, sha256(str(number).encode()).hexdigest()).blob for number in range(400)]
    one, two = Slice(1, 4), Slice(2, 4)
    here = [blob for blob in there if one.has(_sha256(blob))][:1]
    many = [blob for blob in there if two.has(_sha256(blob))][: MOST_FINDINGS + 5]
    assert len(many) > MOST_FINDINGS
    first = verified_after(None, 1, [one], [finding(blob) for blob in here], NOW)
    second = verified_after(first, 2, [two], [finding(blob) for blob in many], NOW)
    mended = verified_after(second, 6, [two], [], NOW)
    assert (mended.damaged, [each.blob for each in mended.damage]) == (1, here)


def _sha256(blob: str) -> str:
    found = parse_pack_name(blob)
    assert found is not None
    return found.sha256
