"""`indexvault backup --dry-run`: how each index would be read, and why."""

from collections.abc import Sequence

import msgspec
from rich.table import Table

from indexvault.backup.job import BackupJob
from indexvault.backup.plan import make_plan
from indexvault.backup.state import Plan
from indexvault.cli.connect import clients
from indexvault.cli.exit_codes import DONE, LOSSY, worst
from indexvault.cli.formatting import count
from indexvault.cli.requests import BackupRequest
from indexvault.cli.session import Session
from indexvault.cli.workflows import run_name
from indexvault.errors import IndexvaultError
from indexvault.workflow.activity import Resources

_SHOWN = 8


async def explain(session: Session, request: BackupRequest, indexes: Sequence[str]) -> int:
    """Plan the reading of each index and show it. What could not be read says so, as a backup would."""
    codes = []
    async with clients(session) as opened:
        resources = Resources(clients=opened, clock=session.clock, rng=session.rng, report=lambda _progress: None)
        for index in indexes:
            job = BackupJob(
                service=request.service,
                index=index,
                run=run_name(session, "dry-run"),
                parallel=request.parallel,
                hidden_fields=request.hidden_fields,
            )
            try:
                plan = await make_plan(resources, job, opened.store_of(request.service))
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
        "parts": [{"what": str(part), "documents": part.documents} for part in plan.parts],
        "tried": plan.tried,
        "losses": msgspec.to_builtins(plan.losses),
        "requests": plan.requests,
    }


def _table(job: BackupJob, plan: Plan) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row("index", f"{job.service}/{job.index}")
    table.add_row("documents", f"{plan.found:,}, about {plan.average_document_bytes:,.0f} bytes each")
    table.add_row("read by", plan.method)
    table.add_row("because", plan.reason)
    for part in plan.parts[:_SHOWN]:
        table.add_row("part", f"{count(part.documents, 'document')}: {part}")
    if len(plan.parts) > _SHOWN:
        table.add_row("", f"and {len(plan.parts) - _SHOWN:,} more")
    for loss in plan.losses:
        table.add_row("not in it", f"{loss.field}: {loss.reason}")
    table.add_row("asked", f"{count(plan.requests, 'request')} to find this out; no document was kept")
    return table
