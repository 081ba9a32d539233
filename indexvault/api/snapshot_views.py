"""Views of snapshots: a manifest without its list of chunks, for the API."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from indexvault.api.stores import UnreadStore
from indexvault.maintenance.holds import list_holds
from indexvault.maintenance.pins import Pinned, list_pins
from indexvault.maintenance.stock import Stock
from indexvault.maintenance.unchanged import list_unchanged
from indexvault.snapshots.holds import Hold
from indexvault.snapshots.manifest import (
    Added,
    Counts,
    Definition,
    Etags,
    Loss,
    Manifest,
    Missed,
    Presumption,
    Reading,
    SynonymMap,
    Unsettled,
    Withheld,
    state_of,
)
from indexvault.snapshots.sharing import Sharing
from indexvault.snapshots.summary import Summary, is_in_future, summarise
from indexvault.snapshots.tree import Tree
from indexvault.snapshots.unchanged import Unchanged
from indexvault.workflow.activity import Resources


class ListedSnapshot(Summary, frozen=True, kw_only=True):
    """One snapshot in one store.

    `in_future` says that it is dated in the future, by a clock that was wrong: only its id finds it. `copies` are the
    stores that still have one whose state here is `missing`, `held` the unfinished restores and moves that need it,
    `pinned` the pin that keeps it. `proved_at` is when the full reading was made that a presumed one builds on,
    `unchanged` says that later runs found the index as it is in this one.
    """

    store: str = ""
    in_future: bool = False
    proved_at: datetime | None = None
    unchanged: Unchanged | None = None
    copies: tuple[str, ...] = ()
    held: tuple[Hold, ...] = ()
    pinned: Pinned | None = None


class SnapshotList(msgspec.Struct, frozen=True):
    """Snapshots by service and index, newest first. `more` says that the limit left some out.

    `unread` are the stores that could not be listed: what they hold is not known.
    """

    snapshots: list[ListedSnapshot]
    more: bool
    unread: list[UnreadStore] = []


def listed(summary: Summary, now: datetime, *, store: str = "", copies: Sequence[str] = ()) -> ListedSnapshot:
    """Return a snapshot as listings show it."""
    return ListedSnapshot(
        **{name: getattr(summary, name) for name in Summary.__struct_fields__},
        store=store,
        in_future=is_in_future(summary.created, now),
        proved_at=summary.proved_at,
        copies=tuple(copies),
    )


def list_stock(stock: Stock, now: datetime) -> list[ListedSnapshot]:
    """Return what a store holds, and lacks, as listings show it: by service and index, newest first."""
    copies = {each.reference: each.copies for each in stock.missing}
    return [
        listed(summary, now, store=stock.store, copies=copies.get(summary.reference, ())) for summary in stock.listed()
    ]


async def with_keepers(resources: Resources, found: Sequence[ListedSnapshot]) -> list[ListedSnapshot]:
    """Return listed snapshots with those that need them, with their pins, and with who found them still true."""
    indexes = {(each.service, each.index) for each in found}
    held, pinned = await list_holds(resources, indexes), await list_pins(resources, indexes)
    unchanged = await list_unchanged(resources, indexes)
    return [
        msgspec.structs.replace(
            each,
            held=tuple(held.get(each.reference, ())),
            pinned=pinned.get(each.reference),
            unchanged=unchanged.get(each.reference),
        )
        for each in found
    ]


class SnapshotView(msgspec.Struct, frozen=True, kw_only=True):
    """One snapshot: its summary, losses, how it was read and proved, and the definitions in it.

    `withheld` names the secrets that were removed from the definitions. `sharing` is what the snapshot shares with the
    others of its index, if the request asked for it; `held` are the unfinished restores and moves that need it,
    `pinned` is the pin that keeps it, `unchanged` says that later runs found the index as it is in it.
    """

    summary: Summary
    losses: list[Loss]
    unsettled: Unsettled | None = None
    presumption: Presumption | None = None
    missed: Missed | None = None
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
    held: list[Hold] = []
    pinned: Pinned | None = None
    unchanged: Unchanged | None = None


def view_snapshot(
    manifest: Manifest,
    sharing: Sharing | None,
    held: Sequence[Hold] = (),
    pinned: Pinned | None = None,
    unchanged: Unchanged | None = None,
) -> SnapshotView:
    """Return the view of a snapshot."""
    return SnapshotView(
        summary=summarise(manifest),
        losses=list(manifest.losses),
        unsettled=manifest.unsettled,
        presumption=manifest.presumption,
        missed=manifest.missed,
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
        held=list(held),
        pinned=pinned,
        unchanged=unchanged,
    )


def manifest_of(view: SnapshotView) -> Manifest:
    """Return the manifest behind a view, without its tree; `view.summary.chunks` is the number of its chunks."""
    summary = view.summary
    return Manifest(
        format=summary.format,
        id=summary.id,
        service=summary.service,
        index=summary.index,
        state=state_of(losses=view.losses, unsettled=view.unsettled, presumption=view.presumption),
        losses=tuple(view.losses),
        unsettled=view.unsettled,
        presumption=view.presumption,
        missed=view.missed,
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
        tree=Tree(),
        description=summary.description,
        tags=summary.tags,
        expires=summary.expires,
        authenticity=summary.authenticity,
    )
