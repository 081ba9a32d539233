"""Export a snapshot to a folder of plain files, for any tool that reads JSON Lines, and read such a folder.

    documents.jsonl                 one document a line, in key order
    definition.json                 the index's definition as the stable api-version gave it
    definition.preview.json         the same of the preview api-version, where the snapshot has one
    synonym-maps/<name>.json        each synonym map that the index names
    snapshot.json                   where it came from: names, times, state and losses, key field, content digest

`import` needs only `definition.json` and any number of `*.jsonl` files, with documents in any order: that much every
dump of another tool has.
"""

import asyncio
import contextlib
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path
from typing import IO

import msgspec

from indexvault.bounds import DEFINITION_LIMIT, MEBIBYTE, decode
from indexvault.errors import UNDECODABLE, ConflictError, IndexvaultError, IntegrityError, NotFoundError, SettingsError
from indexvault.model import definition_fault
from indexvault.snapshots.chunk_check import DIGESTS, sum_of_documents
from indexvault.snapshots.chunks import Digest, OnChunk
from indexvault.snapshots.manifest import Definition, Loss, Manifest, SynonymMap, Unsettled, VersionedDefinition
from indexvault.snapshots.names import parse_segment, segment_of
from indexvault.snapshots.plain_files import read_plain, require_plain
from indexvault.snapshots.reader import read_chunks
from indexvault.snapshots.store import SnapshotReader
from indexvault.snapshots.tree_reader import TreeReader

DOCUMENTS = "documents.jsonl"
DEFINITION = "definition.json"
PREVIEW = "definition.preview.json"
SYNONYM_MAPS = "synonym-maps"
ORIGIN = "snapshot.json"
_UNFINISHED = "documents.jsonl.unfinished"
_WRITTEN_AT_ONCE = MEBIBYTE


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """Where an exported folder came from.

    `import` takes the api-versions and losses from it, and checks the content digest, if there is one.
    """

    reference: str
    created: str
    tool: str
    key_field: str
    documents: int | None = None
    content_digest: Digest | None = None
    state: str
    losses: tuple[Loss, ...] = ()
    unsettled: Unsettled | None = None
    stable_version: str
    preview_version: str | None = None


class Dump(msgspec.Struct, frozen=True, kw_only=True):
    """The contents of a folder, apart from its documents, which are in `files`."""

    definition: Definition
    synonym_maps: tuple[SynonymMap, ...]
    files: tuple[Path, ...]
    origin: Origin | None


async def export_snapshot(
    blobs: SnapshotReader, manifest: Manifest, folder: Path, *, progress: OnChunk | None = None
) -> Path:
    """Write a snapshot to a folder that is empty or does not exist, and return the file of its documents.

    The file gets its final name only once all of its contents are proved. Raises ConflictError if the folder is not
    empty, IndexvaultError if it can't be written, IntegrityError and NotFoundError if the snapshot is damaged.
    """
    with _told(folder):
        return await _export(blobs, manifest, folder, progress)


async def _export(blobs: SnapshotReader, manifest: Manifest, folder: Path, progress: OnChunk | None) -> Path:
    await asyncio.to_thread(_make_empty, folder)
    await asyncio.to_thread(_write_definitions, manifest, folder)
    unfinished, finished = folder / _UNFINISHED, folder / DOCUMENTS
    file = await asyncio.to_thread(unfinished.open, "xb")
    with contextlib.closing(file):
        total = await _write_documents(blobs, manifest, file, progress)
    if total != int(manifest.content_digest, 16):
        raise IntegrityError(
            "the content digest of its manifest is not that of its chunks' documents",
            on=f"snapshot {manifest.service}/{manifest.index}@{manifest.id}",
            do="Use another snapshot, or a replica of this one",
        )
    await asyncio.to_thread(unfinished.rename, finished)
    return finished


async def _write_documents(blobs: SnapshotReader, manifest: Manifest, file: IO[bytes], progress: OnChunk | None) -> int:
    """Write the documents in key order, about a megabyte at once. Return their content digest as a number."""
    chunks = TreeReader(blobs, manifest.folder).chunks(manifest.tree)
    waiting: list[bytes] = []
    total = size = 0
    async with (
        aclosing(chunks),
        aclosing(read_chunks(blobs, manifest.folder, chunks, lambda _, data: (data, sum_of_documents(data)))) as read,
    ):
        async for chunk, (data, digest) in read:
            total += digest
            size += len(data)
            waiting.append(data)
            if size >= _WRITTEN_AT_ONCE:
                await asyncio.to_thread(file.writelines, waiting)
                waiting, size = [], 0
            if progress is not None:
                progress(chunk)
        await asyncio.to_thread(file.writelines, waiting)
    return total % DIGESTS


@contextlib.contextmanager
def _told(folder: Path) -> Iterator[None]:
    """Raise IndexvaultError for a folder or a file in it that can't be written."""
    try:
        yield
    except OSError as error:
        raise IndexvaultError(
            f"it can't be written ({error.strerror})",
            on=f"folder {folder}",
            do="Name a folder that you may write to, on a disk with space for the documents",
        ) from None


def read_dump(folder: Path) -> Dump:
    """Read a folder, apart from its documents.

    Raises NotFoundError if it has no definition or no documents, SettingsError if a file in it can't be used.
    """
    origin_file = folder / ORIGIN
    origin = _decode(origin_file, Origin) if origin_file.exists() else None
    definition = folder / DEFINITION
    files = tuple(sorted(folder.glob("*.jsonl")))
    for file in files:
        require_plain(file)
    if not definition.exists() or not files:
        raise NotFoundError(
            "there is no definition.json and *.jsonl in it",
            on=str(folder),
            do="Put the index's definition, as the service gives it, and its documents as JSON Lines into the folder",
        )
    preview = folder / PREVIEW
    stable_version = origin.stable_version if origin else "unknown"
    preview_version = (origin.preview_version if origin else None) or "unknown"
    return Dump(
        definition=Definition(
            stable=_versioned(definition, stable_version),
            preview=_versioned(preview, preview_version) if preview.exists() else None,
        ),
        synonym_maps=tuple(
            SynonymMap(_name_of(file), Definition(stable=_versioned(file, stable_version)))
            for file in sorted((folder / SYNONYM_MAPS).glob("*.json"))
        ),
        files=files,
        origin=origin,
    )


def _make_empty(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise ConflictError("the folder is not empty", on=str(folder), do="Name a new or an empty folder")


def _write_definitions(manifest: Manifest, folder: Path) -> None:
    (folder / DEFINITION).write_bytes(bytes(manifest.definition.stable.body))
    if manifest.definition.preview is not None:
        (folder / PREVIEW).write_bytes(bytes(manifest.definition.preview.body))
    for entry in manifest.synonym_maps:
        (folder / SYNONYM_MAPS).mkdir(exist_ok=True)
        (folder / SYNONYM_MAPS / f"{segment_of(entry.name)}.json").write_bytes(bytes(entry.definition.stable.body))
    preview = manifest.definition.preview
    origin = Origin(
        reference=f"{manifest.service}/{manifest.index}@{manifest.id}",
        created=manifest.created.isoformat(),
        tool=manifest.tool,
        key_field=manifest.key_field,
        documents=manifest.counts.documents,
        content_digest=manifest.content_digest,
        state=manifest.state,
        losses=manifest.losses,
        unsettled=manifest.unsettled,
        stable_version=manifest.definition.stable.api_version,
        preview_version=preview.api_version if preview else None,
    )
    (folder / ORIGIN).write_bytes(msgspec.json.format(msgspec.json.encode(origin), indent=2) + b"\n")


def _versioned(file: Path, version: str) -> VersionedDefinition:
    body = _decode(file, msgspec.Raw)
    if (reason := definition_fault(body)) is not None:
        raise _unusable(file, reason)
    return VersionedDefinition(version, body)


def _name_of(file: Path) -> str:
    name = parse_segment(file.stem)
    if name is None:
        raise _unusable(file, "this is not the name of a synonym map")
    return name


def _decode[Kind](file: Path, kind: type[Kind]) -> Kind:
    try:
        return decode(read_plain(file, DEFINITION_LIMIT).removeprefix(b"\xef\xbb\xbf").strip(), kind)
    except UNDECODABLE as error:
        raise _unusable(file, f"it is invalid: {error}") from error


def _unusable(file: Path, what: str) -> SettingsError:
    return SettingsError(what, on=str(file), do="Correct the file, or export the snapshot again")
