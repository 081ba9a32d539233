"""Views of snapshots: a manifest without its list of chunks, for the API."""

from datetime import datetime

import msgspec

from indexvault.snapshots.manifest import (
    Added,
    Counts,
    Definition,
    Etags,
    Loss,
    Manifest,
    Reading,
    SynonymMap,
    Withheld,
)
from indexvault.snapshots.sharing import Sharing
from indexvault.snapshots.summary import Summary, summarise


class SnapshotList(msgspec.Struct, frozen=True):
    """Snapshots by service and index, newest first. `more` says that the limit left some out."""

    snapshots: list[Summary]
    more: bool


class SnapshotView(msgspec.Struct, frozen=True, kw_only=True):
    """One snapshot: its summary, losses, how it was read and proved, and the definitions in it.

    `withheld` names the secrets that were removed from the definitions. `sharing` is what the snapshot shares with the
    others of its index, if the request asked for it.
    """

    summary: Summary
    losses: list[Loss]
    counts: Counts
    started: datetime
    finished: datetime
    key_field: str
    etag: Etags
    reading: Reading | None
    boundary_bits: int
    definition: Definition
    synonym_maps: list[SynonymMap]
    withheld: list[Withheld] = []
    sharing: Sharing | None = None


def view_snapshot(manifest: Manifest, sharing: Sharing | None) -> SnapshotView:
    """Return the view of a snapshot."""
    return SnapshotView(
        summary=summarise(manifest),
        losses=list(manifest.losses),
        counts=manifest.counts,
        started=manifest.started,
        finished=manifest.finished,
        key_field=manifest.key_field,
        etag=manifest.etag,
        reading=manifest.reading,
        boundary_bits=manifest.boundary_bits,
        definition=manifest.definition,
        synonym_maps=list(manifest.synonym_maps),
        withheld=list(manifest.withheld),
        sharing=sharing,
    )


def manifest_of(view: SnapshotView) -> Manifest:
    """Return the manifest behind a view, without its chunks; `view.summary.chunks` is their number."""
    summary = view.summary
    return Manifest(
        format=summary.format,
        id=summary.id,
        service=summary.service,
        index=summary.index,
        state="lossy" if view.losses else "complete",
        losses=tuple(view.losses),
        created=summary.created,
        started=view.started,
        finished=view.finished,
        tool=summary.tool,
        run=summary.run,
        key_field=view.key_field,
        definition=view.definition,
        synonym_maps=tuple(view.synonym_maps),
        withheld=tuple(view.withheld),
        counts=view.counts,
        etag=view.etag,
        reading=view.reading,
        boundary_bits=view.boundary_bits,
        generation=summary.generation,
        bytes=summary.bytes,
        stored=summary.stored,
        added=Added(chunks=summary.added_chunks, bytes=summary.added_bytes, stored=summary.added_stored),
        content_digest=summary.content_digest,
        chunks=(),
    )
