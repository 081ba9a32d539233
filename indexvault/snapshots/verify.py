"""Verify what an index has in a store: all its snapshots or some, whole or a slice, by content or by sizes alone.

A chunk that several snapshots share is read once, and damage is reported with every snapshot it belongs to.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence

import msgspec

from indexvault.errors import IntegrityError, NotFoundError
from indexvault.model import Authenticity
from indexvault.snapshots.catalogue import read_manifest
from indexvault.snapshots.chunks import OnChunk
from indexvault.snapshots.damage import CheckedSnapshot, Finding
from indexvault.snapshots.manifest import Manifest
from indexvault.snapshots.names import (
    SERVICE_OBJECTS,
    SnapshotReference,
    index_prefix,
    manifest_name,
    parse_manifest_name,
    parse_pack_name,
)
from indexvault.snapshots.service_manifest import read_service_manifest
from indexvault.snapshots.slices import WHOLE, Slice
from indexvault.snapshots.store import BlobProperties, SnapshotReader
from indexvault.snapshots.summary import from_metadata, summarise
from indexvault.snapshots.tree_check import Depth, TreeChecker

_OTHER_DIGEST = "its content digest is not that of its chunks' documents"
_NONE: Mapping[str, str] = {}


class VerifyReport(msgspec.Struct, frozen=True, kw_only=True):
    """The results of a verification.

    `snapshots` counts those whose manifests were read; `chunks`, `documents` and uncompressed `bytes` count what was
    found sound, of `chunks_named` distinct chunks. `unnamed` counts packs that no snapshot uses and `unnamed_bytes`
    their bytes: left by a failed backup, by a removal whose grace period runs, or by a deleted manifest. Both are None
    if not all manifests and trees were read. `authenticity` says by id whether who made a snapshot is known, which is
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
) -> VerifyReport:
    """Check the snapshots of an index, or `only` those with these ids, and report what is wrong.

    `missing` says by id, in words, why a snapshot that should be there has no manifest; each is reported as damage.

    Checked: each manifest, its checksum and the summary in its metadata; each segment of its tree, its SHA-256, order
    and sums; of each chunk that its pack exists and is large enough, its framing, size and SHA-256, its number of
    documents, and that its keys rise and so are unique. `sample` limits which packs are read back; that they exist is
    checked of all. The content digest is summed up for the newest snapshot of each generation, if all its chunks were
    read; that the others hold what they should is proved by the hashes in their trees, up to the manifest's checksum.
    `progress` is called with each chunk that was checked, sound or not. Raises NotFoundError if a snapshot asked for
    does not exist, RemoteError if the store can't be read; damage is reported, never raised.

    Holds two windows of chunks, a few bytes for each chunk there is, and the hashes of the segments.
    """
    there = await _listed(blobs, service, index, required=not missing)
    references = [found for name in there if (found := parse_manifest_name(name)) is not None]
    wanted = [reference for reference in references if only is None or reference.id in only]
    _require_known(service, index, only, [*(each.id or "" for each in wanted), *missing])
    reading = _Reading(blobs, there)
    await reading.read(wanted)
    checker = TreeChecker(blobs, there, depth, sample, progress)
    findings = list(reading.findings)
    snapshots = sorted(reading.snapshots, key=lambda each: each.id, reverse=True)
    last = {snapshot.folder: snapshot.id for snapshot in snapshots}
    findings += [
        Finding("damaged", manifest_name(service, index, snapshot.id), _OTHER_DIGEST, (snapshot.id,))
        for snapshot in snapshots
        if not await checker.check(snapshot, is_last=snapshot.id == last[snapshot.folder])
    ]
    if checker.damage:
        others = _Reading(blobs, there)
        await others.read(each for each in references if each not in wanted)
        findings += await checker.damage.findings(blobs, [*snapshots, *others.snapshots])
    findings += [
        Finding("missing", manifest_name(service, index, snapshot), what, (snapshot,))
        for snapshot, what in missing.items()
        if only is None or snapshot in only
    ]
    findings += [_foreign(name) for name in there if _is_foreign(name)]
    is_known = len(snapshots) == len(references) and not checker.damage.segments
    unnamed = _unnamed(there, await checker.used_names()) if is_known else None
    return VerifyReport(
        service=service,
        index=index,
        snapshots=len(wanted) - len(reading.unread),
        chunks_named=checker.named,
        chunks=checker.chunks,
        documents=checker.documents,
        bytes=checker.bytes,
        unnamed=None if unnamed is None else len(unnamed),
        unnamed_bytes=None if unnamed is None else sum(blob.size for blob in unnamed),
        findings=tuple(sorted(findings, key=lambda finding: finding.blob)),
        authenticity=reading.authenticity,
    )


class _Reading:
    """Reads manifests, and keeps what a verification needs of them. `unread` are the ids of those that are damaged."""

    def __init__(self, blobs: SnapshotReader, there: Mapping[str, BlobProperties]) -> None:
        self._blobs = blobs
        self._there = there
        self.snapshots: list[CheckedSnapshot] = []
        self.findings: list[Finding] = []
        self.unread: list[str] = []
        self.authenticity: dict[str, Authenticity] = {}

    async def read(self, references: Iterable[SnapshotReference]) -> None:
        for reference in references:
            try:
                judged = await self._read(reference)
            except IntegrityError as error:
                self.unread.append(reference.id or "")
                self._found(reference, error.what)
            except NotFoundError:
                continue  # removed since it was listed
            else:
                if judged is not None:
                    self.authenticity[reference.id or ""] = judged

    async def _read(self, reference: SnapshotReference) -> Authenticity | None:
        if reference.index == SERVICE_OBJECTS:
            return (await read_service_manifest(self._blobs, reference)).authenticity
        manifest = await read_manifest(self._blobs, reference)
        if not self._has_summary(manifest):
            self._found(reference, "the summary in its metadata is not that of the manifest")
        self.snapshots.append(
            CheckedSnapshot(
                id=manifest.id,
                folder=manifest.folder,
                tree=manifest.tree,
                key_field=manifest.key_field,
                content_digest=manifest.content_digest,
            )
        )
        return manifest.authenticity

    def _has_summary(self, manifest: Manifest) -> bool:
        name = manifest_name(manifest.service, manifest.index, manifest.id)
        summary = msgspec.structs.replace(summarise(manifest), authenticity=None)
        return from_metadata(summary.reference, self._there[name].metadata) == summary

    def _found(self, reference: SnapshotReference, what: str) -> None:
        name = manifest_name(reference.service, reference.index, reference.id or "")
        self.findings.append(Finding("damaged", name, what, (reference.id or "",)))


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
    return parse_manifest_name(name) is None and parse_pack_name(name) is None


def _foreign(name: str) -> Finding:
    return Finding("foreign", name, "no blob of a snapshot has such a name; it was not written by indexvault", ())


def _unnamed(there: Mapping[str, BlobProperties], used: Collection[str]) -> list[BlobProperties]:
    """Return the packs that no snapshot uses."""
    return [
        blob
        for name, blob in there.items()
        if name not in used and (pack := parse_pack_name(name)) is not None and pack.kind != "locations"
    ]
