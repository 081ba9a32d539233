import msgspec
import pytest
from durabletask.task import FailureDetails

from indexvault.errors import IndexvaultError, IntegrityError
from indexvault.model import IndexName
from indexvault.snapshots.run_names import checkpoint_name, lock_name, record_name
from indexvault.workflow.failures import error_of
from indexvault.workflow.lock_holder import read_holder
from indexvault.workflow.progress import read_progress
from indexvault.workflow.runs import Runs
from tests.memory_store import MemoryStore

NAIVE = "2026-11-20T02:30:00"


async def test_times_without_an_offset_are_refused() -> None:
    """Compared with any other time they would be a TypeError."""
    store = MemoryStore()
    await store.runs.put(lock_name("east", "hotels"), msgspec.json.encode({"run": "r", "owner": "o", "expires": NAIVE}))
    await store.runs.put(checkpoint_name("r", "progress-x"), msgspec.json.encode({"started": NAIVE, "stages": {}}))
    run = {"run": "r", "kind": "backup", "workflow": "w", "service": "east", "asked": "a", "owner": "o"}
    await store.runs.put(record_name("r"), msgspec.json.encode(run | {"created": NAIVE}))
    with pytest.raises(IntegrityError):
        await read_holder(store.runs, IndexName("east", "hotels"))
    with pytest.raises(IntegrityError):
        await read_progress([store.runs], "r")
    with pytest.raises(IntegrityError):
        await Runs(store.runs).read("r")


def test_a_failure_whose_text_is_no_unicode() -> None:
    details = FailureDetails('indexvault-error:{"kind":"\ud800"}', "x.ActivityFailedError", None)
    assert type(error_of(details)) is IndexvaultError
