"""`restore` and `move`, through a deployment.

The app proves a restore as the command line does, and keeps less of its report: documents, bytes and time, not what was
the same to the byte and how many requests it took.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import msgspec
from rich.text import Text

from api.run_views import IndexView, RunView
from cli.exit_codes import DONE, LOSSY
from cli.remote.following import follow, only_index, start
from cli.remote.offer import is_own_parallel, refuse_options, refuse_verb
from cli.remote.reading import read_snapshot
from cli.remote.session import RemoteSession
from cli.requests import MoveRequest, RestoreRequest, RestoreServiceRequest
from cli.shortcomings import shortcomings
from cli.verbs.restore import tell_preflight
from cli.wording import count, duration
from errors import SettingsError
from restore.job import Check, PreflightReport

_OWN_NAMES = {"in_place": "replace_in_place"}
"""Members of jobs that the API calls by another name."""


class _Findings(msgspec.Struct, frozen=True, kw_only=True):
    """What a dry run found; `error` of a check is empty where the app does not tell the kind of failure."""

    resumes: str | None
    documents: int
    bytes: int
    requests: int
    seconds: float
    checks: list[Check]


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
        found = await session.deployment.post("restores", {**body, "dry_run": True}, _Findings)
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
    index = only_index(view)
    record = {"reference": reference, "service": summary.service, "index": summary.index, "snapshot": summary.id}
    session.output.result(
        "restore",
        {**record, **_record(view, index, request.service, target_index, options)},
        Text.assemble(("restored", "green"), "  ", (target, "bold"), f" from {reference}"),
        Text(
            f"  {count(index.documents or 0, 'document')} read back and compared with the snapshot;"
            f" {_duration(view)}; mode {options['mode']}"
        ),
        *shortcomings(index.losses, index.notes),
    )
    return DONE


async def run_move(session: RemoteSession, request: MoveRequest) -> int:
    """Move one index."""
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
    view = await follow(session, await start(session, "moves", body), f"{source} to {target}")
    index = only_index(view)
    record = {"service": request.service, "index": request.index, "snapshot": index.snapshot}
    session.output.result(
        "move",
        {**record, **_record(view, index, request.target_service, target_index, options)},
        Text.assemble(("moved", "green"), "  ", (target, "bold"), f" from {source}"),
        Text(f"  {count(index.documents or 0, 'document')} compared with the source, all the same; {_duration(view)}"),
        *shortcomings(index.losses, index.notes),
    )
    return LOSSY if index.losses else DONE


def _members(options: Mapping[str, Any]) -> dict[str, Any]:
    """Give options as members of a request, without those that ask for nothing."""
    members = {_OWN_NAMES.get(name, name): value for name, value in options.items() if name != "parallel" and value}
    if "patch" in members:
        try:
            members["patch"] = msgspec.json.decode(members["patch"], type=dict[str, Any])
        except msgspec.MsgspecError as error:
            raise SettingsError(f"it is no JSON object: {error}", on="--patch", do="Correct the file") from None
    return members


def _record(
    view: RunView, index: IndexView, service: str, target_index: str, options: Mapping[str, Any]
) -> dict[str, Any]:
    return {
        "target_service": service,
        "target_index": target_index,
        **({"mode": options["mode"]} if "mode" in options else {}),
        "documents": index.documents,
        "bytes": index.bytes,
        "losses": index.losses,
        "notes": index.notes,
        "run": view.run,
        "started": view.started,
        "finished": view.finished,
    }


def _duration(view: RunView) -> str:
    if view.started is None or view.finished is None:
        return duration(timedelta())
    return duration(view.finished - view.started)
