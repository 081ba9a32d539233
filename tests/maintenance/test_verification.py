"""A verification as a run of the app: stretch by stretch, resumed where it was interrupted, with one report."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from indexvault.errors import IntegrityError
from indexvault.maintenance.verification import (
    ACTIVITIES,
    VERIFY,
    VERIFY_INDEX,
    Verification,
    VerifyJob,
)
from indexvault.snapshots.run_names import run_prefix
from indexvault.snapshots.verify import verify_index
from indexvault.workflow.activity import Activity, Resources
from indexvault.workflow.checkpoints import Checkpoints
from indexvault.workflow.local import LocalEngine
from indexvault.workflow.reports import read_report
from tests.memory_store import MemoryStore
from tests.snapshots.damaging import flip_in, replace
from tests.snapshots.samples import MORNING, chunks_of, documents, write_snapshot
from tests.world import EAST, World, open_world

JOB = VerifyJob(service=EAST, index="hotels", store="local", run="verify-1-0", stretch_bytes=4000)
FINE: dict[str, Any] = {"bits": 1, "pack_bytes": 3000}


@asynccontextmanager
async def engine(world: World, verify: Activity[Any, Any] = VERIFY) -> AsyncIterator[LocalEngine]:
    """Open an engine that knows verifications, with another activity for their stretches."""
    others = [each for each in ACTIVITIES if each is not VERIFY]
    async with LocalEngine(world.resources, [*others, verify], [VERIFY_INDEX]) as opened:
        yield opened


async def report_of(store: MemoryStore, job: VerifyJob = JOB) -> Verification:
    found = await read_report(store.runs, job.run)
    assert found is not None
    return msgspec.json.decode(found, type=Verification)


@pytest.mark.parametrize("damaged", [False, True])
async def test_a_run_reports_what_a_whole_verification_finds(damaged: bool) -> None:  # noqa: FBT001
    store = MemoryStore("local")
    async with open_world(store, clock=lambda: MORNING) as world, engine(world) as opened:
        made, _ = await write_snapshot(store.snapshots, documents(range(600)), **FINE)
        if damaged:
            chunk = (await chunks_of(store.snapshots, made))[40]
            await replace(store, made.folder.pack(chunk.pack), flip_in(chunk))
        written = await opened.run(VERIFY_INDEX, JOB)
        whole = await verify_index(store.snapshots, EAST, "hotels")
        assert (await report_of(store)).report == whole
        assert (written.documents, written.bytes) == (whole.documents, whole.bytes)
        assert (written.failure is not None) is damaged
        left = [blob.name async for blob in store.runs.list(run_prefix(JOB.run))]
    assert not [name for name in left if "verified-" in name or "plan" in name]


async def test_an_interrupted_run_reads_only_what_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    store = MemoryStore("local")
    asked: list[int] = []
    read_range = store.snapshots.read_range

    async def counted(name: str, offset: int, length: int) -> bytes:
        if "/packs/" in name:
            asked.append(length)
        return await read_range(name, offset, length)

    done: list[int] = []

    async def killed_halfway(resources: Resources, given: Any) -> Any:
        if len(done) >= 6:
            raise IntegrityError("killed", on="this process", do="Run it again")
        found = await VERIFY.run(resources, given)
        done.append(given.number)
        return found

    async with open_world(store, clock=lambda: MORNING) as world:
        made, _ = await write_snapshot(store.snapshots, documents(range(600)), **FINE)
        monkeypatch.setattr(store.snapshots, "read_range", counted)
        async with engine(world, carried_out_by(VERIFY, killed_halfway)) as opened:
            with pytest.raises(IntegrityError, match="killed"):
                await opened.run(VERIFY_INDEX, JOB)
        first, asked[:] = sum(asked), []
        async with engine(world) as opened:
            await opened.run(VERIFY_INDEX, JOB)
        assert first > made.stored / 8
        # What lies between chunks is read over, so a little is read twice.
        assert sum(asked) < 1.2 * (made.stored - first) + 3000
        assert (await report_of(store)).report == await verify_index(store.snapshots, EAST, "hotels")


async def test_a_forged_note_of_a_stretch_counts_for_nothing() -> None:
    store = MemoryStore("local")

    async def forged(resources: Resources, given: Any) -> Any:
        found = await VERIFY.run(resources, given)
        if given.number == 2:
            records = Checkpoints(store.runs, JOB.run)
            noted = await records.read("verified-2", dict)
            assert noted is not None
            noted["found"]["damage"] = []
            noted["found"]["chunks"] += 1
            await records.write("verified-2", noted)
        return found

    async with open_world(store, clock=lambda: MORNING) as world:
        await write_snapshot(store.snapshots, documents(range(600)), **FINE)
        async with engine(world, carried_out_by(VERIFY, forged)) as opened:
            with pytest.raises(IntegrityError, match="not what this run wrote"):
                await opened.run(VERIFY_INDEX, JOB)


def carried_out_by(activity: Activity[Any, Any], run: Any) -> Activity[Any, Any]:
    """Return an activity that is carried out otherwise."""
    return Activity(activity.name, activity.input_type, activity.output_type, run, activity.work, locks=False)
