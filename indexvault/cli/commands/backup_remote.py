"""`indexvault --url … backup`: backups that a deployment makes."""

from collections.abc import Sequence
from typing import Any

import msgspec

from indexvault.api.run_views import IndexView
from indexvault.backup.job import BackupReport
from indexvault.backup.service_objects import ServiceReport
from indexvault.cli.commands.backup import BackupRequest, print_backup, print_not_tried, print_objects, print_summary
from indexvault.cli.exit_codes import DONE, worst
from indexvault.cli.remote.follow import failure_of, follow, start
from indexvault.cli.remote.options import parallel_is_given, refuse_options
from indexvault.cli.remote.session import RemoteSession
from indexvault.cli.remote.snapshots import read_snapshot
from indexvault.errors import (
    CancelledError,
    ForbiddenError,
    IndexvaultError,
    UnauthorizedError,
    UnexpectedAnswerError,
    UnreachableError,
)
from indexvault.snapshots.names import SERVICE_OBJECTS, SnapshotReference

_FAILS_ALL = (UnreachableError, UnauthorizedError, ForbiddenError, UnexpectedAnswerError)
"""Errors that each further index would run into too."""


async def back_up(session: RemoteSession, request: BackupRequest) -> int:
    """Back up each named index in a run of its own, or all that are meant in one; return the worst exit code."""
    refuse_options(
        {
            "--dry-run": request.dry_run,
            "--hidden-fields": request.hidden_fields != "report",
            "--parallel": parallel_is_given(request.parallel),
        }
    )
    codes = []
    single = () if request.has_patterns else request.indexes
    for position, index in enumerate(single):
        others = single[position + 1 :]
        try:
            codes += [code for _, code in await _back_up(session, request, (index,), f"{request.service}/{index}")]
        except CancelledError:
            if others:
                session.output.note(f"not started: {', '.join(others)}")
            raise
        except IndexvaultError as error:
            codes.append(session.output.error(error))
            if isinstance(error, _FAILS_ALL):
                codes += print_not_tried(session.output, request.service, others)
                break
    objects = []
    if not single:
        results = await _back_up(session, request, request.indexes or ("*",), request.service)
        codes = [code for index, code in results if index != SERVICE_OBJECTS]
        objects = [code for index, code in results if index == SERVICE_OBJECTS]
    if len(codes) > 1:
        print_summary(session.output, request.service, codes, presumed=request.changes is not None)
    return worst([*codes, *objects])


def _options(request: BackupRequest) -> dict[str, Any]:
    """Return what the request says beside service and indexes, as the API takes it."""
    given: dict[str, Any] = msgspec.to_builtins(
        {
            "description": request.labels.description,
            "tags": request.labels.tags,
            "expires": request.labels.expires,
            "time_limit": request.time_limit,
        }
    )
    return {name: value for name, value in given.items() if value}


async def _back_up(
    session: RemoteSession, request: BackupRequest, indexes: Sequence[str], subject: str
) -> list[tuple[str, int]]:
    """Back up indexes of a service, and its other objects with `*`, in one run; return the exit code of each."""
    body: dict[str, Any] = {"service": request.service, "indexes": list(indexes), **_options(request)}
    if request.changes is not None:
        body["changes"] = msgspec.to_builtins(request.changes)
    begun = await start(session, "backups", body)
    view = await follow(session, begun, subject)
    for note in view.notes:
        session.output.note(f"{subject}: {note}")
    return [(each.index, await _print_index(session, each)) for each in view.indexes]


async def _print_index(session: RemoteSession, index: IndexView) -> int:
    name = f"{index.service}/{index.index}"
    if index.state == "gone":
        session.output.note(f"{name}: it was deleted before it could be backed up")
        return DONE
    failure = failure_of(index)
    if failure is not None:
        return session.output.error(failure)
    try:
        if index.index == SERVICE_OBJECTS:
            return print_objects(session.output, msgspec.convert(index.report, ServiceReport))
        return print_backup(session.output, await _report(session, index))
    except IndexvaultError as error:
        return session.output.error(error)


async def _report(session: RemoteSession, index: IndexView) -> BackupReport:
    """Return the report of a finished backup, made from the snapshot itself."""
    view = await read_snapshot(
        session, SnapshotReference(service=index.service, index=index.index, id=index.snapshot)
    )  # fmt: skip
    summary = view.summary
    return BackupReport(
        service=summary.service,
        index=summary.index,
        snapshot=summary.id,
        state=summary.state,
        losses=[f"{loss.field}: {loss.reason}" for loss in view.losses],
        unsettled=view.unsettled.words if view.unsettled is not None else [],
        presumption=view.presumption,
        missed=view.missed,
        unchanged=index.unchanged,
        documents=summary.documents,
        chunks=summary.chunks,
        bytes=summary.bytes,
        stored_bytes=summary.stored,
        added_chunks=summary.added_chunks,
        added_bytes=summary.added_stored,
        started=view.started,
        finished=view.finished,
        reading=view.reading,
        notes=index.notes,
    )
