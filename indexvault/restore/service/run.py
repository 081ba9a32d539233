"""The restore of a whole service as a run: one item, with a run record that reports what became of each object."""

import msgspec
from durabletask.task import OrchestrationContext

from indexvault.errors import IndexvaultError
from indexvault.printable import count
from indexvault.restore.run import failed
from indexvault.restore.service.job import ServiceRestoreReport
from indexvault.restore.service.workflow import OWN_ACTIVITIES, PREFLIGHT_SERVICE, RESTORE_SERVICE
from indexvault.workflow.activity import Orchestration, Workflow
from indexvault.workflow.fan_out import OPEN, FanOut, ItemWorkflow, RunOrder, fan_out
from indexvault.workflow.lock_activities import Done
from indexvault.workflow.runs import Outcome


def ended(report: ServiceRestoreReport) -> Outcome:
    """Return the outcome of a restore, or of its check: failed unless everything is, or can be, on the target."""
    missing = sum(each.outcome in {"left out", "failed"} for each in report.objects)
    failure = IndexvaultError(
        f"{count(missing, 'object')} of {len(report.objects)} not on the target",
        on=f"restore of {report.service} to {report.target_service}",
        do="The report of the run says why; mend that and restore again: what is there stays",
    )
    return Outcome(
        state="done" if report.whole else "failed",
        documents=sum(each.documents or 0 for each in report.objects),
        failure=None if report.whole else failure.record(),
        report=msgspec.to_builtins(report),
    )


_RESTORE = FanOut(opening=OPEN, each=ItemWorkflow(RESTORE_SERVICE, ended), failed=failed)
_CHECK = FanOut(opening=OPEN, each=ItemWorkflow(PREFLIGHT_SERVICE, ended), failed=failed)


def run_service_restore(ctx: OrchestrationContext, order: RunOrder) -> Orchestration[Done]:
    """Carry out the restore that the run's record names."""
    return (yield from fan_out(ctx, order, _RESTORE))


def run_service_check(ctx: OrchestrationContext, order: RunOrder) -> Orchestration[Done]:
    """Find out what would become of every object of the restore that the run's record names."""
    return (yield from fan_out(ctx, order, _CHECK))


RUN_SERVICE_RESTORE = Workflow("run_service_restore", RunOrder, Done, run_service_restore)
RUN_SERVICE_CHECK = Workflow("run_service_check", RunOrder, Done, run_service_check)
ACTIVITIES = OWN_ACTIVITIES
WORKFLOWS = (RESTORE_SERVICE, PREFLIGHT_SERVICE, RUN_SERVICE_RESTORE, RUN_SERVICE_CHECK)
