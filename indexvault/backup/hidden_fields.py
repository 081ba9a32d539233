"""Make hidden fields retrievable while an index is read, and hide them again whatever happens.

This is the only change that a backup makes to its source, and only if a policy or an operator asks for it. Each change
is conditional on the ETag of the definition it is based on, so that nobody else's change is overwritten.
"""

import logging
from collections.abc import Iterator

import msgspec

from indexvault.backup.definitions import definition_without_secrets, read_whole_index_definition
from indexvault.backup.job import BackupJob
from indexvault.backup.losses import hidden_fields
from indexvault.backup.reveal_records import Reveal, RevealRecords, with_retrievable
from indexvault.errors import ConflictError, NotFoundError
from indexvault.search.client import SearchService
from indexvault.search.definitions import FetchedDefinition
from indexvault.search.schema import Field, read_schema
from indexvault.snapshots.manifest import Definition
from indexvault.workflow.activity import Resources
from indexvault.workflow.lock_activities import Done

_ATTEMPTS = 5
_LOG = logging.getLogger(__name__)


async def prepare_fields(resources: Resources, job: BackupJob) -> Done:
    """Hide again the fields that an earlier run left revealed, then reveal hidden fields if the job asks for it."""
    records = RevealRecords(resources.clients.store_of(job.service).runs)
    service = resources.clients.service(job.service)
    reveal = await records.read(job.service, job.index)
    if reveal is not None and (reveal.run != job.run or job.hidden_fields != "reveal"):
        await hide_again(service, records, reveal)
        reveal = None
    if job.hidden_fields == "reveal":
        await _reveal(resources, service, records, job, reveal)
    return Done()


async def restore_fields(resources: Resources, job: BackupJob) -> Done:
    """Hide again the fields that this run revealed."""
    records = RevealRecords(resources.clients.store_of(job.service).runs)
    reveal = await records.read(job.service, job.index)
    if reveal is not None:
        await hide_again(resources.clients.service(job.service), records, reveal)
    return Done()


async def hide_again(service: SearchService, records: RevealRecords, reveal: Reveal) -> list[str]:
    """Hide the fields of a record again, remove the record and return those fields that were retrievable.

    If the index was deleted, only the record is removed. Raises ConflictError if the definition keeps changing; then
    the record stays.
    """
    revealed: list[str] = []
    for attempt in range(_ATTEMPTS):
        try:
            definition, etag = await read_whole_index_definition(service, reveal.index)
        except NotFoundError:
            break
        readable = {path for path, field in _walk(definition, reveal.index) if field.is_readable}
        revealed = [path for path in reveal.fields if path in readable]
        if not revealed:
            break
        try:
            await _put(service, reveal.index, definition, etag, revealed, retrievable=False)
            _LOG.info("hidden again: %s of %s index %s", ", ".join(revealed), service.name, reveal.index)
            break
        except ConflictError:
            if attempt == _ATTEMPTS - 1:
                raise
    await records.remove(reveal.service, reveal.index)
    return revealed


async def _reveal(
    resources: Resources, service: SearchService, records: RevealRecords, job: BackupJob, earlier: Reveal | None
) -> None:
    """Reveal hidden fields. Each attempt first records the current definition, then requires its ETag unchanged."""
    for attempt in range(_ATTEMPTS):
        definition, etag = await read_whole_index_definition(service, job.index)
        hidden = hidden_fields(read_schema(definition.fullest.body, on=f"{job.service} index {job.index}"))
        if not hidden:
            return
        fields = list(dict.fromkeys([*(earlier.fields if earlier is not None else []), *hidden]))
        if earlier is None or etag != earlier.etag:
            earlier = Reveal(
                service=job.service,
                index=job.index,
                run=job.run,
                fields=fields,
                definition=definition_without_secrets(
                    definition if earlier is None else _hidden(definition, earlier.fields)
                ),
                etag=etag,
                started=resources.clock(),
            )
            await records.write(earlier)
        try:
            await _put(service, job.index, definition, etag, hidden, retrievable=True)
        except ConflictError:
            if attempt == _ATTEMPTS - 1:
                raise


def _hidden(definition: Definition, paths: list[str]) -> Definition:
    """Return a definition in which revealed fields are hidden as before."""

    def hide(body: msgspec.Raw) -> msgspec.Raw:
        return msgspec.Raw(with_retrievable(bytes(body), paths, retrievable=False))

    return Definition(
        stable=msgspec.structs.replace(definition.stable, body=hide(definition.stable.body)),
        preview=definition.preview and msgspec.structs.replace(definition.preview, body=hide(definition.preview.body)),
    )


async def _put(
    service: SearchService, index: str, definition: Definition, etag: str, paths: list[str], *, retrievable: bool
) -> None:
    """Change the definition in its fullest api-version: members that a version lacks would be removed."""
    changed = with_retrievable(bytes(definition.fullest.body), paths, retrievable=retrievable)
    before = FetchedDefinition(definition.fullest.api_version, definition.fullest.body, etag)
    await service.update_index(index, changed, before=before, preview=definition.fullest_is_preview)


def _walk(definition: Definition, index: str) -> Iterator[tuple[str, Field]]:
    return read_schema(definition.fullest.body, on=f"index {index}").walk()
