"""`restore` and `move`, through a deployment: the app proves as the command line does, and its report is told here."""

from collections.abc import Mapping
from typing import Any

import msgspec

from indexvault.api.run_views import RunView
from indexvault.cli.commands.move import tell_move, tell_move_preflight
from indexvault.cli.commands.restore import tell_preflight, tell_restore
from indexvault.cli.exit_codes import DONE
from indexvault.cli.remote.follow import follow, only_index, start
from indexvault.cli.remote.session import RemoteSession
from indexvault.cli.remote.snapshots import read_snapshot
from indexvault.cli.remote.unsupported import is_own_parallel, refuse_options, refuse_verb
from indexvault.cli.requests import MoveRequest, RestoreRequest, RestoreServiceRequest
from indexvault.errors import SettingsError, UnexpectedAnswerError
from indexvault.move.job import MoveFindings, MovePreflightReport, MoveReport
from indexvault.restore.checks import Findings
from indexvault.restore.report import PreflightReport, RestoreReport

_OWN_NAMES = {"in_place": "replace_in_place"}
"""Members of jobs that the API calls by another name."""


async def run_restore(session: RemoteSession, request: RestoreRequest | RestoreServiceRequest) -> int:
    """Restore one snapshot, or only check whether it could be restored."""
    if isinstance(request, RestoreServiceRequest):
        raise refuse_verb("restore of a whole service")
    options = request.options
    refuse_options({"--store": bool(options.get("store")), "--parallel": is_own_parallel(options.get("parallel"))})
    summary = (await read_snapshot(session, request.snapshot)).summary
    reference, target_index = str(summary.reference), request.index or summary.index
    body = {
        "snapshot": reference,
        "target_service": request.service,
        "target_index": target_index,
        **_members(options),
    }
    target = f"{request.service}/{target_index}"
    if request.dry_run:
        found = await session.deployment.post("restores", {**body, "dry_run": True}, Findings)
        report = PreflightReport(
            service=summary.service,
            index=summary.index,
            snapshot=summary.id,
            target_service=request.service,
            target_index=target_index,
            mode=options["mode"],
            **msgspec.structs.asdict(found),
        )
        return tell_preflight(session.output, report)
    view = await follow(session, await start(session, "restores", body), target)
    tell_restore(session.output, _report(view, RestoreReport))
    return DONE


async def run_move(session: RemoteSession, request: MoveRequest) -> int:
    """Move one index, or only say what that would do and whether it could be done."""
    options = request.options
    refuse_options({"--forget": bool(options.get("forget")), "--parallel": is_own_parallel(options.get("parallel"))})
    target_index = request.target_index or request.index
    source, target = f"{request.service}/{request.index}", f"{request.target_service}/{target_index}"
    body = {
        "service": request.service,
        "index": request.index,
        "target_service": request.target_service,
        "target_index": target_index,
        "snapshot": None if request.snapshot is None else str(request.snapshot),
        **_members(options),
    }
    if request.dry_run:
        found = await session.deployment.post("moves", {**body, "dry_run": True}, MoveFindings)
        names = {name: body[name] for name in ("service", "index", "target_service", "target_index")}
        return tell_move_preflight(session.output, MovePreflightReport(**names, **msgspec.structs.asdict(found)))
    view = await follow(session, await start(session, "moves", body), f"{source} to {target}")
    return tell_move(session.output, _report(view, MoveReport))


def _members(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return options as members of a request, without those that ask for nothing."""
    members = {_OWN_NAMES.get(name, name): value for name, value in options.items() if name != "parallel" and value}
    if "patch" in members:
        try:
            members["patch"] = msgspec.json.decode(members["patch"], type=dict[str, Any])
        except msgspec.MsgspecError as error:
            raise SettingsError(f"it is no JSON object: {error}", on="--patch", do="Correct the file") from None
    return members


def _report[Report](view: RunView, kind: type[Report]) -> Report:
    try:
        return msgspec.convert(only_index(view).report, kind)
    except msgspec.ValidationError:
        raise UnexpectedAnswerError(
            "the run is done, and the app's report of it can't be read",
            on=f"run {view.run}",
            do="Use the same version of indexvault here and in the app",
        ) from None
