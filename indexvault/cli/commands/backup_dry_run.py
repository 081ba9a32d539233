"""`indexvault backup --dry-run`: how each index would be read, and why."""

from collections.abc import Sequence

import msgspec

from indexvault.backup.job import BackupJob
from indexvault.backup.plan import make_plan
from indexvault.backup.state import Plan
from indexvault.cli.exit_codes import DONE, LOSSY, worst
from indexvault.cli.formatting import count
from indexvault.cli.session import Session
from indexvault.cli.tables import Details
from indexvault.errors import IndexvaultError
from indexvault.settings.model import HiddenFields

_MOST_PARTS = 8
"""Parts of a plan that are shown to a person; --json has them all."""


async def show_plans(
    session: Session, service: str, indexes: Sequence[str], *, parallel: int, hidden_fields: HiddenFields
) -> int:
    """Plan how to read each index and print the plan. An index that can't be read fails as its backup would."""
    codes = []
    async with session.clients() as clients:
        resources = session.resources(clients)
        for index in indexes:
            job = BackupJob(
                service=service,
                index=index,
                run=session.new_run("dry-run"),
                parallel=parallel,
                hidden_fields=hidden_fields,
            )
            try:
                plan = await make_plan(resources, job, clients.store_of(service))
            except IndexvaultError as error:
                codes.append(session.output.error(error))
                continue
            session.output.result("plan", _record(job, plan), _table(job, plan))
            codes.append(LOSSY if plan.losses else DONE)
    return worst(codes)


def _record(job: BackupJob, plan: Plan) -> dict[str, object]:
    return {
        "service": job.service,
        "index": job.index,
        "documents": plan.found,
        "method": plan.method,
        "reason": plan.reason,
        "ranges": len(plan.ranges),
        "parts": [{"what": str(partition), "documents": partition.documents} for partition in plan.partitions],
        "tried": plan.tried,
        "losses": msgspec.to_builtins(plan.losses),
        "requests": plan.requests,
    }


def _table(job: BackupJob, plan: Plan) -> Details:
    table = Details()
    table.add_row("index", f"{job.service}/{job.index}")
    table.add_row("documents", f"{plan.found:,}, about {plan.average_document_bytes:,.0f} bytes each")
    table.add_row("read by", plan.method)
    table.add_row("because", plan.reason)
    for partition in plan.partitions[:_MOST_PARTS]:
        table.add_row("part", f"{count(partition.documents, 'document')}: {partition}")
    if len(plan.partitions) > _MOST_PARTS:
        table.add_row("", f"and {len(plan.partitions) - _MOST_PARTS:,} more")
    for loss in plan.losses:
        table.add_row("not in it", f"{loss.field}: {loss.reason}")
    table.add_row("asked", f"{count(plan.requests, 'request')} to plan this; nothing was stored")
    return table
