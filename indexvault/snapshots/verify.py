"""Verify what an index has in a store: all its snapshots or some, whole or a slice, by content or by sizes alone.

A chunk that several snapshots share is read once, and damage is reported with every snapshot it belongs to.
"""

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Literal

import msgspec

from indexvault.errors import UNDECODABLE, IndexvaultError, IntegrityError, NotFoundError
from indexvault.model import Authenticity
from indexvault.snapshots.catalogue import read_manifest
from indexvault.snapshots.chunks import (
    Chunk,
    Digest,
    OnChunk,
    add_digests,
    content_digest,
    document_lines,
    key_reader,
)
from indexvault.snapshots.manifest import Manifest
from indexvault.snapshots.names import (
    SERVICE_OBJECTS,
    ChunkFolder,
    SnapshotReference,
    index_prefix,
    manifest_name,
    parse_chunk_name,
    parse_manifest_name,
    repair_advice,
)
from indexvault.snapshots.reader import read_chunk
from indexvault.snapshots.service_manifest import read_service_manifest
from indexvault.snapshots.slices import Slice
from indexvault.snapshots.store import BlobProperties, SnapshotReader
from indexvault.snapshots.summary import from_metadata, summarise

DEFAULT_CONCURRENCY = 8
"""Chunks that are read and held at once."""

Depth = Literal["content", "sizes"]
"""`content` reads chunks back; `sizes` reads only those whose size differs from the one in the manifest."""

WHOLE = Slice(number=1, total=1)

_NONE: Mapping[str, str] = {}


class Finding(msgspec.Struct, frozen=True):
    """A blob that is wrong, what is wrong with it in words, and the ids of the snapshots it belongs to.

    `foreign` blobs belong to no snapshot and do no harm.
    """

    kind: Literal["missing", "damaged", "foreign"]
    blob: str
    what: str
    snapshots: tuple[str, ...]


class VerifyReport(msgspec.Struct, frozen=True, kw_only=True):
    """The results of a verification.

    `snapshots` counts those whose manifests were read; `chunks`, `documents` and uncompressed `bytes` count what was
    found sound, of `chunks_named` distinct chunks. `unnamed` counts chunks that no manifest names and `unnamed_bytes`
    their stored bytes: left by a failed backup, by a removal whose grace period runs, or by a deleted manifest. Both
    are None if not all manifests were read. `authenticity` says by id whether who made a snapshot is known, which is
    another question than whether it is sound; it is empty without a record key.
    """

    service: str
    index: str
    snapshots: int
    chunks_named: int
    chunks: int
    documents: int
    bytes: int
    unnamed: int | None
    unnamed_bytes: int | None
    findings: tuple[Finding, ...]
    authenticity: dict[str, Authenticity] = {}

    @property
    def unauthentic(self) -> list[str]:
        """The ids of the snapshots that no record key has signed and nobody has accepted."""
        return sorted(snapshot for snapshot, judged in self.authenticity.items() if judged == "unauthentic")

    @property
    def damage(self) -> tuple[Finding, ...]:
        """Findings that keep a snapshot from being restored."""
        return tuple(finding for finding in self.findings if finding.kind != "foreign")

    def raise_for_damage(self) -> None:
        """Raise IntegrityError naming the damaged blobs and their snapshots, if there are any."""
        remedy = f"Run `indexvault repair {self.service}/{self.index}`, or restore another snapshot"
        if len(self.damage) == 1:
            (only,) = self.damage
            raise IntegrityError(only.what, on=only.blob, do=f"It belongs to {', '.join(only.snapshots)}. {remedy}")
        if self.damage:
            raise IntegrityError(
                "; ".join(f"{each.blob}: {each.what} (in {', '.join(each.snapshots)})" for each in self.damage),
                on=f"{self.service}/{self.index}",
                do=remedy,
            )


async def verify_index(
    blobs: SnapshotReader,
    service: str,
    index: str,
    *,
    only: Collection[str] | None = None,
    depth: Depth = "content",
    sample: Slice = WHOLE,
    missing: Mapping[str, str] = _NONE,
    progress: OnChunk | None = None,
    concurrency: int = DEFAULT_CONCURRENCY,
) -> VerifyReport:
    """Check the snapshots of an index, or `only` those with these ids, and report what is wrong.

    `missing` says by id, in words, why a snapshot that should be there has no manifest; each is reported as damage.

    Checked: each manifest, its checksum and the summary in its metadata; of each chunk that it exists, its framing,
    size and SHA-256, its number of documents, and that its keys rise and so are unique. `sample` limits which chunks
    are read back; that they exist is checked of all. The content digest of a snapshot is checked if all its chunks were
    read. `progress` is called with each chunk that was checked, sound or not. Raises NotFoundError if a snapshot asked
    for does not exist, RemoteError if the store can't be read; damage is reported, never raised.
    """
    there = await _listed(blobs, service, index, required=not missing)
    references = [found for name in there if (found := parse_manifest_name(name)) is not None]
    wanted = [reference for reference in references if only is None or reference.id in only]
    _require_known(service, index, only, [*(each.id or "" for each in wanted), *missing])
    manifests, unread, authenticity = await _read(blobs, wanted)
    checker = _Checker(blobs, there, depth, sample)
    await checker.check(manifests, progress, concurrency)
    findings = [*unread, *_manifest_findings(there, manifests, checker.digests)]
    if checker.damage and len(wanted) < len(references):
        others, _, _ = await _read(blobs, [each for each in references if each not in wanted])
    else:
        others = []
    findings += checker.findings([*manifests, *others])
    findings += [
        Finding("missing", manifest_name(service, index, snapshot), what, (snapshot,))
        for snapshot, what in missing.items()
        if only is None or snapshot in only
    ]
    findings += [_foreign(name) for name in there if _is_foreign(name)]
    unnamed = _unnamed(there, manifests) if len(manifests) == len(references) else None
    return VerifyReport(
        service=service,
        index=index,
        snapshots=len(wanted) - len(unread),
        chunks_named=checker.named,
        chunks=len(checker.sound),
        documents=sum(chunk.documents for chunk in checker.sound),
        bytes=sum(chunk.bytes for chunk in checker.sound),
        unnamed=None if unnamed is None else len(unnamed),
        unnamed_bytes=None if unnamed is None else sum(blob.size for blob in unnamed),
        findings=tuple(sorted(findings, key=lambda finding: finding.blob)),
        authenticity=authenticity,
    )


async def check_chunk(blobs: SnapshotReader, folder: ChunkFolder, chunk: Chunk, key_field: str) -> Digest:
    """Read one chunk back, check it and its keys, and return the content digest of its documents.

    Raises NotFoundError and IntegrityError as `read_chunk` does, and IntegrityError if a document has no key or the
    keys do not rise from the chunk's first to its last.
    """
    data = await read_chunk(blobs, folder, chunk)
    return await asyncio.to_thread(_check_documents, chunk, data, key_field, folder.blob(chunk.sha256))


def _check_documents(chunk: Chunk, data: bytes, key_field: str, blob_name: str) -> Digest:
    lines = document_lines(data)
    read_key = key_reader(key_field)
    try:
        keys = [read_key(line) for line in lines]
    except UNDECODABLE as error:
        raise _not_as_named(f"a document is not JSON with a {key_field!r} in it: {error}", blob_name) from error
    if keys[0] != chunk.first or keys[-1] != chunk.last:
        raise _not_as_named("its first and last keys are not those the manifest names", blob_name)
    if any(before >= after for before, after in pairwise(keys)):
        raise _not_as_named("its documents are not in key order, or a key is duplicated", blob_name)
    return content_digest(lines)


class _Checker:
    """Checks each distinct chunk of several manifests once."""

    def __init__(self, blobs: SnapshotReader, there: Mapping[str, BlobProperties], depth: Depth, sample: Slice) -> None:
        self._blobs = blobs
        self._there = there
        self._depth = depth
        self._sample = sample
        self.named = 0
        self.sound: list[Chunk] = []
        self.digests: dict[str, Digest] = {}
        self.damage: dict[str, tuple[Literal["missing", "damaged"], str]] = {}

    async def check(self, manifests: Sequence[Manifest], progress: OnChunk | None, concurrency: int) -> None:
        distinct: dict[tuple[str, Chunk], tuple[Manifest, Chunk]] = {}
        for manifest in manifests:
            for chunk in manifest.chunks:
                same = msgspec.structs.replace(chunk, stored=0)
                distinct.setdefault((manifest.folder.blob(chunk.sha256), same), (manifest, chunk))
        self.named = len({name for name, _ in distinct})
        waiting = iter(distinct.values())

        async def work() -> None:
            for manifest, chunk in waiting:
                if await self._check(manifest, chunk) and progress is not None:
                    progress(chunk)

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(concurrency, len(distinct))):
                    group.create_task(work())
        except* IndexvaultError as errors:
            raise errors.exceptions[0] from None

    def findings(self, manifests: Iterable[Manifest]) -> list[Finding]:
        """Return the damage with every snapshot that names it."""
        owners: dict[str, list[str]] = {name: [] for name in self.damage}
        for manifest in manifests:
            for name in dict.fromkeys(manifest.folder.blob(chunk.sha256) for chunk in manifest.chunks):
                if name in owners:
                    owners[name].append(manifest.id)
        return [
            Finding(kind, name, what, tuple(sorted(set(owners[name])))) for name, (kind, what) in self.damage.items()
        ]

    async def _check(self, manifest: Manifest, chunk: Chunk) -> bool:
        """Check one chunk. Return whether more was checked than that it exists."""
        name = manifest.folder.blob(chunk.sha256)
        # The chunk and its manifest may both have been written while the listing was between their names.
        blob = self._there.get(name) or await self._blobs.properties(name)
        if blob is None:
            self.damage[name] = ("missing", "the chunk is gone")
            return True
        reads = self._sample.has(chunk.sha256) if self._depth == "content" else blob.size != chunk.stored
        if reads:
            try:
                self.digests[name] = await check_chunk(self._blobs, manifest.folder, chunk, manifest.key_field)
            except NotFoundError:
                self.damage[name] = ("missing", "the chunk is gone")
                return True
            except IntegrityError as error:
                self.damage[name] = ("damaged", error.what)
                return True
        checked = reads or self._depth == "sizes"
        if checked:
            self.sound.append(chunk)
        return checked


async def _read(
    blobs: SnapshotReader, references: Iterable[SnapshotReference]
) -> tuple[list[Manifest], list[Finding], dict[str, Authenticity]]:
    manifests, findings = [], []
    authenticity: dict[str, Authenticity] = {}
    for reference in references:
        try:
            if reference.index == SERVICE_OBJECTS:
                judged = (await read_service_manifest(blobs, reference)).authenticity
            else:
                manifests.append(await read_manifest(blobs, reference))
                judged = manifests[-1].authenticity
            if judged is not None:
                authenticity[reference.id or ""] = judged
        except IntegrityError as error:
            name = manifest_name(reference.service, reference.index, reference.id or "")
            findings.append(Finding("damaged", name, error.what, (reference.id or "",)))
        except NotFoundError:
            continue  # removed since it was listed
    return manifests, findings, authenticity


def _manifest_findings(
    there: Mapping[str, BlobProperties], manifests: Iterable[Manifest], digests: Mapping[str, Digest]
) -> list[Finding]:
    findings = []
    for manifest in manifests:
        name = manifest_name(manifest.service, manifest.index, manifest.id)
        summary = summarise(manifest)
        if from_metadata(summary.reference, there[name].metadata) != msgspec.structs.replace(
            summary, authenticity=None
        ):
            what = "the summary in its metadata is not that of the manifest"
            findings.append(Finding("damaged", name, what, (manifest.id,)))
        found = [digests.get(manifest.folder.blob(chunk.sha256)) for chunk in manifest.chunks]
        known = [digest for digest in found if digest is not None]
        if len(known) == len(found) and add_digests(known) != manifest.content_digest:
            what = "its content digest is not that of its chunks' documents"
            findings.append(Finding("damaged", name, what, (manifest.id,)))
    return findings


async def _listed(blobs: SnapshotReader, service: str, index: str, *, required: bool) -> dict[str, BlobProperties]:
    """Return the blobs of an index by name; none where the container is gone, unless it is `required`."""
    try:
        return {blob.name: blob async for blob in blobs.list(index_prefix(service, index))}
    except NotFoundError:
        if required:
            raise
        return {}


def _require_known(service: str, index: str, only: Collection[str] | None, known: Sequence[str]) -> None:
    for snapshot in sorted(set(only or ()).difference(known)):
        raise NotFoundError(
            "there is no such snapshot",
            on=f"{service}/{index}@{snapshot}",
            do="List the snapshots there are; a manifest that was deleted may still be in a replica",
        )


def _is_foreign(name: str) -> bool:
    return parse_manifest_name(name) is None and parse_chunk_name(name) is None


def _foreign(name: str) -> Finding:
    return Finding("foreign", name, "no manifest and no chunk has such a name; it was not written by indexvault", ())


def _unnamed(there: Mapping[str, BlobProperties], manifests: Iterable[Manifest]) -> list[BlobProperties]:
    named = {manifest.folder.blob(chunk.sha256) for manifest in manifests for chunk in manifest.chunks}
    return [blob for name, blob in there.items() if name not in named and parse_chunk_name(name) is not None]


def _not_as_named(what: str, blob_name: str) -> IntegrityError:
    return IntegrityError(what, on=blob_name, do=repair_advice(blob_name))
