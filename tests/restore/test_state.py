"""The records of a restore keep the JSON that earlier versions wrote."""

from datetime import UTC, datetime

import msgspec
import pytest

from indexvault.errors import IntegrityError
from indexvault.model import IndexName
from indexvault.restore.service.state import read_service_restore_state
from indexvault.restore.state import (
    RestorePlan,
    RestoreState,
    forget_restore_state,
    read_restore_state,
    write_restore_state,
)
from indexvault.snapshots.names import SERVICE_OBJECTS
from indexvault.snapshots.run_names import restore_name
from tests.memory_store import MemoryStore

STATE = RestoreState(
    fingerprint="f",
    snapshot="east/hotels@20261120T000000Z-7f3a9c",
    mode="replace",
    target="guests",
    written_index="guests-20261120000000",
    records="a-run",
    execution="a-run",
    started=datetime(2026, 11, 20, tzinfo=UTC),
)


def test_the_written_index_is_called_into_in_json() -> None:
    stored = msgspec.json.decode(msgspec.json.encode(STATE))
    assert stored["into"] == "guests-20261120000000"
    assert set(stored) == {
        "fingerprint", "snapshot", "mode", "target", "into", "records", "execution", "started", "touched",
    }  # fmt: skip
    assert {field.encode_name for field in msgspec.structs.fields(RestorePlan)} == {
        "job", "store", "into", "alias", "alias_etag", "alias_index", "old_index", "old_etag", "old_count", "old_size",
        "old_content", "definition", "documents", "bytes", "losses", "stretches", "checks", "started",
    }  # fmt: skip


async def test_a_state_lies_under_all_its_names_and_another_restores_state_stays() -> None:
    runs = MemoryStore().runs
    other = msgspec.structs.replace(STATE, records="another-run")
    await write_restore_state(runs, "west", STATE)
    for index in ("guests", "guests-20261120000000"):
        assert await read_restore_state(runs, IndexName("west", index)) == STATE
    await runs.put(restore_name("west", "guests"), msgspec.json.encode(other))
    await forget_restore_state(runs, "west", STATE)
    assert await read_restore_state(runs, IndexName("west", "guests")) == other
    assert await read_restore_state(runs, IndexName("west", "guests-20261120000000")) is None


async def test_a_damaged_state_says_which_blob_it_is_and_what_to_do() -> None:
    runs = MemoryStore().runs
    for index in ("hotels", SERVICE_OBJECTS):
        await runs.put(restore_name("west", index), b"{}")
    with pytest.raises(IntegrityError, match=r"record of a restore can't be read.*hotels|hotels.*record of a restore"):
        await read_restore_state(runs, IndexName("west", "hotels"))
    with pytest.raises(IntegrityError, match="record of a service's restore can't be read"):
        await read_service_restore_state(runs, "west")
