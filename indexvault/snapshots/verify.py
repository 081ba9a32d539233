"""Verify what an index has in a store: all its snapshots or some, whole or a slice, by content or by sizes alone.

A chunk that several snapshots share is read once, and damage is reported with every snapshot it belongs to.
"""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import pairwise

import msgspec

from indexvault.bounds import MEBIBYTE
from indexvault.errors import IntegrityError, NotFoundError
from indexvault.model import Authenticity
from indexvault.snapshots.catalogue import read_manifest
from indexvault.snapshots.chunk_check import DIGESTS
from indexvault.snapshots.chunks import OnChunk
from indexvault.snapshots.damage import BadBlob, CheckedSnapshot, Finding, united
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
from indexvault.snapshots.tree import Tree, as_nodes
from indexvault.snapshots.tree_check import Depth, PacksOfFolder, TreeChecker
from indexvault.snapshots.tree_reader import KeyStretch, TreeReader

_OTHER_DIGEST = "its content digest is not that of its chunks' documents"
STRETCH_BYTES = 8 * 1024 * MEBIBYTE
"""Uncompressed bytes that are checked at once where a verification is divided: two minutes or less, on one core."""
MOST_STRETCHES = 500
"""Stretches of a verification at most: those of a very large index are longer."""

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
    plan = await _planned(blobs, there, service, index, only=only, missing=missing, most=None)
    found = await verify_stretch(blobs, plan, 0, depth=depth, sample=sample, there=there, progress=progress)
    return await _concluded(blobs, there, plan, [found])


class VerifyPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What a verification checks, and what was found in the manifests.

    `stretches` are those of the keys that are checked one by one: `verify_stretch` for each, then `conclude`.
    """

    service: str
    index: str
    snapshots: list[CheckedSnapshot]
    stretches: list[KeyStretch]
    read: int
    is_everything: bool
    findings: list[Finding]
    authenticity: dict[str, Authenticity]


class StretchFound(msgspec.Struct, frozen=True, kw_only=True):
    """What was found in one stretch of the keys.

    `sums` are the sums of documents by the ids of the snapshots of which one was made, in hex; None if some were not
    read.
    """

    named: int
    chunks: int
    documents: int
    bytes: int
    sums: dict[str, str | None]
    damage: list[BadBlob]
    used: list[PacksOfFolder]


async def plan_verification(
    blobs: SnapshotReader,
    service: str,
    index: str,
    *,
    only: Collection[str] | None = None,
    missing: Mapping[str, str] = _NONE,
    most: int = STRETCH_BYTES,
) -> VerifyPlan:
    """Read the manifests, and divide what is to be checked into stretches of about `most` uncompressed bytes.

    Arguments and errors as `verify_index`.
    """
    there = await _listed(blobs, service, index, required=not missing)
    return await _planned(blobs, there, service, index, only=only, missing=missing, most=most)


async def verify_stretch(
    blobs: SnapshotReader,
    plan: VerifyPlan,
    number: int,
    *,
    depth: Depth = "content",
    sample: Slice = WHOLE,
    there: Mapping[str, BlobProperties] | None = None,
    progress: OnChunk | None = None,
) -> StretchFound:
    """Check all that the snapshots of a plan have in one of its stretches, each chunk once. Damage is not raised.

    `there` are the blobs of the index as listed, if they are at hand.
    """
    within = plan.stretches[number]
    if there is None:
        reads_all = depth == "content" and sample == WHOLE
        there = {} if reads_all else await _listed(blobs, plan.service, plan.index, required=False)
    checker = TreeChecker(blobs, there, depth, sample, progress, within=within)
    last = {snapshot.folder: snapshot.id for snapshot in plan.snapshots}
    for snapshot in plan.snapshots:
        await checker.check(snapshot, is_last=snapshot.id == last[snapshot.folder])
    damage: list[BadBlob] = []
    if checker.damage:
        others = await _other_snapshots(blobs, plan)
        damage = await checker.damage.found(blobs, [*plan.snapshots, *others], within)
    return StretchFound(
        named=checker.named,
        chunks=checker.chunks,
        documents=checker.documents,
        bytes=checker.bytes,
        sums={snapshot: None if total is None else f"{total:x}" for snapshot, total in checker.sums.items()},
        damage=damage,
        used=checker.used(),
    )


async def conclude(blobs: SnapshotReader, plan: VerifyPlan, found: Iterable[StretchFound]) -> VerifyReport:
    """Return the report on a plan from what was found in its stretches."""
    there = await _listed(blobs, plan.service, plan.index, required=False)
    return await _concluded(blobs, there, plan, found)


async def _planned(
    blobs: SnapshotReader,
    there: Mapping[str, BlobProperties],
    service: str,
    index: str,
    *,
    only: Collection[str] | None,
    missing: Mapping[str, str],
    most: int | None,
) -> VerifyPlan:
    references = [found for name in there if (found := parse_manifest_name(name)) is not None]
    wanted = [reference for reference in references if only is None or reference.id in only]
    _require_known(service, index, only, [*(each.id or "" for each in wanted), *missing])
    reading = _Reading(blobs, there)
    await reading.read(wanted)
    lost = [
        Finding("missing", manifest_name(service, index, snapshot), what, (snapshot,))
        for snapshot, what in missing.items()
        if only is None or snapshot in only
    ]
    snapshots = sorted(reading.snapshots, key=lambda each: each.id, reverse=True)
    return VerifyPlan(
        service=service,
        index=index,
        snapshots=snapshots,
        stretches=[KeyStretch()] if most is None else await _stretches(blobs, snapshots, reading.added, most),
        read=len(wanted) - len(reading.unread),
        is_everything=len(snapshots) == len(references),
        findings=reading.findings + lost,
        authenticity=reading.authenticity,
    )


async def _stretches(
    blobs: SnapshotReader, snapshots: Sequence[CheckedSnapshot], added: Mapping[str, int], most: int
) -> list[KeyStretch]:
    """Return stretches of the keys, in each of which the snapshots have about `most` uncompressed bytes together."""
    if not snapshots:
        return [KeyStretch()]
    largest = max(snapshots, key=lambda each: each.tree.bytes)
    total = largest.tree.bytes + sum([added[each.id] for each in snapshots if each is not largest])
    most = max(most, math.ceil(total / MOST_STRETCHES))
    share = math.ceil(most * largest.tree.bytes / max(total, 1))
    keys = await _cuts(TreeReader(blobs, largest.folder), largest.tree, share)
    return [KeyStretch(*pair) for pair in pairwise([None, *keys, None])]


async def _cuts(reader: TreeReader, tree: Tree, most: int) -> list[str]:
    """Return the keys at which a tree is cut into pieces of about `most` uncompressed bytes; few segments are read."""
    entries = tree.entries
    try:
        for level in range(tree.level, 1, -1):
            if max(entry.bytes for entry in entries) * 4 <= most:
                break
            entries = [entry for some in await reader.open(as_nodes(entries), level) for entry in some]
    except (IntegrityError, NotFoundError):
        pass  # what is above is cut; the damage is found and named later
    keys: list[str] = []
    size = 0
    for entry in entries[:-1]:
        size += entry.bytes
        if size >= most:
            keys.append(entry.last)
            size = 0
    return keys


async def _concluded(
    blobs: SnapshotReader, there: Mapping[str, BlobProperties], plan: VerifyPlan, found: Iterable[StretchFound]
) -> VerifyReport:
    checker = TreeChecker(blobs, there, "content", WHOLE, None)
    named = chunks = documents = size = 0
    sums: dict[str, int | None] = {}
    damage: list[BadBlob] = []
    for each in found:
        named, chunks = named + each.named, chunks + each.chunks
        documents, size = documents + each.documents, size + each.bytes
        damage = united([*damage, *each.damage])
        checker.add_used(each.used)
        for snapshot, text in each.sums.items():
            before = sums.get(snapshot, 0)
            sums[snapshot] = None if text is None or before is None else before + int(text, 16)
    service, index = plan.service, plan.index
    findings = [*plan.findings, *(bad.finding for bad in damage)]
    findings += [
        Finding("damaged", manifest_name(service, index, snapshot.id), _OTHER_DIGEST, (snapshot.id,))
        for snapshot in plan.snapshots
        if (total := sums.get(snapshot.id)) is not None and total % DIGESTS != int(snapshot.content_digest, 16)
    ]
    findings += [_foreign(name) for name in there if _is_foreign(name)]
    is_known = plan.is_everything and not any(bad.segments for bad in damage)
    unnamed = _unnamed(there, await checker.used_names()) if is_known else None
    return VerifyReport(
        service=service,
        index=index,
        snapshots=plan.read,
        chunks_named=named,
        chunks=chunks,
        documents=documents,
        bytes=size,
        unnamed=None if unnamed is None else len(unnamed),
        unnamed_bytes=None if unnamed is None else sum(blob.size for blob in unnamed),
        findings=tuple(sorted(findings, key=lambda finding: finding.blob)),
        authenticity=plan.authenticity,
    )


async def _other_snapshots(blobs: SnapshotReader, plan: VerifyPlan) -> list[CheckedSnapshot]:
    """Return the snapshots of the index that are not checked: damage may belong to them too."""
    there = await _listed(blobs, plan.service, plan.index, required=False)
    checked = {snapshot.id for snapshot in plan.snapshots}
    others = _Reading(blobs, there)
    references = [found for name in there if (found := parse_manifest_name(name)) is not None]
    await others.read(each for each in references if each.id not in checked)
    return others.snapshots


class _Reading:
    """Reads manifests, and keeps what a verification needs of them. `unread` are the ids of those that are damaged."""

    def __init__(self, blobs: SnapshotReader, there: Mapping[str, BlobProperties]) -> None:
        self._blobs = blobs
        self._there = there
        self.snapshots: list[CheckedSnapshot] = []
        self.findings: list[Finding] = []
        self.unread: list[str] = []
        self.added: dict[str, int] = {}
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
        self.added[manifest.id] = manifest.added.bytes
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
