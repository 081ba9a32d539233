"""Records of roles: created once a generation, and never silently absent."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from indexvault.errors import ConflictError, IntegrityError
from indexvault.snapshots.record_keys import read_record_keys
from indexvault.snapshots.roles import PairRole, copy_role, create_role, first_role, read_role
from indexvault.snapshots.run_names import role_generation, role_name, roles_prefix
from indexvault.snapshots.signed_records import SignedRunBlobs
from tests.memory_store import MemoryRunBlobs, MemoryStore

NOW = datetime(2026, 11, 22, 3, tzinfo=UTC)
KEYS = read_record_keys("3f9c" + "b1d07e52a86440" * 4, "record_key")


def role(generation: int = 1, active: str = "west", run: str = "failover-1") -> PairRole:
    return PairRole(
        pair="contoso",
        generation=generation,
        active=active,
        since=NOW,
        run=run,
        planned=False,
        following=False,
        window=timedelta(minutes=43),
    )


@pytest.fixture
def runs() -> MemoryRunBlobs:
    return MemoryStore(clock=lambda: NOW).runs


def signed(runs: MemoryRunBlobs, account: str = "west") -> SignedRunBlobs:
    return SignedRunBlobs(runs, KEYS, account=account, clock=lambda: NOW)


async def test_the_highest_generation_counts(runs: MemoryRunBlobs) -> None:
    assert await read_role(runs, "contoso") is None
    for generation in (1, 2, 10):
        await create_role(runs, role(generation, run=f"failover-{generation}"))
    await create_role(runs, PairRole(pair="contoso-2", generation=99, active="east", since=NOW, run="other"))
    assert await read_role(runs, "contoso") == role(10, run="failover-10")


async def test_a_role_is_created_once_and_its_run_may_ask_again(runs: MemoryRunBlobs) -> None:
    first = await create_role(runs, role())
    assert await create_role(runs, role()) == first
    with pytest.raises(ConflictError, match="west has become active meanwhile, by run failover-1"):
        await create_role(runs, role(run="failover-2"))
    assert await read_role(runs, "contoso") == first


async def test_of_swaps_at_the_same_time_one_wins(runs: MemoryRunBlobs) -> None:
    tried = await asyncio.gather(
        *(create_role(runs, role(run=f"failover-{number}")) for number in range(20)), return_exceptions=True
    )
    won = [each for each in tried if isinstance(each, PairRole)]
    assert len(won) == 1
    assert sum(isinstance(each, ConflictError) for each in tried) == 19
    assert await read_role(runs, "contoso") == won[0]


async def test_a_damaged_record_is_not_taken_for_none(runs: MemoryRunBlobs) -> None:
    await create_role(runs, role())
    await runs.put(role_name("contoso", 1), b"{}")
    with pytest.raises(IntegrityError, match="record of a role can't be read"):
        await read_role(runs, "contoso")


@pytest.mark.parametrize("name", ["pairs/contoso/2.json", "pairs/contoso/000000002", "pairs/contoso/0000000٣2.json"])
async def test_a_foreign_name_among_the_roles_is_told(runs: MemoryRunBlobs, name: str) -> None:
    await runs.put(name, b"{}")
    with pytest.raises(IntegrityError):
        await read_role(runs, "contoso")


async def test_the_record_of_another_generation_is_refused(runs: MemoryRunBlobs) -> None:
    await create_role(runs, role(1))
    data = await runs.read(role_name("contoso", 1), 1000)
    assert data is not None
    await runs.put(role_name("contoso", 7), data.data)
    with pytest.raises(IntegrityError, match="the record of another role"):
        await read_role(runs, "contoso")


async def test_an_unsigned_role_is_refused_and_hides_no_real_one(runs: MemoryRunBlobs) -> None:
    await create_role(signed(runs), role())
    forged = MemoryStore().runs
    await create_role(forged, role(2, active="east"))
    blob = await forged.read(role_name("contoso", 2), 1000)
    assert blob is not None
    await runs.put(role_name("contoso", 2), blob.data)
    with pytest.raises(IntegrityError, match="counts for nothing: it is not signed"):
        await read_role(signed(runs), "contoso")
    await runs.delete(role_name("contoso", 2))
    assert await read_role(signed(runs), "contoso") == role()


async def test_a_role_that_was_overwritten_without_the_key_is_refused(runs: MemoryRunBlobs) -> None:
    await create_role(signed(runs), role())
    blob = await runs.read(role_name("contoso", 1), 1000)
    assert blob is not None
    forged = blob.data.replace(b"west", b"east")
    await runs.put(role_name("contoso", 1), forged, metadata=blob.metadata)
    with pytest.raises(IntegrityError, match="counts for nothing"):
        await read_role(signed(runs), "contoso")


async def test_a_role_of_another_store_is_refused(runs: MemoryRunBlobs) -> None:
    await create_role(signed(runs, "elsewhere"), role())
    with pytest.raises(IntegrityError, match="counts for nothing"):
        await read_role(signed(runs), "contoso")


async def test_a_role_is_copied_where_it_lacks_once(runs: MemoryRunBlobs) -> None:
    assert await copy_role(runs, role(3))
    assert not await copy_role(runs, role(3))
    assert not await copy_role(runs, role(2))
    with pytest.raises(ConflictError):
        await copy_role(runs, role(3, active="east"))


def test_names_are_in_the_order_of_generations() -> None:
    names = [role_name("a/b", generation) for generation in (1, 9, 10, 999_999_999)]
    assert names == sorted(names)
    assert [role_generation(name) for name in names] == [1, 9, 10, 999_999_999]
    assert all(name.startswith(roles_prefix("a/b")) for name in names)
    assert "/b/" not in names[0]
    assert first_role("a", "east").generation == 0
