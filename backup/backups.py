"""`POST /backups`: a backup on request."""

from datetime import timedelta
from typing import Annotated

import msgspec

from indexvault.api.endpoint import Call, Endpoint, Nothing, Reply
from indexvault.api.parameters import IndexPattern, ServiceName
from indexvault.api.start_run import STARTED, start_run
from indexvault.backup.run import RUN_BACKUP, claim_of, item_for
from indexvault.errors import NotFoundError, RequestError, SettingsError
from indexvault.settings.changes import check_changes
from indexvault.settings.load import check_time_limit, service_settings
from indexvault.settings.model import ChangesSettings
from indexvault.settings.patterns import MOST_PATTERNS, check_patterns, plain_names
from indexvault.snapshots.labels import Description, Labels, Tags, check_labels
from indexvault.workflow.runs import RunRecord
from indexvault.workflow.submit import run_name

OWNER = "POST /backups"

type Patterns = Annotated[list[IndexPattern], msgspec.Meta(min_length=1, max_length=MOST_PATTERNS)]


class BackupRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The indexes of a service to back up. Patterns are resolved when the run starts.

    The snapshots carry `description` and `tags`; once `expires` has passed, such as `P30D`, prunes remove them. A run
    that works for longer than `time_limit` is ended and has failed.
    """

    service: ServiceName
    indexes: Patterns = msgspec.field(default_factory=lambda: ["*"])
    changes: ChangesSettings | None = None
    """Read only what a field says was changed."""
    description: Description = ""
    tags: Tags = {}
    expires: timedelta | None = None
    time_limit: timedelta | None = None


async def back_up(call: Call[BackupRequest, Nothing, Nothing]) -> Reply:
    """Start a run.

    Indexes named in full must exist and be free now, else NotFoundError or ConflictError is raised; what a pattern
    matches is reported in the run.
    """
    asked, resources = call.body, call.resources
    labels = Labels(description=asked.description, tags=asked.tags, expires=asked.expires)
    service_settings(resources.clients.settings, asked.service)
    try:
        check_patterns(asked.indexes, on="body.indexes")
        check_labels(labels, on="body")
        check_time_limit(asked.time_limit, on="body.time_limit")
    except SettingsError as error:
        raise RequestError(error.what, on=error.on, do=error.do) from None
    if asked.changes is not None:
        try:
            check_changes(asked.changes, on="body.changes")
        except SettingsError as error:
            raise RequestError(error.what, on=error.on, do=error.do) from None
    now = resources.clock()
    run = run_name(now, "backup", resources.rng.randbytes(3))
    names = plain_names(asked.indexes)
    record = RunRecord(
        run=run,
        kind="backup",
        workflow=RUN_BACKUP.name,
        service=asked.service,
        asked=f"indexes {', '.join(asked.indexes)} of {asked.service}",
        owner=OWNER,
        created=now,
        choose=list(asked.indexes),
        changes=asked.changes,
        labels=labels,
        time_limit=asked.time_limit,
    )
    if names == asked.indexes:
        await _require_indexes(call, names)
        items = [item_for(record, name, position) for position, name in enumerate(names)]
        record = msgspec.structs.replace(record, items=items, choose=[])
    return await start_run(call, record, [claim_of(record, item) for item in record.items])


async def _require_indexes(call: Call[BackupRequest, Nothing, Nothing], names: list[str]) -> None:
    there = await call.resources.clients.service(call.body.service).index_names()
    for name in names:
        if name not in there:
            raise NotFoundError(
                "there is no such index",
                on=f"{call.body.service} index {name}",
                do=f"Indexes of this service: {', '.join(there) or 'none'}",
            )


ENDPOINTS = (
    Endpoint(
        name="back_up",
        method="POST",
        route="backups",
        summary="Back up indexes of a service",
        handle=back_up,
        body=BackupRequest,
        answers={202: STARTED},
    ),
)
