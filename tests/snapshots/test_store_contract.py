"""The contract of `snapshots.store`, tested on every implementation."""

import asyncio
import hashlib
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from indexvault.errors import ConflictError, IntegrityError, NotFoundError
from indexvault.snapshots.store import Store
from tests.keyed import keyed

LIMIT = 1024


@pytest.fixture(params=["without a key", "with a key"])
def store(request: pytest.FixtureRequest, store: Store) -> Store:
    """Return the store in each implementation, and each with signed records too."""
    return store if request.param == "without a key" else keyed(store)


class TestSnapshotBlobs:
    async def test_gives_back_the_bytes_that_were_created(self, store: Store) -> None:
        assert await store.snapshots.create("a/hotels/x.json", b"\x00\xff\r\n", content_type="application/json")
        assert await store.snapshots.read("a/hotels/x.json", LIMIT) == b"\x00\xff\r\n"

    async def test_keeps_an_empty_blob(self, store: Store) -> None:
        assert await store.snapshots.create("empty", b"")
        assert await store.snapshots.read("empty", 0) == b""

    async def test_never_overwrites(self, store: Store) -> None:
        assert await store.snapshots.create("a", b"first", metadata={"state": "complete"})
        assert not await store.snapshots.create("a", b"second", metadata={"state": "lossy"})
        assert await store.snapshots.read("a", LIMIT) == b"first"
        properties = await store.snapshots.properties("a")
        assert properties is not None
        assert properties.metadata == {"state": "complete"}

    async def test_of_many_creators_at_once_exactly_one_wins(self, store: Store) -> None:
        contents = [f"writer {number}".encode() for number in range(8)]
        won = await asyncio.gather(*(store.snapshots.create("a", content) for content in contents))
        assert sum(won) == 1
        assert await store.snapshots.read("a", LIMIT) == contents[won.index(True)]

    async def test_reads_up_to_its_limit_and_refuses_more(self, store: Store) -> None:
        await store.snapshots.create("a", b"12345")
        assert await store.snapshots.read("a", 5) == b"12345"
        with pytest.raises(IntegrityError) as caught:
            await store.snapshots.read("a", 4)
        assert caught.value.on.endswith("search-snapshots/a")

    async def test_reads_a_range(self, store: Store) -> None:
        await store.snapshots.create("a", b"12345")
        assert await store.snapshots.read_range("a", 0, 5) == b"12345"
        assert await store.snapshots.read_range("a", 1, 3) == b"234"
        assert await store.snapshots.read_range("a", 4, 1) == b"5"

    @pytest.mark.parametrize(("offset", "length"), [(0, 6), (4, 2), (5, 1), (9, 4)])
    async def test_refuses_a_range_that_the_blob_does_not_have(self, store: Store, offset: int, length: int) -> None:
        await store.snapshots.create("a", b"12345")
        with pytest.raises(IntegrityError) as caught:
            await store.snapshots.read_range("a", offset, length)
        assert caught.value.on.endswith("search-snapshots/a")

    async def test_refuses_a_range_of_an_empty_blob(self, store: Store) -> None:
        await store.snapshots.create("empty", b"")
        with pytest.raises(IntegrityError):
            await store.snapshots.read_range("empty", 0, 1)

    async def test_reading_a_range_of_what_is_not_there_names_it(self, store: Store) -> None:
        with pytest.raises(NotFoundError) as caught:
            await store.snapshots.read_range("no/such", 0, 1)
        assert caught.value.on.endswith("search-snapshots/no/such")

    async def test_reading_what_is_not_there_names_it(self, store: Store) -> None:
        with pytest.raises(NotFoundError) as caught:
            await store.snapshots.read("no/such", LIMIT)
        assert caught.value.on.endswith("search-snapshots/no/such")
        assert store.name in caught.value.on

    async def test_knows_properties_without_reading(self, store: Store) -> None:
        before = datetime.now(UTC) - timedelta(minutes=1)
        await store.snapshots.create("a", b"12345", metadata={"documents": "7", "addedstored": "0"})
        properties = await store.snapshots.properties("a")
        assert properties is not None
        assert (properties.name, properties.size) == ("a", 5)
        assert properties.content_md5 == hashlib.md5(b"12345", usedforsecurity=False).digest()
        assert properties.metadata == {"documents": "7", "addedstored": "0"}
        assert before < properties.modified < datetime.now(UTC) + timedelta(minutes=1)

    async def test_has_no_properties_of_what_is_not_there(self, store: Store) -> None:
        assert await store.snapshots.properties("no/such") is None

    async def test_lists_a_prefix_in_order_with_metadata(self, store: Store) -> None:
        for name in ("a/hotels/2", "a/hotels-2/1", "a/hotels/1", "a/hotels/1/x", "b/hotels/1", "a/Hotels/1"):
            await store.snapshots.create(name, name.encode(), metadata={"length": str(len(name))})
        listed = [blob async for blob in store.snapshots.list("a/hotels/")]
        assert [blob.name for blob in listed] == ["a/hotels/1", "a/hotels/1/x", "a/hotels/2"]
        assert [blob.metadata for blob in listed] == [{"length": str(blob.size)} for blob in listed]
        assert [blob async for blob in store.snapshots.list("c/")] == []

    async def test_is_read_as_its_own_only_copy(self, store: Store) -> None:
        await store.snapshots.create("a", b"1")
        assert await store.snapshots.first_sound(lambda blobs: blobs.read("a", LIMIT)) == b"1"
        with pytest.raises(NotFoundError):
            await store.snapshots.first_sound(lambda blobs: blobs.read("b", LIMIT))

    async def test_lists_folders_once_each(self, store: Store) -> None:
        for name in ("east/hotels/1", "east/hotels/2", "east/$service/1", "east/x", "west/a=2Eb/1", "top"):
            await store.snapshots.create(name, b"")
        assert [folder async for folder in store.snapshots.folders("")] == ["east", "west"]
        assert [folder async for folder in store.snapshots.folders("east/")] == ["$service", "hotels"]
        assert [folder async for folder in store.snapshots.folders("north/")] == []

    async def test_deletes_once(self, store: Store) -> None:
        await store.snapshots.create("a", b"")
        assert await store.snapshots.delete("a")
        assert not await store.snapshots.delete("a")
        assert [blob async for blob in store.snapshots.list("")] == []

    async def test_the_halves_are_apart(self, store: Store) -> None:
        await store.snapshots.create("a", b"")
        assert await store.runs.read("a", LIMIT) is None
        await store.prepare()
        assert await store.snapshots.properties("a") is not None


class TestRunBlobs:
    async def test_gives_back_what_was_put(self, store: Store) -> None:
        first = await store.runs.put("a", b"1")
        second = await store.runs.put("a", b"2")
        blob = await store.runs.read("a", LIMIT)
        assert blob is not None
        assert (blob.data, blob.etag) == (b"2", second)
        assert first != second
        assert [(blob.name, blob.size) async for blob in store.runs.list("")] == [("a", 1)]

    async def test_refuses_what_is_larger_than_the_limit(self, store: Store) -> None:
        await store.runs.put("a", b"12")
        with pytest.raises(IntegrityError):
            await store.runs.read("a", 1)

    async def test_puts_only_where_nothing_is(self, store: Store) -> None:
        await store.runs.put("a", b"1", if_absent=True)
        with pytest.raises(ConflictError):
            await store.runs.put("a", b"2", if_absent=True)
        assert await self._data(store) == b"1"

    async def test_puts_only_over_the_version_that_was_read(self, store: Store) -> None:
        stale = await store.runs.put("a", b"1")
        fresh = await store.runs.put("a", b"2", if_match=stale)
        with pytest.raises(ConflictError):
            await store.runs.put("a", b"3", if_match=stale)
        with pytest.raises(ConflictError):
            await store.runs.put("b", b"3", if_match=fresh)
        assert await self._data(store) == b"2"

    async def test_of_many_changers_of_one_version_exactly_one_wins(self, store: Store) -> None:
        etag = await store.runs.put("a", b"0")
        changes = [store.runs.put("a", str(number).encode(), if_match=etag) for number in range(8)]
        ended = await asyncio.gather(*changes, return_exceptions=True)
        assert sum(isinstance(end, str) for end in ended) == 1
        assert sum(isinstance(end, ConflictError) for end in ended) == 7

    async def test_deletes_only_the_version_that_was_read(self, store: Store) -> None:
        stale = await store.runs.put("a", b"1")
        fresh = await store.runs.put("a", b"2")
        with pytest.raises(ConflictError):
            await store.runs.delete("a", if_match=stale)
        assert await store.runs.delete("a", if_match=fresh)
        assert not await store.runs.delete("a")
        assert await store.runs.read("a", LIMIT) is None

    async def test_a_lease_keeps_others_out(self, store: Store) -> None:
        mine, other = str(uuid4()), str(uuid4())
        await store.runs.put("a", b"1")
        await store.runs.acquire("a", mine, 15)
        for refused in (
            store.runs.acquire("a", other, 15),
            store.runs.renew("a", other),
            store.runs.release("a", other),
            store.runs.put("a", b"2"),
            store.runs.put("a", b"2", lease=other),
            store.runs.delete("a"),
        ):
            with pytest.raises(ConflictError):
                await refused
        assert await self._data(store) == b"1"

    async def test_the_holder_of_a_lease_goes_on(self, store: Store) -> None:
        mine = str(uuid4())
        await store.runs.put("a", b"1")
        await store.runs.acquire("a", mine, 15)
        await store.runs.acquire("a", mine, 15)
        await store.runs.renew("a", mine)
        await store.runs.put("a", b"2", lease=mine)
        await store.runs.release("a", mine)
        await store.runs.put("a", b"3")
        await store.runs.acquire("a", str(uuid4()), 60)

    async def test_a_broken_lease_is_lost(self, store: Store) -> None:
        mine, other = str(uuid4()), str(uuid4())
        await store.runs.put("a", b"1")
        await store.runs.break_lease("a")
        await store.runs.break_lease("b")
        await store.runs.acquire("a", mine, 60)
        await store.runs.break_lease("a")
        with pytest.raises(ConflictError):
            await store.runs.renew("a", mine)
        with pytest.raises(ConflictError):
            await store.runs.put("a", b"2", lease=mine)
        await store.runs.acquire("a", other, 15)
        await store.runs.put("a", b"3", lease=other)
        assert await store.runs.delete("a", lease=other)

    async def test_only_what_is_there_can_be_leased(self, store: Store) -> None:
        with pytest.raises(NotFoundError):
            await store.runs.acquire("a", str(uuid4()), 15)

    @staticmethod
    async def _data(store: Store) -> bytes | None:
        blob = await store.runs.read("a", LIMIT)
        return blob.data if blob else None
