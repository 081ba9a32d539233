"""`indexvault --url … restore`: a restore that a deployment does and proves."""

from typing import Any

import msgspec

from indexvault.cli.commands.restore import RestoreRequest, print_preflight, print_restore
from indexvault.cli.commands.restore_service import RestoreServiceRequest, restore_service_remotely
from indexvault.cli.exit_codes import DONE
from indexvault.cli.remote.follow import follow, report_of, start
from indexvault.cli.remote.options import parallel_is_given, refuse_options, request_members
from indexvault.cli.remote.session import RemoteSession
from indexvault.cli.remote.snapshots import read_snapshot
from indexvault.errors import ConflictError, IndexvaultError, LossNotAcceptedError, UnauthenticError
from indexvault.restore.checks import Findings, failure
from indexvault.restore.report import PreflightReport, RestoreReport


async def restore(session: RemoteSession, request: RestoreRequest | RestoreServiceRequest) -> int:
    """Restore one snapshot, or only check whether it could be restored."""
    if isinstance(request, RestoreServiceRequest):
        return await restore_service_remotely(session, request)
    refuse_options({"--store": bool(request.options.store), "--parallel": parallel_is_given(request.parallel)})
    summary = (await read_snapshot(session, request.snapshot)).summary
    target_index = request.index or summary.index
    body = {
        "snapshot": str(summary.reference),
        "target_service": request.service,
        "target_index": target_index,
        **request_members(request.options),
    }
    if request.dry_run:
        findings = await session.deployment.post("restores", {**body, "dry_run": True}, Findings)
        report = PreflightReport(
            service=summary.service,
            index=summary.index,
            snapshot=summary.id,
            target_service=request.service,
            target_index=target_index,
            mode=request.options.mode,
            **msgspec.structs.asdict(findings),
        )
        return print_preflight(session.output, report, request.write_patch)
    try:
        begun = await start(session, "restores", body)
    except (ConflictError, LossNotAcceptedError, UnauthenticError) as refused:
        raise await _as_checks_say(session, body, refused) from None
    view = await follow(session, begun, f"{request.service}/{target_index}")
    print_restore(session.output, report_of(view, RestoreReport))
    return DONE


async def _as_checks_say(session: RemoteSession, body: dict[str, Any], refused: IndexvaultError) -> IndexvaultError:
    """Return a refusal in the words of the checks, which a restore in this process would end with.

    The app's own are for those who send requests: they name members, where an operator has options.
    """
    findings = await session.deployment.post("restores", {**body, "dry_run": True}, Findings)
    return failure(findings.checks, f"{body['target_service']} index {body['target_index']}") or refused
