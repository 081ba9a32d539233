"""`backup`, through a deployment."""

import msgspec

from indexvault.api.run_views import IndexView, RunView
from indexvault.backup.job import BackupReport
from indexvault.backup.service_objects import ServiceReport
from indexvault.cli.commands.backup import give_up, sum_up, tell_backup
from indexvault.cli.exit_codes import DONE, worst
from indexvault.cli.remote.follow import failure_of, follow, start
from indexvault.cli.remote.session import RemoteSession
from indexvault.cli.remote.snapshots import read_snapshot
from indexvault.cli.remote.unsupported import is_own_parallel, refuse_options
from indexvault.cli.requests import BackupRequest
from indexvault.cli.service_objects import tell_objects
from indexvault.errors import (
    CancelledError,
    ForbiddenError,
    IndexvaultError,
    SettingsError,
    UnauthorizedError,
    UnexpectedAnswerError,
    UnreachableError,
)
from indexvault.snapshots.names import SERVICE_OBJECTS, SnapshotReference

_CLOSED = (UnreachableError, UnauthorizedError, ForbiddenError, UnexpectedAnswerError)
"""What each further index would meet too."""


async def run(session: RemoteSession, request: BackupRequest) -> int:
    """Back up one index after the other, each in a run of its own, or all in one run; give the worst code."""
    refuse_options(
        {
            "--dry-run": request.dry_run,
            "--hidden-fields": request.hidden_fields != "report",
            "--parallel": is_own_parallel(request.parallel),
        }
    )
    for index in request.indexes:
        if "*" in index or index.startswith("!"):
            raise SettingsError(
                "this is a pattern, not an index", on=repr(index), do="Name indexes in full, or none to back up all"
            )
    codes = []
    for position, index in enumerate(request.indexes):
        others = request.indexes[position + 1 :]
        try:
            codes += await _back_up(session, request.service, index, f"{request.service}/{index}")
        except CancelledError:
            if others:
                session.output.notes.print(f"not begun: {', '.join(others)}", soft_wrap=True)
            raise
        except IndexvaultError as error:
            codes.append(session.output.error(error))
            if isinstance(error, _CLOSED):
                codes += give_up(session.output, request.service, others)
                break
    objects = []
    if not request.indexes:
        told = await _back_up_all(session, request.service)
        codes = [code for index, code in told if index != SERVICE_OBJECTS]
        objects = [code for index, code in told if index == SERVICE_OBJECTS]
    if len(codes) > 1:
        sum_up(session.output, request.service, codes)
    return worst([*codes, *objects])


async def _back_up_all(session: RemoteSession, service: str) -> list[tuple[str, int]]:
    """Back up all of a service in one run; give each index's code, and that of the service's other objects."""
    view = await _followed(session, service, "*", service)
    return [(index.index, await _tell(session, index)) for index in view.indexes]


async def _back_up(session: RemoteSession, service: str, indexes: str, subject: str) -> list[int]:
    view = await _followed(session, service, indexes, subject)
    return [await _tell(session, index) for index in view.indexes]


async def _followed(session: RemoteSession, service: str, indexes: str, subject: str) -> RunView:
    begun = await start(session, "backups", {"service": service, "indexes": [indexes]})
    view = await follow(session, begun, subject)
    for note in view.notes:
        session.output.notes.print(f"{subject}: {note}", soft_wrap=True)
    return view


async def _tell(session: RemoteSession, index: IndexView) -> int:
    name = f"{index.service}/{index.index}"
    if index.state == "gone":
        session.output.notes.print(f"{name}: it was deleted before its turn came", soft_wrap=True)
        return DONE
    failure = failure_of(index)
    if failure is not None:
        return session.output.error(failure)
    try:
        if index.index == SERVICE_OBJECTS:
            return tell_objects(session.output, msgspec.convert(index.report, ServiceReport))
        return tell_backup(session.output, await _report(session, index))
    except IndexvaultError as error:
        return session.output.error(error)


async def _report(session: RemoteSession, index: IndexView) -> BackupReport:
    """Return the report of a finished snapshot, from the snapshot itself."""
    view = await read_snapshot(
        session, SnapshotReference(service=index.service, index=index.index, id=index.snapshot)
    )  # fmt: skip
    summary = view.summary
    return BackupReport(
        service=summary.service,
        index=summary.index,
        snapshot=summary.id,
        state=summary.state,
        losses=index.losses,
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
