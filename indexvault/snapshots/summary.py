"""The summary of a snapshot: what a listing shows, kept in the metadata of the manifest's blob.

Metadata names are C# identifiers and compare without case; values are ASCII. So a summary's members are written under
their own names without underscores, as decimal numbers and plain text. The names of service and index, which need not
be ASCII, come from the blob's name. Source: Naming and referencing containers, blobs, and metadata, 2026-09.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from urllib.parse import unquote

import msgspec

from indexvault.model import Authenticity
from indexvault.snapshots.chunks import Digest, Size
from indexvault.snapshots.labels import decode_tags, encode_description, encode_tags
from indexvault.snapshots.manifest import FORMAT, AwareTime, Manifest
from indexvault.snapshots.names import SnapshotReference, id_time, is_snapshot_id

IMPORT_RUN = "import"
"""What the names of runs begin with that make a snapshot of a folder."""

CLOCK_SKEW = timedelta(minutes=5)
"""How far the clocks of two machines may differ: a snapshot dated no further ahead is not from the future."""


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """One snapshot in a listing.

    `state` is `damaged` if the manifest exists and can't be read, and `missing` if it has vanished though nobody
    removed it. Such a snapshot can't be restored from its store, and is listed so that nobody relies on it. The other
    members are as in the manifest; `added_…` is what it added to the store, `losses` the number of fields that could
    not be read, `unsettled` that of the documents which the counts leave open, `proved` the id of the full
    reading that a presumed snapshot builds on. `authenticity` is not in the metadata: whoever lists judges it, and None
    says that there is no record key to judge with. `description`, `tags` and `expires` are what whoever made it wrote
    on it.
    """

    id: str
    service: str
    index: str
    state: Literal["complete", "presumed", "lossy", "unsettled", "damaged", "missing"]
    created: AwareTime
    format: str
    tool: str
    run: str
    generation: str = ""
    documents: Size
    chunks: Size
    losses: Size
    unsettled: Size = 0
    proved: str = ""
    bytes: Size
    stored: Size
    added_chunks: Size
    added_bytes: Size
    added_stored: Size
    content_digest: Digest
    description: str = ""
    tags: dict[str, str] = {}
    expires: AwareTime | None = None
    authenticity: Authenticity | None = None

    @property
    def is_trusted(self) -> bool:
        """Whether the snapshot is authentic or accepted, as far as there is a key to tell."""
        return self.authenticity != "unauthentic"

    @property
    def is_proved(self) -> bool:
        """Whether its run read the whole index, and left nothing open."""
        return self.state in {"complete", "lossy"}

    @property
    def proved_at(self) -> datetime | None:
        """When the full reading was made that a presumed snapshot builds on. None if it builds on none."""
        return id_time(self.proved) if self.proved else None

    @property
    def is_imported(self) -> bool:
        """Whether it was made of a folder, not of the index: the names of such runs begin with IMPORT_RUN."""
        return self.run.startswith(f"{IMPORT_RUN}-")

    @property
    def reference(self) -> SnapshotReference:
        """The snapshot by its id."""
        return SnapshotReference(service=self.service, index=self.index, id=self.id)


def is_in_future(created: datetime, now: datetime) -> bool:
    """Return whether a snapshot is dated in the future, by a clock that was wrong, and not just by clock skew."""
    return created > now and created - now > CLOCK_SKEW


def summarise(manifest: Manifest) -> Summary:
    """Return the summary of a manifest."""
    return Summary(
        id=manifest.id,
        service=manifest.service,
        index=manifest.index,
        state=manifest.state,
        created=manifest.created.astimezone(UTC),
        format=manifest.format,
        tool=manifest.tool,
        run=manifest.run,
        generation=manifest.generation,
        documents=manifest.counts.documents,
        chunks=manifest.tree.count,
        losses=len(manifest.losses),
        unsettled=manifest.unsettled.documents if manifest.unsettled is not None else 0,
        proved=manifest.presumption.proved if manifest.presumption is not None else "",
        bytes=manifest.bytes,
        stored=manifest.stored,
        added_chunks=manifest.added.chunks,
        added_bytes=manifest.added.bytes,
        added_stored=manifest.added.stored,
        content_digest=manifest.content_digest,
        description=manifest.description,
        tags=manifest.tags,
        expires=manifest.expires.astimezone(UTC) if manifest.expires is not None else None,
        authenticity=manifest.authenticity,
    )


def damaged_summary(reference: SnapshotReference) -> Summary:
    """Return the summary of a snapshot whose manifest can't be read, so that only its name is known."""
    return _unread_summary(reference, "damaged")


def missing_summary(reference: SnapshotReference) -> Summary:
    """Return the summary of a snapshot whose manifest has vanished, so that only its name is known."""
    return _unread_summary(reference, "missing")


def _unread_summary(reference: SnapshotReference, state: Literal["damaged", "missing"]) -> Summary:
    snapshot = reference.id or ""
    return Summary(
        id=snapshot,
        service=reference.service,
        index=reference.index,
        state=state,
        created=id_time(snapshot),
        format=FORMAT,
        tool="",
        run="",
        documents=0,
        chunks=0,
        losses=0,
        bytes=0,
        stored=0,
        added_chunks=0,
        added_bytes=0,
        added_stored=0,
        content_digest="0" * 64,
    )


def to_metadata(summary: Summary) -> dict[str, str]:
    """Return a summary as blob metadata, without empty values, which stores keep in different ways."""
    members = msgspec.to_builtins(summary)
    members["description"] = encode_description(summary.description)
    members["tags"] = encode_tags(summary.tags)
    return {
        _metadata_name(name): str(value)
        for name, value in members.items()
        if value not in _EMPTY and name in _MEMBERS and (name, value) != _SETTLED
    }


def from_metadata(reference: SnapshotReference, metadata: Mapping[str, str]) -> Summary | None:
    """Return the summary in the metadata of the manifest of `reference`, or None if it holds none of this snapshot."""
    lowered = {name.lower(): value for name, value in metadata.items()}
    members: dict[str, Any] = {
        name: lowered[_metadata_name(name)] for name in _MEMBERS if _metadata_name(name) in lowered
    }
    place = {"service": reference.service, "index": reference.index}
    if not all(value.isascii() for value in members.values()):
        return None
    try:
        members["tags"] = decode_tags(members["tags"]) if "tags" in members else {}
        members["description"] = unquote(members.get("description", ""), errors="strict")
        summary = msgspec.convert(members | place, Summary, strict=False)
    except ValueError:  # msgspec's and UnicodeDecodeError are such
        return None
    if summary.id != reference.id or summary.state in {"damaged", "missing"}:
        return None
    if (summary.state == "unsettled") != bool(summary.unsettled) or not _agrees_on_presumption(summary):
        return None
    return summary if summary.created.replace(microsecond=0) == id_time(summary.id) else None


def _agrees_on_presumption(summary: Summary) -> bool:
    if not summary.proved:
        return summary.state != "presumed"
    is_older = is_snapshot_id(summary.proved) and id_time(summary.proved) <= id_time(summary.id)
    return is_older and summary.state in {"presumed", "unsettled"}


_EMPTY = ("", None)
_SETTLED = ("unsettled", 0)
"""What the metadata of most snapshots leaves out."""
_IN_THE_NAME = frozenset({"service", "index"})
_MEMBERS = tuple(field for field in Summary.__struct_fields__ if field not in {*_IN_THE_NAME, "authenticity"})


def _metadata_name(member: str) -> str:
    return member.replace("_", "")
