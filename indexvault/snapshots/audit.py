"""Proving what an index has in a store: all its snapshots or one, whole or a slice, by content or by sizes alone.

A chunk that several snapshots share is read once, and what is damaged is named with every snapshot it belongs to.
"""

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Literal

import msgspec

from indexvault.errors import IndexvaultError, IntegrityError, NotFoundError
from indexvault.snapshots.catalogue import read_manifest
from indexvault.snapshots.chunks import Chunk, Digest, add_digests
from indexvault.snapshots.manifest import Manifest
from indexvault.snapshots.names import (
    SERVICE_OBJECTS,
    SnapshotReference,
    index_prefix,
    manifest_name,
    parse_chunk_name,
    parse_manifest_name,
)
from indexvault.snapshots.service_manifest import read_service_manifest
from indexvault.snapshots.slices import Slice
from indexvault.snapshots.store import BlobProperties, SnapshotReader
from indexvault.snapshots.summary import from_metadata, summarise
from indexvault.snapshots.verify import DEFAULT_CONCURRENCY, Progress, check_chunk

Depth = Literal["content", "sizes"]
"""`content` reads chunks back; `sizes` reads only those whose size is another than was written down."""

WHOLE = Slice(number=1, total=1)


class Finding(msgspec.Struct, frozen=True):
    """A blob that is not as it should be, what is wrong with it in words, and the ids of the snapshots it belongs to.

    `foreign` blobs belong to none and harm none.
    """

    kind: Literal["missing", "damaged", "foreign"]
    blob: str
    what: str
    snapshots: tuple[str, ...]


class AuditReport(msgspec.Struct, frozen=True, kw_only=True):
    """What an audit showed.

    `snapshots` counts those whose manifests were read; `chunks`, `documents` and uncompressed `bytes` what was found
    sound, of `chunks_named`. `unnamed` counts chunks that no manifest names, `unnamed_bytes` what they take: left by a
    backup that failed, by a removal whose grace period runs, or by a manifest that is gone; it is None when not all
    manifests were read.
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

    @property
    def damage(self) -> tuple[Finding, ...]:
        """What can't be restored as it is."""
        return tuple(finding for finding in self.findings if finding.kind != "foreign")

    def raise_for_damage(self) -> None:
        """Raise IntegrityError, naming the blobs and their snapshots, unless all that snapshots need is sound."""
        way_out = "Run `indexvault repair`, or restore another snapshot"
        if len(self.damage) == 1:
            (only,) = self.damage
            raise IntegrityError(only.what, on=only.blob, do=f"It belongs to {', '.join(only.snapshots)}. {way_out}")
        if self.damage:
            raise IntegrityError(
                "; ".join(f"{each.blob}: {each.what} (in {', '.join(each.snapshots)})" for each in self.damage),
                on=f"{self.service}/{self.index}",
                do=way_out,
            )


async def audit_index(
    blobs: SnapshotReader,
    service: str,
    index: str,
    *,
    only: Collection[str] | None = None,
    depth: Depth = "content",
    part: Slice = WHOLE,
    progress: Progress | None = None,
    concurrency: int = DEFAULT_CONCURRENCY,
) -> AuditReport:
    """Check the snapshots of an index, or `only` those with these ids, and report what is not as it should be.

    `part` limits which chunks are read back; that all are there is checked in any case. The content digest of a
    snapshot is checked when all its chunks were. Raises NotFoundError when a snapshot asked for is not there,
    RemoteError when the store can't be read; damage is never raised.
    """
    there = {blob.name: blob async for blob in blobs.list(index_prefix(service, index))}
    references = [found for name in there if (found := parse_manifest_name(name)) is not None]
    wanted = [reference for reference in references if only is None or reference.id in only]
    _require_known(service, index, only, wanted)
    manifests, unread = await _read(blobs, wanted)
    checker = _Checker(blobs, there, depth, part)
    await checker.check(manifests, progress, concurrency)
    findings = [*unread, *_manifest_findings(there, manifests, checker.digests)]
    if checker.damage and len(wanted) < len(references):
        others, _ = await _read(blobs, [each for each in references if each not in wanted])
    else:
        others = []
    findings += checker.findings([*manifests, *others])
    findings += [_foreign(name) for name in there if _is_foreign(name)]
    unnamed = _unnamed(there, manifests) if len(manifests) == len(references) else None
    return AuditReport(
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
    )


class _Checker:
    """Checks each distinct chunk of several manifests once."""

    def __init__(self, blobs: SnapshotReader, there: Mapping[str, BlobProperties], depth: Depth, part: Slice) -> None:
        self._blobs = blobs
        self._there = there
        self._depth = depth
        self._part = part
        self.named = 0
        self.sound: list[Chunk] = []
        self.digests: dict[str, Digest] = {}
        self.damage: dict[str, tuple[Literal["missing", "damaged"], str]] = {}

    async def check(self, manifests: Sequence[Manifest], progress: Progress | None, concurrency: int) -> None:
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
        """Check one chunk, and give whether more was looked at than that it is there."""
        name = manifest.folder.blob(chunk.sha256)
        # A chunk may have been stored, and its manifest written, while the listing was between the two.
        blob = self._there.get(name) or await self._blobs.properties(name)
        if blob is None:
            self.damage[name] = ("missing", "the chunk is gone")
            return True
        reads = self._part.has(chunk.sha256) if self._depth == "content" else blob.size != chunk.stored
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


async def _read(blobs: SnapshotReader, references: Iterable[SnapshotReference]) -> tuple[list[Manifest], list[Finding]]:
    manifests, findings = [], []
    for reference in references:
        try:
            if reference.index == SERVICE_OBJECTS:
                await read_service_manifest(blobs, reference)
            else:
                manifests.append(await read_manifest(blobs, reference))
        except IntegrityError as error:
            name = manifest_name(reference.service, reference.index, reference.id or "")
            findings.append(Finding("damaged", name, error.what, (reference.id or "",)))
        except NotFoundError:
            continue  # removed since it was listed: then there is nothing left to prove
    return manifests, findings


def _manifest_findings(
    there: Mapping[str, BlobProperties], manifests: Iterable[Manifest], digests: Mapping[str, Digest]
) -> list[Finding]:
    findings = []
    for manifest in manifests:
        name = manifest_name(manifest.service, manifest.index, manifest.id)
        summary = summarise(manifest)
        if from_metadata(summary.reference, there[name].metadata) != summary:
            what = "the summary in its metadata is not that of the manifest"
            findings.append(Finding("damaged", name, what, (manifest.id,)))
        found = [digests.get(manifest.folder.blob(chunk.sha256)) for chunk in manifest.chunks]
        known = [digest for digest in found if digest is not None]
        if len(known) == len(found) and add_digests(known) != manifest.content_digest:
            what = "its content digest is not that of its chunks' documents"
            findings.append(Finding("damaged", name, what, (manifest.id,)))
    return findings


def _require_known(service: str, index: str, only: Collection[str] | None, wanted: Sequence[SnapshotReference]) -> None:
    missing = set(only or ()) - {reference.id for reference in wanted}
    for snapshot in sorted(missing):
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
