"""The manifest: the record whose existence makes a snapshot exist.

A manifest is one JSON object in UTF-8. Its last member is `checksum`, and its last 79 bytes are always
`,"checksum":"<64 hex digits>"}`. The checksum is the SHA-256 of every byte before those 79, so it also covers the
definitions, which stand in the manifest byte for byte as the service sent them.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Annotated, Literal

import msgspec

from indexvault.bounds import check_levels
from indexvault.errors import UNDECODABLE, IntegrityError
from indexvault.model import Authenticity, definition_fault
from indexvault.printable import count
from indexvault.snapshots.authority import NO_AUTHORITY, Authority
from indexvault.snapshots.checksum import has_checksum
from indexvault.snapshots.chunks import BoundaryBits, Digest, Size
from indexvault.snapshots.labels import Description, Tags
from indexvault.snapshots.names import PackFolder, id_time, is_snapshot_id, repair_advice
from indexvault.snapshots.tree import Tree, tree_fault

FORMAT = "indexvault/2"

MANIFEST_LIMIT = 256 * 1024 * 1024
"""Bytes of the largest manifest that is read: room for the definitions of an index and of all its synonym maps."""

MOST_MARGIN = 7 * 24 * 60 * 60
"""Seconds of the longest margin of a reading by changes."""

AwareTime = Annotated[datetime, msgspec.Meta(tz=True)]
State = Literal["complete", "presumed", "lossy", "unsettled"]
"""Of those that hold, the last of `complete`, `lossy`, `presumed` and `unsettled`."""


class Loss(msgspec.Struct, frozen=True):
    """A field that could not be read, by its path such as `rooms/secret`, and why in words."""

    field: str
    reason: str


class UnsettledPart(msgspec.Struct, frozen=True):
    """A part of an index, told apart in words without values, and how many of its documents the counts leave open."""

    part: str
    documents: Size


class Unsettled(msgspec.Struct, frozen=True):
    """How many documents the service's counts leave open after reading, and in which parts.

    So many documents may have been in the index throughout and are not in the snapshot. Those in it were all seen.
    """

    documents: Size
    parts: tuple[UnsettledPart, ...]

    @property
    def words(self) -> list[str]:
        """One line for each part."""
        return [f"{each.part}: {each.documents:,} documents are open" for each in self.parts]


class Presumption(msgspec.Struct, frozen=True, kw_only=True):
    """What a snapshot rests on whose run read only the documents that a field says were changed.

    A document that was changed without its `field` can be missed, and so can one that was deleted while another of its
    key range was added. `since` is the lower bound of the field that was read, as a literal of a filter, and `margin`
    the seconds by which it lies before the start of the reading before. `base` is the snapshot that the changes were
    merged into. `proved` is the last snapshot below it whose run read the whole index, made at `proved_at`.
    """

    field: Annotated[str, msgspec.Meta(min_length=1, max_length=2000)]
    margin: Annotated[int, msgspec.Meta(ge=0, le=MOST_MARGIN)]
    since: Annotated[str, msgspec.Meta(max_length=200)]
    base: str
    proved: str
    proved_at: AwareTime

    @property
    def words(self) -> str:
        """In words, what the snapshot rests on."""
        return (
            f"the snapshot is presumed: it builds on the full reading {self.proved} and on what {self.field} says was"
            " changed since; @proved means the newest full reading"
        )


class MissedField(msgspec.Struct, frozen=True):
    """A field that had changed, by its path, and in how many documents."""

    path: Annotated[str, msgspec.Meta(max_length=2000)]
    documents: Size


class Missed(msgspec.Struct, frozen=True, kw_only=True):
    """What a full reading found that the presumed snapshots before it had missed.

    `snapshot` is the last of these, `field` what they went by. Of the `documents` missed, so many were `changed`
    without the field, and so many `added` without it in place of as many that are `gone`; `fields` are those that had
    changed in the former. `explained` documents differ and say so by the field. Of all that had changed, the field
    `stood_still` in so many.
    """

    snapshot: str
    field: Annotated[str, msgspec.Meta(max_length=2000)]
    documents: Size
    changed: Size = 0
    added: Size = 0
    gone: Size = 0
    explained: Size = 0
    stood_still: Size = 0
    fields: Annotated[tuple[MissedField, ...], msgspec.Meta(max_length=100)] = ()

    @property
    def words(self) -> str:
        """In words, what was missed."""
        if not self.documents:
            return f"{self.snapshot} and the presumed snapshots before it had missed nothing"
        named = ", ".join(f"{each.path} ({each.documents:,})" for each in self.fields[:5])
        changed = f"{count(self.changed, 'document')} changed without {self.field}{f': {named}' if named else ''}"
        swapped = f"{self.gone:,} deleted while as many were added without it"
        parts = [text for text, number in ((changed, self.changed), (swapped, self.gone)) if number]
        return f"{self.snapshot} and the presumed snapshots before it had missed {'; '.join(parts)}"

    @property
    def advice(self) -> str:
        """What to do about it."""
        return "have every writer set the field, choose another one for changes, or prove more often (prove_every)"


class VersionedDefinition(msgspec.Struct, frozen=True):
    """A definition as the service sent it in one api-version.

    `body` is JSON text exactly as received, apart from white space around it and secrets, which are taken out.
    """

    api_version: str
    body: msgspec.Raw


class Definition(msgspec.Struct, frozen=True):
    """A definition in the stable and, if the service knew it, a preview api-version.

    A pinned api-version hides the properties of a newer one, so both are kept. What the stable version refuses, since
    it was made with a newer one, is kept as `stable` in the preview version alone: its `api_version` says so.
    """

    stable: VersionedDefinition
    preview: VersionedDefinition | None = None

    @property
    def versions(self) -> tuple[VersionedDefinition, ...]:
        """All versions that are kept, the stable one first."""
        return (self.stable,) if self.preview is None else (self.stable, self.preview)

    @property
    def needs_preview(self) -> bool:
        """Whether the stable api-version refused it."""
        return self.stable.api_version.endswith("-preview")

    @property
    def fullest(self) -> VersionedDefinition:
        """The version with the most properties: the preview's if there is one."""
        return self.preview or self.stable

    @property
    def fullest_is_preview(self) -> bool:
        """Whether the version with the most properties is a preview."""
        return self.preview is not None or self.needs_preview

    def comparable(self, other: "Definition") -> tuple[VersionedDefinition, VersionedDefinition]:
        """Return this and another definition in the fullest api-version that both have, else in each one's fullest."""
        theirs = {version.api_version: version for version in other.versions}
        for version in reversed(self.versions):
            if version.api_version in theirs:
                return version, theirs[version.api_version]
        return self.fullest, other.fullest


class SynonymMap(msgspec.Struct, frozen=True):
    """A synonym map that the index's fields name."""

    name: str
    definition: Definition


class Withheld(msgspec.Struct, frozen=True):
    """A value at `path` that was taken out of an object's definition, since it looks like a secret.

    `kind` is what the object's collection is called in the service's paths, such as `indexes`.
    """

    kind: str
    name: str
    path: str


class Counts(msgspec.Struct, frozen=True):
    """Documents that the service counted before and after reading, which may lag, and that the snapshot holds."""

    before: Size | None
    after: Size | None
    documents: Size


class Etags(msgspec.Struct, frozen=True):
    """The definition's ETag before and after reading."""

    before: str | None
    after: str | None


class Added(msgspec.Struct, frozen=True):
    """What this snapshot added to the store: chunks, their uncompressed bytes, their stored bytes."""

    chunks: Size = 0
    bytes: Size = 0
    stored: Size = 0


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """How the documents were read.

    `method` and `reason` are words for people: the plan, and why it was chosen. `parts` is how many ranges or
    partitions were read, `again` how many pieces of them were read again since their counts had changed, `requests` how
    many requests planning and reading took. `revealed` are hidden fields that were made retrievable for reading.
    """

    method: str
    reason: str
    parts: Size
    requests: Size
    again: Size = 0
    revealed: tuple[str, ...] = ()


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """One snapshot of one index.

    `created` is the time in the id: make both when the last document has been read, so that `@<time>` never means a
    snapshot with later documents in it. `unsettled` is there in that state only, which outweighs `losses` in `state`.
    `tool` is the name and version of what wrote it, `run` the run's id. `bytes` and `stored` are sums over the chunks
    of `tree`, so they include what other snapshots share; `added` does not. Readers ignore members that a later minor
    version adds. `presumption` is there in the state `presumed`, and where such a reading left documents open,
    `missed` where a full reading followed presumed snapshots. `authenticity` is no part of what is stored: whoever
    reads the manifest judges it (`authority`), and None says that it was not judged.
    """

    format: str = FORMAT
    id: str
    service: str
    index: str
    state: State
    losses: tuple[Loss, ...] = ()
    unsettled: Unsettled | None = None
    presumption: Presumption | None = None
    missed: Missed | None = None
    created: AwareTime
    started: AwareTime
    finished: AwareTime
    tool: str
    run: str
    key_field: str
    definition: Definition
    synonym_maps: tuple[SynonymMap, ...] = ()
    withheld: tuple[Withheld, ...] = ()
    counts: Counts
    etag: Etags
    reading: Reading | None = None
    boundary_bits: BoundaryBits
    generation: str = ""
    bytes: Size
    stored: Size
    added: Added
    content_digest: Digest
    tree: Tree
    description: Description = ""
    tags: Tags = {}
    expires: AwareTime | None = None
    authenticity: Authenticity | None = None

    @property
    def lacks(self) -> list[str]:
        """What the snapshot lacks or may lack, one line each: fields that could not be read, documents left open."""
        lost = [f"{loss.field}: {loss.reason}" for loss in self.losses]
        return lost + (self.unsettled.words if self.unsettled is not None else [])

    @property
    def folder(self) -> PackFolder:
        """Where this snapshot's packs lie."""
        return PackFolder(service=self.service, index=self.index, generation=self.generation)


def state_of(
    *, losses: Sequence[Loss], unsettled: Unsettled | None = None, presumption: Presumption | None = None
) -> State:
    """Return the state of a snapshot: the worst that holds of it."""
    if unsettled is not None:
        return "unsettled"
    if presumption is not None:
        return "presumed"
    return "lossy" if losses else "complete"


def seal(manifest: Manifest, authority: Authority = NO_AUTHORITY) -> bytes:
    """Return the bytes to store, signed by the authority if it has a key.

    Raises IntegrityError if the manifest contradicts itself or holds broken JSON.
    """
    for name, versioned in _definitions(manifest):
        try:
            msgspec.json.decode(versioned.body, type=msgspec.Raw)
        except msgspec.DecodeError as error:
            raise _damaged(f"the definition of {name} is not JSON: {error}", f"manifest {manifest.id}") from error
    sealed = authority.sealed(
        without_authenticity(msgspec.json.encode(msgspec.structs.replace(manifest, authenticity=None)))
    )
    open_manifest(sealed, f"manifest {manifest.id}")
    return sealed


def open_manifest(data: bytes, blob_name: str) -> Manifest:
    """Read a manifest, proved to be what was sealed.

    Raises IntegrityError naming the blob if the checksum, the order of its tree or a sum is wrong, or if the format
    is of another major version.
    """
    if not has_checksum(data):
        _refuse_other_format(data, blob_name)
        raise _damaged("its checksum does not match its bytes", blob_name)
    try:
        check_levels(data)
        data.decode()
        manifest = _DECODER.decode(data)
    except UNDECODABLE as error:
        _refuse_other_format(data, blob_name)
        raise _damaged(f"it is not a manifest: {error}", blob_name) from error
    _refuse_other_format(data, blob_name)
    for contradiction in _contradictions(manifest):
        raise _damaged(contradiction, blob_name)
    # A manifest can't speak for itself.
    return msgspec.structs.replace(manifest, authenticity=None)


def without_authenticity(data: bytes) -> bytes:
    """Return the JSON of a manifest without its last member, which is not stored."""
    return data.removesuffix(b',"authenticity":null}') + b"}"


class _Format(msgspec.Struct):
    format: str


_DECODER = msgspec.json.Decoder(Manifest)
_FORMAT_DECODER = msgspec.json.Decoder(_Format)


def _definitions(manifest: Manifest) -> Iterator[tuple[str, VersionedDefinition]]:
    named = [(manifest.index, manifest.definition), *((each.name, each.definition) for each in manifest.synonym_maps)]
    for name, definition in named:
        yield from ((name, version) for version in definition.versions)


def _refuse_other_format(data: bytes, blob_name: str) -> None:
    try:
        found = _FORMAT_DECODER.decode(data).format
    except UNDECODABLE:
        return
    if found != FORMAT and not found.startswith(f"{FORMAT}."):
        raise IntegrityError(
            f"its format is {found[:40]!r}, and this version reads {FORMAT}",
            on=blob_name,
            do="Use the version of indexvault that wrote it, or a newer one",
        )


def _contradictions(manifest: Manifest) -> Sequence[str]:
    tree = manifest.tree
    found = []
    if not is_snapshot_id(manifest.id) or id_time(manifest.id) != manifest.created.replace(microsecond=0):
        found.append("its id does not carry the time it was created")
    if manifest.state in {"complete", "lossy"} and (manifest.state == "lossy") != bool(manifest.losses):
        found.append(f"it is {manifest.state} and names {len(manifest.losses)} losses")
    if (manifest.state == "unsettled") != (manifest.unsettled is not None):
        found.append(f"it is {manifest.state} and does not agree on whether documents are open")
    found += _contradictions_of_presumption(manifest)
    if (fault := tree_fault(tree)) is not None:
        found.append(f"in its tree, {fault}")
    for name, versioned in _definitions(manifest):
        if (reason := definition_fault(versioned.body)) is not None:
            found.append(f"the definition of {name} can't be used: {reason}")
    if (tree.documents, tree.bytes, tree.stored) != (manifest.counts.documents, manifest.bytes, manifest.stored):
        found.append("its tree does not add up to its documents and bytes")
    return found


def _contradictions_of_presumption(manifest: Manifest) -> Iterator[str]:
    presumption, missed = manifest.presumption, manifest.missed
    if missed is not None and (
        presumption is not None
        or not is_snapshot_id(missed.snapshot)
        or missed.documents != missed.changed + missed.added + missed.gone
    ):
        yield "it does not agree on what had been missed before it"
    if manifest.state != "unsettled" and (manifest.state == "presumed") != (presumption is not None):
        yield f"it is {manifest.state} and does not agree on whether only changes were read"
    if presumption is None:
        return
    if not is_snapshot_id(presumption.proved) or not is_snapshot_id(presumption.base):
        yield "it does not name the snapshots that it builds on"
    elif id_time(presumption.proved) != presumption.proved_at.replace(microsecond=0):
        yield "the time of the full reading it builds on is another one"
    elif not id_time(presumption.proved) <= id_time(presumption.base) <= manifest.created:
        yield "it builds on snapshots that are newer than it"


def _damaged(what: str, blob_name: str) -> IntegrityError:
    return IntegrityError(what, on=blob_name, do=repair_advice(blob_name))
