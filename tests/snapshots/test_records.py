"""Typed records in the run container: read, written and listed in one way, refused if they can't be decoded."""

import msgspec
import pytest

from indexvault.errors import ConflictError, IntegrityError
from indexvault.snapshots.records import RecordStore, id_of
from tests.memory_store import MemoryStore

NAME = "pins/east/hotels/20261120T023000Z-7f3a9c.json"


class Note(msgspec.Struct, frozen=True):
    text: str


@pytest.fixture
async def store() -> MemoryStore:
    store = MemoryStore("local")
    await store.prepare()
    return store


@pytest.fixture
def notes(store: MemoryStore) -> RecordStore[Note]:
    return RecordStore(store.runs, Note)


async def test_a_record_is_read_as_it_was_written(store: MemoryStore, notes: RecordStore[Note]) -> None:
    assert await notes.read(NAME) is None
    etag = await notes.write(NAME, Note("audit"))
    assert await notes.read(NAME) == Note("audit")
    version = await notes.read_version(NAME)
    assert version is not None
    assert (version.record, version.etag) == (Note("audit"), etag)
    blob = await store.runs.read(NAME, 1024)
    assert blob is not None
    assert blob.data == b'{"text":"audit"}'


async def test_a_record_is_changed_only_as_it_was_read(notes: RecordStore[Note]) -> None:
    first = await notes.write(NAME, Note("one"), if_absent=True)
    second = await notes.write(NAME, Note("two"), if_match=first)
    with pytest.raises(ConflictError):
        await notes.write(NAME, Note("three"), if_match=first)
    with pytest.raises(ConflictError):
        await notes.write(NAME, Note("three"), if_absent=True)
    with pytest.raises(ConflictError):
        await notes.remove(NAME, if_match=first)
    assert await notes.read(NAME) == Note("two")
    assert await notes.remove(NAME, if_match=second)
    assert not await notes.remove(NAME)


async def test_a_leased_record_is_written_with_its_lease_alone(store: MemoryStore, notes: RecordStore[Note]) -> None:
    lease = "00000000-0000-0000-0000-000000000001"
    await notes.write(NAME, Note("one"))
    await store.runs.acquire(NAME, lease, 60)
    with pytest.raises(ConflictError):
        await notes.write(NAME, Note("two"))
    await notes.write(NAME, Note("two"), lease=lease)
    assert await notes.read(NAME) == Note("two")


async def test_of_records_written_once_the_first_stays(notes: RecordStore[Note]) -> None:
    assert await notes.write_once(NAME, Note("first")) == Note("first")
    assert await notes.write_once(NAME, Note("second")) == Note("first")


@pytest.mark.parametrize("data", [b"", b"no record", b"{}", b'{"text":1}', b"[" * 100_000], ids=lambda data: data[:9])
async def test_what_can_not_be_decoded_is_refused_in_the_reader_s_words(store: MemoryStore, data: bytes) -> None:
    await store.runs.put(NAME, data)
    notes = RecordStore(store.runs, Note, what="this note can't be read", do="Delete it")
    with pytest.raises(IntegrityError) as raised:
        await notes.read(NAME)
    assert (raised.value.what, raised.value.on, raised.value.do) == ("this note can't be read", NAME, "Delete it")
    with pytest.raises(IntegrityError, match="this record can't be read"):
        [record async for record in RecordStore(store.runs, Note).list("pins/")]


async def test_an_emptied_record_is_none_where_records_are_emptied(store: MemoryStore) -> None:
    await store.runs.put(NAME, b"")
    notes = RecordStore(store.runs, Note, empty_is_none=True)
    assert await notes.read(NAME) is None
    assert [record async for record in notes.list("pins/")] == []


async def test_a_record_that_is_too_large_is_refused(store: MemoryStore, notes: RecordStore[Note]) -> None:
    await notes.write(NAME, Note("x" * 100))
    with pytest.raises(IntegrityError):
        await RecordStore(store.runs, Note, limit=64).read(NAME)


async def test_records_are_listed_by_name_under_their_prefix(notes: RecordStore[Note]) -> None:
    other = NAME.replace("20261120", "20261119")
    for name in (NAME, other, "tombstones/east/hotels/one.json"):
        await notes.write(name, Note(name))
    listed = [name async for name, _ in notes.list("pins/east/hotels/")]
    assert listed == [other, NAME]
    assert [id_of(name) for name in listed] == ["20261119T023000Z-7f3a9c", "20261120T023000Z-7f3a9c"]
