"""Which locks are older than their runs."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from indexvault.backup.run import item_for
from indexvault.model import IndexName
from indexvault.snapshots.run_names import lock_name
from indexvault.status.stale_locks import stale_locks
from indexvault.workflow.lock_holder import EXPIRES_AFTER, Holder
from indexvault.workflow.runs import Outcome, RunRecord, Runs, closed, with_outcome
from indexvault.workflow.unfinished import Unfinished, note_unfinished
from tests.memory_store import MemoryStore
from tests.world import EAST, Calendar, open_world

RUN = "20261116T023000Z-policy-nightly"
INDEX = IndexName(EAST, "hotels")


def record(clock: Calendar) -> RunRecord:
    made = RunRecord(
        run=RUN, kind="backup", workflow="w", service=EAST, asked="all", owner="a policy", created=clock.now
    )
    return replace(made, items=[item_for(made, name, place) for place, name in enumerate(("hotels", "rooms"))])


@pytest.mark.parametrize(
    ("run", "item", "renewed", "later", "found"),
    [
        ("running", "waiting", "long ago", timedelta(hours=2), True),  # stuck, or its process is gone
        ("running", "waiting", "long ago", timedelta(minutes=50), False),
        ("running", "waiting", "now", timedelta(hours=9), False),
        ("running", "done", "long ago", timedelta(hours=9), False),  # let go, and the run goes on with others
        ("done", "done", "long ago", timedelta(days=9), False),
        ("done", "done", "now", timedelta(hours=2), True),  # somebody renews the lock of a run that has ended
        ("done", "done", "now", timedelta(minutes=50), False),
        ("none", "waiting", "long ago", timedelta(days=9), False),
        ("of the command line", "waiting", "long ago", timedelta(hours=2), True),
    ],
)
async def test_a_lock_that_does_not_fit_its_run(
    run: str,
    item: Any,
    renewed: str,
    later: timedelta,
    found: bool,  # noqa: FBT001 - a parameter
) -> None:
    clock = Calendar()
    async with open_world(MemoryStore("local", clock), clock=clock) as world:
        await world.store.prepare()
        made, runs = record(clock), world.store.runs
        began = clock.now
        if run in {"running", "done"}:
            if item == "done":
                made = with_outcome(made, f"{RUN}-0", Outcome(state="done"), began)
                made = with_outcome(made, f"{RUN}-1", Outcome(state="done" if run == "done" else "waiting"), began)
            await Runs(runs).create(closed(made, began) if run == "done" else made)
        if run == "of the command line":
            await note_unfinished(runs, INDEX, Unfinished(f"{RUN}-0", "a host", 1, began))
        clock.now += later
        expires = (clock.now if renewed == "now" else began) + EXPIRES_AFTER / 2
        holder = Holder(run=f"{RUN}-0", owner="a test", expires=expires)
        await runs.put(lock_name(EAST, "hotels"), msgspec.json.encode(holder))
        await runs.put(lock_name(EAST, "rooms"), b"")
        assert [(lock.index, lock.run) for lock in await stale_locks(world.resources, "local")] == (
            [("hotels", f"{RUN}-0")] if found else []
        )
