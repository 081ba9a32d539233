"""Hide again the fields that a run revealed before it died."""

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

    `run` is the name under which its lock is taken: the name of the dead run if it is known to be dead, else another
    one, which waits until the dead run's lock has expired.
    """

    service: str
    index: str
    run: str
    owner: str = "indexvault heal"

    @property
    def work(self) -> Work:
        """What the activities of this job work for."""
        return Work(run=self.run, service=self.service, index=IndexName(self.service, self.index))


class HealReport(msgspec.Struct, frozen=True):
    """The fields that were hidden again."""

    fields: list[str]


async def heal(resources: Resources, job: HealJob) -> HealReport:
    """Hide the revealed fields of an index and remove the record of them."""
    records = RevealRecords(resources.clients.store_of(job.service).runs)
    reveal = await records.read(job.service, job.index)
    if reveal is None:
        return HealReport([])
    return HealReport(await hide_again(resources.clients.service(job.service), records, reveal))


def heal_index(ctx: OrchestrationContext, job: HealJob) -> Orchestration[HealReport]:
    """Heal one index under its lock, so not while the run that revealed its fields still reads."""
    return (yield from locked(ctx, Claim(job.work, job.owner), call(ctx, HEAL, job)))


HEAL = Activity("heal_index_fields", HealJob, HealReport, heal, lambda job: job.work)
ACTIVITIES = (*LOCK_ACTIVITIES, HEAL)
HEAL_INDEX = Workflow("heal_index", HealJob, HealReport, heal_index)
