"""Hiding again the fields that a run revealed before it died."""

import msgspec
from durabletask.task import OrchestrationContext

from indexvault.backup.hidden_fields import hide_again
from indexvault.backup.reveal_records import RevealRecords
from indexvault.model import IndexName
from indexvault.workflow.activity import Activity, Orchestration, Resources, Work, Workflow
from indexvault.workflow.calls import call
from indexvault.workflow.lock_activities import ACTIVITIES as LOCK_ACTIVITIES
from indexvault.workflow.lock_activities import Claim, locked


class HealJob(msgspec.Struct, frozen=True, kw_only=True):
    """An index to heal.

    `run` is the name under which its lock is taken: that of the dead run, where it is known to be dead, else another,
    which waits until the dead one's lock has run out.
    """

    service: str
    index: str
    run: str
    owner: str = "indexvault heal"

    @property
    def work(self) -> Work:
        """What the steps of this job work for."""
        return Work(run=self.run, service=self.service, index=IndexName(self.service, self.index))


class Healed(msgspec.Struct, frozen=True):
    """The fields that were hidden again."""

    fields: list[str]


async def heal(resources: Resources, job: HealJob) -> Healed:
    """Hide what was revealed and remove the record of it."""
    records = RevealRecords(resources.clients.store_of(job.service).runs)
    reveal = await records.read(job.service, job.index)
    if reveal is None:
        return Healed([])
    return Healed(await hide_again(resources.clients.service(job.service), records, reveal))


def heal_index(ctx: OrchestrationContext, job: HealJob) -> Orchestration[Healed]:
    """Heal one index, under its lock: not while the run that revealed it still reads."""
    return (yield from locked(ctx, Claim(job.work, job.owner), call(ctx, HEAL, job)))


HEAL = Activity("heal_index_fields", HealJob, Healed, heal, lambda job: job.work)
ACTIVITIES = (*LOCK_ACTIVITIES, HEAL)
HEAL_INDEX = Workflow("heal_index", HealJob, Healed, heal_index)
