"""Make hidden fields retrievable while an index is read, and hide them again whatever happens.

This is the only change that a backup makes to its source, and only if a policy or an operator asks for it. Each change
is conditional on the ETag of the definition it is based on, so that nobody else's change is overwritten.
"""

import logging
from collections.abc import Iterator, Sequence

import msgspec

from indexvault.backup.definition_changes import same_definition
from indexvault.backup.definitions import definition_without_secrets, read_whole_index_definition
from indexvault.backup.job import BackupJob, Prepared
from indexvault.backup.losses import hidden_fields
from indexvault.backup.reveal_records import Reveal, RevealRecords, with_retrievable
from indexvault.errors import ConflictError, IntegrityError, NotFoundError
from indexvault.search.client import SearchService
from indexvault.search.definitions import FetchedDefinition
from indexvault.search.schema import Field, read_schema
from indexvault.snapshots.catalogue import read_manifest, resolve
from indexvault.snapshots.manifest import Definition, VersionedDefinition
from indexvault.snapshots.names import SnapshotReference
from indexvault.workflow.activity import Resources
from indexvault.workflow.lock_activities import Done

_ATTEMPTS = 5
_LOG = logging.getLogger(__name__)


async def prepare_fields(resources: Resources, job: BackupJob) -> Prepared:
    """Hide again the fields that an earlier run left revealed, then reveal hidden fields if the job asks for it.

    A record alone hides no field that the index's last snapshot shows as its owner's: that is noted instead.
    """
    store = resources.clients.store_of(job.service)
    records = RevealRecords(store.runs)
    service = resources.clients.service(job.service)
    reveal = await records.read(job.service, job.index)
    believed: list[str] = []
    notes: list[str] = []
    if reveal is not None:
        believed, doubted = await _believed(resources, job, reveal)
        if doubted:
            notes = [_doubt(reveal, doubted)]
            _LOG.error("%s index %s: %s", job.service, job.index, notes[0])
    if reveal is not None and (reveal.run != job.run or job.hidden_fields != "reveal"):
        await hide_again(service, records, reveal, believed)
        believed = []
    if job.hidden_fields == "reveal":
        return Prepared(await _reveal(resources, service, records, job, believed), notes)
    return Prepared(notes=notes)


async def restore_fields(resources: Resources, job: BackupJob) -> Done:
    """Hide again the fields that this run revealed, whatever became of the record of them."""
    records = RevealRecords(resources.clients.store_of(job.service).runs)
    service = resources.clients.service(job.service)
    if job.revealed:
        await _hide(service, job.index, job.revealed)
        await records.remove(job.service, job.index)
        return Done()
    reveal = await records.read(job.service, job.index)
    if reveal is not None and reveal.run == job.run:
        await hide_again(service, records, reveal, (await _believed(resources, job, reveal))[0])
    return Done()


async def before_revealing(resources: Resources, job: BackupJob, current: Definition) -> tuple[Definition, str] | None:
    """Return the definition and ETag from before this run revealed fields, or None if it has revealed none.

    `current` is the definition as it is. What the record says is taken if it is that with the fields hidden.
    """
    if not job.revealed:
        return None
    reveal = await RevealRecords(resources.clients.store_of(job.service).runs).read(job.service, job.index)
    hidden = definition_without_secrets(_as_read(_hidden(current, job.revealed)))
    if reveal is None:
        return hidden, ""
    noted = definition_without_secrets(reveal.definition)
    is_as_noted = same_definition(_as_read(_hidden(noted, job.revealed)), hidden) and not _shows(noted, job)
    return (noted if is_as_noted else hidden), reveal.etag


async def hide_again(
    service: SearchService, records: RevealRecords, reveal: Reveal, fields: Sequence[str] | None = None
) -> list[str]:
    """Hide fields of a record again (None: all of them), and return those that were retrievable.

    The record is removed, or keeps the other fields. If the index was deleted, only the record is removed. Raises
    ConflictError if the definition keeps changing; then the record stays.
    """
    wanted = reveal.fields if fields is None else list(fields)
    revealed = await _hide(service, reveal.index, wanted)
    rest = [path for path in reveal.fields if path not in wanted]
    if revealed is None or not rest:
        await records.remove(reveal.service, reveal.index)
    elif len(rest) < len(reveal.fields):
        await records.write(msgspec.structs.replace(reveal, fields=rest))
    return revealed or []


async def _hide(service: SearchService, index: str, fields: Sequence[str]) -> list[str] | None:
    """Hide fields, and return those that were retrievable, or None if there is no such index."""
    for attempt in range(_ATTEMPTS):
        try:
            definition, etag = await read_whole_index_definition(service, index)
        except NotFoundError:
            return None
        readable = {path for path, field in _walk(definition, index) if field.is_readable}
        revealed = [path for path in fields if path in readable]
        if not revealed:
            return []
        try:
            await _put(service, index, definition, etag, revealed, retrievable=False)
        except ConflictError:
            if attempt == _ATTEMPTS - 1:
                raise
            continue
        _LOG.info("hidden again: %s of %s index %s", ", ".join(revealed), service.name, index)
        return revealed
    return []


async def _believed(resources: Resources, job: BackupJob, reveal: Reveal) -> tuple[list[str], list[str]]:
    """Return the fields of a record that may have been hidden before, and those that the last snapshot contradicts.

    Whoever can write to the runs container can write such a record, but no manifest. With a record key, a record that
    can be read at all is the app's own.
    """
    blobs = resources.clients.store_of(job.service).snapshots
    if blobs.authority:
        return reveal.fields, []
    try:
        newest = await resolve(blobs, SnapshotReference(service=job.service, index=job.index), now=resources.clock())
        manifest = await read_manifest(blobs, newest)
    except (NotFoundError, IntegrityError):
        return reveal.fields, []
    shown = {path for path, field in _walk(manifest.definition, job.index) if field.is_readable}
    doubted = [path for path in reveal.fields if path in shown]
    return [path for path in reveal.fields if path not in shown], doubted


def _doubt(reveal: Reveal, doubted: Sequence[str]) -> str:
    return (
        f"a record says that run {reveal.run} has revealed {', '.join(doubted)}, but in the last snapshot they were not"
        " hidden: they are left as they are. If they are to be hidden, use indexvault heal; if not, somebody else has"
        " written to the runs container"
    )


async def _reveal(
    resources: Resources, service: SearchService, records: RevealRecords, job: BackupJob, earlier: list[str]
) -> list[str]:
    """Reveal hidden fields, and return which this run has revealed, with the `earlier` ones.

    Each attempt first records the current definition, then requires its ETag unchanged.
    """
    fields = earlier
    for attempt in range(_ATTEMPTS):
        definition, etag = await read_whole_index_definition(service, job.index)
        hidden = hidden_fields(read_schema(definition.fullest.body, on=f"{job.service} index {job.index}"))
        if not hidden:
            return fields
        before = definition if not fields else _hidden(definition, fields)
        fields = list(dict.fromkeys([*fields, *hidden]))
        await records.write(
            Reveal(
                service=job.service,
                index=job.index,
                run=job.run,
                fields=fields,
                definition=definition_without_secrets(before),
                etag=etag,
                started=resources.clock(),
            )
        )
        try:
            await _put(service, job.index, definition, etag, hidden, retrievable=True)
        except ConflictError:
            if attempt == _ATTEMPTS - 1:
                raise
    return fields


def _hidden(definition: Definition, paths: Sequence[str]) -> Definition:
    """Return a definition in which revealed fields are hidden as before."""

    def hide(body: msgspec.Raw) -> msgspec.Raw:
        return msgspec.Raw(with_retrievable(bytes(body), paths, retrievable=False))

    return Definition(
        stable=msgspec.structs.replace(definition.stable, body=hide(definition.stable.body)),
        preview=definition.preview and msgspec.structs.replace(definition.preview, body=hide(definition.preview.body)),
    )


def _as_read(definition: Definition) -> Definition:
    """Return a definition that was made to be sent as the service would return it: with its secrets redacted."""

    def redacted(version: VersionedDefinition) -> VersionedDefinition:
        body = bytes(version.body).replace(b'"<unchanged>"', b'"<redacted>"')
        return msgspec.structs.replace(version, body=msgspec.Raw(body))

    return Definition(stable=redacted(definition.stable), preview=definition.preview and redacted(definition.preview))


def _shows(definition: Definition, job: BackupJob) -> bool:
    """Return whether a definition shows any of the fields that the run has revealed."""
    return any(path in job.revealed for path, field in _walk(definition, job.index) if field.is_readable)


async def _put(
    service: SearchService, index: str, definition: Definition, etag: str, paths: list[str], *, retrievable: bool
) -> None:
    """Change the definition in its fullest api-version: members that a version lacks would be removed."""
    changed = with_retrievable(bytes(definition.fullest.body), paths, retrievable=retrievable)
    before = FetchedDefinition(definition.fullest.api_version, definition.fullest.body, etag)
    await service.update_index(index, changed, before=before, preview=definition.fullest_is_preview)


def _walk(definition: Definition, index: str) -> Iterator[tuple[str, Field]]:
    return read_schema(definition.fullest.body, on=f"index {index}").walk()
