"""Making hidden fields retrievable while an index is read, and hiding them again whatever happens.

This is the one thing that a backup changes at its source, and it does so only where a policy or an operator asks for
it. Each change carries the ETag it was decided on, so that nobody else's change is overwritten.
"""

import logging
from collections.abc import Iterator

import msgspec

from indexvault.backup.definitions import kept, read_whole_index_definition
from indexvault.backup.job import BackupJob
from indexvault.backup.losses import hidden_fields
from indexvault.backup.plan import widest_schema
from indexvault.backup.reveal_records import Reveal, RevealRecords, with_retrievable
from indexvault.errors import ConflictError, NotFoundError
from indexvault.search.client import SearchService
from indexvault.search.schema import Field
from indexvault.snapshots.manifest import Definition
from indexvault.workflow.activity import Resources
from indexvault.workflow.lock_activities import Done

_ATTEMPTS = 5
_LOG = logging.getLogger(__name__)


async def prepare_fields(resources: Resources, job: BackupJob) -> Done:
    """Hide again what an earlier run left revealed, then reveal hidden fields if the job asks for it."""
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
    """Hide again what this run has revealed."""
    records = RevealRecords(resources.clients.store_of(job.service).runs)
    reveal = await records.read(job.service, job.index)
    if reveal is not None:
        await hide_again(resources.clients.service(job.service), records, reveal)
    return Done()


async def hide_again(service: SearchService, records: RevealRecords, reveal: Reveal) -> list[str]:
    """Make the fields of a record unretrievable again, remove the record, and give the fields that were retrievable.

    An index that is gone needs nothing. Raises ConflictError if the definition keeps changing; the record stays then.
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
    """Reveal. Before each attempt the record says what is there now; after it, the ETag must still be that."""
    for attempt in range(_ATTEMPTS):
        definition, etag = await read_whole_index_definition(service, job.index)
        hidden = hidden_fields(widest_schema(definition, on=f"{job.service} index {job.index}"))
        if not hidden:
            return
        fields = list(dict.fromkeys([*(earlier.fields if earlier is not None else []), *hidden]))
        if earlier is None or etag != earlier.etag:
            earlier = Reveal(
                service=job.service,
                index=job.index,
                run=job.run,
                fields=fields,
                definition=kept(definition if earlier is None else _hidden(definition, earlier.fields)),
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
    """Return a definition in which fields that were revealed are as they were."""

    def hide(body: msgspec.Raw) -> msgspec.Raw:
        return msgspec.Raw(with_retrievable(bytes(body), paths, retrievable=False))

    return Definition(
        stable=msgspec.structs.replace(definition.stable, body=hide(definition.stable.body)),
        preview=definition.preview and msgspec.structs.replace(definition.preview, body=hide(definition.preview.body)),
    )


async def _put(
    service: SearchService, index: str, definition: Definition, etag: str, paths: list[str], *, retrievable: bool
) -> None:
    """Change the definition in the api-version that tells most of it: what a version hides, it would take away."""
    changed = with_retrievable(bytes(definition.fullest.body), paths, retrievable=retrievable)
    await service.update_index(index, changed, etag=etag, preview=definition.preview is not None)


def _walk(definition: Definition, index: str) -> Iterator[tuple[str, Field]]:
    return widest_schema(definition, on=f"index {index}").walk()
