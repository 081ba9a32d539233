"""What the activities of a restore share: its plan, its checkpoints, its store and its target."""

from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from indexvault.restore.job import RestoreRun
from indexvault.restore.selection import Selection
from indexvault.restore.state import TARGET_INDEX, RestorePlan, TargetIndex, follow_plan, require
from indexvault.restore.stretch_source import manifest_of
from indexvault.search.client import SearchService
from indexvault.snapshots.manifest import Manifest
from indexvault.snapshots.store import RunBlobs, StoreReader
from indexvault.workflow.activity import Resources
from indexvault.workflow.checkpoints import Checkpoints
from indexvault.workflow.resume import altered, digest_of


@dataclass(frozen=True, kw_only=True)
class RestoreContext:
    """One restore, as an activity sees it."""

    resources: Resources
    run: RestoreRun
    plan: RestorePlan
    store: StoreReader
    runs: RunBlobs
    records: Checkpoints
    target: SearchService
    held: list[TargetIndex] = field(default_factory=list)
    """The index that is written, once it was read."""

    @property
    def on(self) -> str:
        """How errors name the target."""
        return f"{self.target.name} index {self.plan.written_index}"

    @cached_property
    def selection(self) -> Selection:
        """Which documents the restore is about."""
        return Selection(self.plan.job.keys, self.plan.job.filter)

    async def target_index(self) -> TargetIndex:
        """Return the index that is written, as noted before the first document. Raises IntegrityError if it is gone."""
        if not self.held:
            noted = await require(self.records, TARGET_INDEX, TargetIndex, self.on)
            if digest_of(noted) != self.run.made:
                raise altered("its record of the index is not what this restore wrote", self.on)
            self.held.append(noted)
        return self.held[0]

    async def manifest(self) -> Manifest:
        """Read the snapshot's whole manifest. Raises IntegrityError if it is damaged."""
        job = self.plan.job
        return await manifest_of(self.store, job.service, job.index, job.snapshot)


async def open_context(resources: Resources, run: RestoreRun) -> RestoreContext:
    """Read the plan of a run, and connect its store and target. Raises as `follow_plan` does."""
    runs = resources.clients.store_of(run.target.service).runs
    plan = await follow_plan(runs, run)
    return RestoreContext(
        resources=resources,
        run=run,
        plan=plan,
        store=resources.clients.source_store(plan.job.service, plan.store, without=plan.job.without),
        runs=runs,
        records=Checkpoints(runs, run.records),
        target=resources.clients.service(run.target.service),
    )


def beside(index: str, started: datetime) -> str:
    """Return the name of a new index beside another one: at most 128 characters, never with two dashes in a row."""
    return f"{index[:113].rstrip('-_')}-{started:%Y%m%d%H%M%S}"
