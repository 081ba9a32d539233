"""The status page on loopback, with two emulated services and stores in memory behind it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from indexvault.cli.local_runs import LocalRuns, open_local_runs
from indexvault.cli.local_site import LocalHost, LocalSite
from indexvault.maintenance.verified import Verified, verified_records
from indexvault.model import IndexName
from indexvault.settings.model import PolicySettings
from indexvault.snapshots.records import RecordStore
from indexvault.snapshots.replicate import replicate_index
from indexvault.snapshots.run_names import checkpoint_name, verified_name
from indexvault.workflow.progress import ActivityProgress, StageProgress
from indexvault.workflow.runs import Item, Outcome, RunRecord, Runs
from indexvault.workflow.stalled import PROGRESS_PART
from tests import hotels
from tests.memory_store import MemoryStore
from tests.world import EAST, Calendar, World, open_world

MORNING = datetime(2026, 11, 20, 9, 12, tzinfo=UTC)
NIGHT = datetime(2026, 11, 20, 2, 4, tzinfo=UTC)
DAY = timedelta(days=1)
NIGHTLY = PolicySettings(service=EAST, schedule="0 0 2 * * *", indexes=("*s", "rooms-*"), replicate_to=("west",))


@dataclass
class Stage:
    """The page, and what is behind it."""

    world: World
    own: MemoryStore
    west: MemoryStore
    clock: Calendar
    site: LocalSite
    runs: LocalRuns

    @property
    def url(self) -> str:
        return self.site.url_with_token

    def address(self, *path: str) -> str:
        """Return the address of a page, once the browser has the cookie."""
        return f"{self.site.url}{'/'.join(path)}"

    async def fill(self, name: str, count: int = 12, **changes: Any) -> None:
        """Make an index of hotels."""
        definition = hotels.definition(name=name) | changes
        await self.world.fill(definition, hotels.hotels(count))

    async def back_up(self, name: str, when: datetime = NIGHT) -> str:
        """Make a snapshot as if at another time, recorded as the policy's run, and return its id."""
        now, self.clock.now = self.clock.now, when
        report = await self.world.back_up(name)
        self.clock.now = now
        return report.snapshot

    async def copy(self, *names: str) -> None:
        """Copy all snapshots of indexes to the other store."""
        for name in names:
            await replicate_index(self.world.store, self.west, EAST, name, clock=self.clock)

    async def verify(self, *names: str, when: datetime = NIGHT - 4 * DAY, damage: int = 0) -> None:
        """Record that the packs of indexes were read back."""
        for name in names:
            record = Verified(turn=1, at=when, damaged=damage)
            await verified_records(self.world.store.runs).write(verified_name(EAST, name), record)

    async def record(
        self, run: str, *names: str, failure: Any = None, working: bool = False, **changes: Any
    ) -> RunRecord:
        """Record a run of the policy on indexes, ended well unless it failed or still works."""
        began = datetime.strptime(run[:16], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        state: Literal["waiting", "done", "failed"] = "waiting" if working else "done" if failure is None else "failed"
        items = [
            Item(
                index=IndexName(EAST, name),
                run=f"{run}-{at}",
                job=None,
                outcome=Outcome(
                    state=state, failure=failure, documents=None if working else 12, bytes=None if working else 4000
                ),
                finished=None if working else began + timedelta(minutes=4),
            )
            for at, name in enumerate(names)
        ]
        members: dict[str, Any] = {
            "run": run,
            "kind": "backup",
            "workflow": "run_backup",
            "service": EAST,
            "asked": f"indexes {', '.join(NIGHTLY.indexes)} of {EAST}",
            "owner": "policy nightly",
            "created": began,
            "started": began,
            "policy": "nightly",
            "state": "running" if working else state,
            "items": items,
            "finished": None if working else began + timedelta(minutes=4),
        }
        record = RunRecord(**(members | changes))
        runs = Runs(self.world.store.runs)
        await runs.create(record)
        if not working:
            await runs.change(run, lambda _record: record)
        return record

    async def progress(self, run: str, *, documents: int, expected: int, began: datetime, stage: str = "read") -> None:
        """Write how far a part of a run is."""
        told = ActivityProgress(
            started=began, stages={stage: StageProgress(documents, documents * 1100, expected)}, ended=False
        )
        name = checkpoint_name(run, f"{PROGRESS_PART}scan_range-0000")
        await RecordStore(self.world.store.runs, ActivityProgress).write(name, told)


@asynccontextmanager
async def open_stage(*, policies: dict[str, PolicySettings] | None = None) -> AsyncIterator[Stage]:
    """Open the page around an empty store and its replica, on a Friday morning."""
    clock = Calendar(MORNING)
    west = MemoryStore("west", clock)
    own = MemoryStore("local", clock)
    async with (
        open_world(
            own,
            clock=clock,
            replicas={"west": west},
            policies={"nightly": NIGHTLY} if policies is None else policies,
        ) as world,
        open_local_runs(world.resources) as runs,
        LocalSite(LocalHost(world.resources, {}), runs, port=0) as site,
    ):
        yield Stage(world, own, west, clock, site, runs)
