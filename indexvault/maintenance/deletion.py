"""Delete snapshots that an operator names, from every store that has them, by the rules of pruning.

What no policy may remove, nobody may delete: a pinned snapshot, one that an unfinished run needs, and the last complete
one of an index. All of it is checked in all stores before anything is deleted.
"""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from indexvault.errors import ConflictError, SettingsError
from indexvault.maintenance.holds import live_holds
from indexvault.maintenance.protection import protection_of
from indexvault.model import IndexName
from indexvault.settings.policies import reading_order
from indexvault.snapshots.catalogue import choose, list_snapshots, not_found
from indexvault.snapshots.known import note_unrecorded
from indexvault.snapshots.names import SERVICE_OBJECTS, SnapshotReference, index_prefix
from indexvault.snapshots.pins import is_pinned
from indexvault.snapshots.prune import PruneReport, Removal, proved_snapshots, prune_index, require_complete
from indexvault.snapshots.sharing import stored_only_in
from indexvault.snapshots.store import Protection, Store
from indexvault.snapshots.summary import Summary
from indexvault.workflow.activity import Resources


class Deletion(msgspec.Struct, frozen=True, kw_only=True):
    """The snapshots of an index that are to be deleted from a store.

    `frees` are the stored bytes that only they need, which later sweeps free. `protection` says what
    the account keeps of deleted blobs; None if it does not say.
    """

    store: str
    index: IndexName
    snapshots: tuple[Summary, ...]
    frees: int
    protection: Protection | None


async def plan_deletion(resources: Resources, references: Sequence[SnapshotReference]) -> list[Deletion]:
    """Return what is to be deleted from which store. Writes nothing but containers that are missing.

    Raises SettingsError for a reference that is no id or part of one, NotFoundError for a snapshot that no store has,
    ConflictError for one that is pinned or held and if no complete snapshot of an index would be left in a store.
    """
    require_ids(references)
    indexes = dict.fromkeys(IndexName(each.service, each.index) for each in references)
    return [
        deletion
        for index in indexes
        for deletion in await _plan_index(
            resources,
            index,
            [each for each in references if (each.service, each.index) == (index.service, index.index)],
        )
    ]


def require_ids(references: Iterable[SnapshotReference]) -> None:
    """Raise SettingsError for a reference that is no id or part of one."""
    for reference in references:
        if not reference.is_by_id:
            raise SettingsError(
                "only its id names a snapshot to be deleted",
                on=str(reference),
                do="Name it as `indexvault snapshots` lists it, or by four digits of the end of its id",
            )


def failure_of(
    done: Iterable[tuple[Deletion, PruneReport]], references: Iterable[SnapshotReference]
) -> ConflictError | None:
    """Return what stays of the snapshots that were to be deleted, and why, or None if nothing does."""
    kept = [why for deletion, report in done for why in _kept(deletion, report)]
    if not kept:
        return None
    return ConflictError(
        "; ".join(kept), on=", ".join(map(str, references)), do="Look with `indexvault snapshots` what is left"
    )


def _kept(deletion: Deletion, report: PruneReport) -> list[str]:
    return [
        *(f"{snapshot} was pinned meanwhile and stays in store {deletion.store}" for snapshot in report.pinned),
        *(f"a run began that needs {snapshot}: it stays in store {deletion.store}" for snapshot in report.held),
        *(f"{refusal.blob} stays in store {deletion.store}: {refusal.why}" for refusal in report.refused),
    ]


async def delete_snapshots(resources: Resources, planned: Deletion) -> PruneReport:
    """Delete the snapshots of a plan from its store, and sweep what no snapshot needs.

    Raises ConflictError as `prune_index` does.
    """
    store = resources.clients.store(planned.store)
    index = planned.index
    known = await list_snapshots(store.snapshots, index.service, index.index)
    await note_unrecorded(store.runs, index.service, index.index, known)
    return await prune_index(
        store,
        index.service,
        index.index,
        [Removal(each.id, "an operator deleted it") for each in planned.snapshots],
        clock=resources.clock,
        runs_of=lambda name: resources.clients.store(name).runs,
    )


async def _plan_index(
    resources: Resources, index: IndexName, references: Sequence[SnapshotReference]
) -> list[Deletion]:
    names = reading_order(resources.clients.settings, index.service)
    stores = {name: resources.clients.store(name) for name in names}
    for store in stores.values():
        await store.prepare()
    there = {name: await list_snapshots(store.snapshots, index.service, index.index) for name, store in stores.items()}
    ids = [await _id_of(resources, stores, there, reference) for reference in references]
    await _require_free(resources, stores, index, ids)
    planned = []
    for name, store in stores.items():
        going = tuple(each for each in there[name] if each.id in ids)
        if going:
            require_complete(await proved_snapshots(store, there[name]), set(ids), resources.clock())
            staying = [each for each in there[name] if each.id not in ids]
            planned.append(
                Deletion(
                    store=name,
                    index=index,
                    snapshots=going,
                    frees=0
                    if index.index == SERVICE_OBJECTS
                    else await stored_only_in(store.snapshots, going, staying),
                    protection=await protection_of(store, index_prefix(index.service, index.index)),
                )
            )
    return planned


async def _id_of(
    resources: Resources,
    stores: Mapping[str, Store],
    there: Mapping[str, Sequence[Summary]],
    reference: SnapshotReference,
) -> str:
    """Return the id that a reference means among the snapshots of all stores."""
    known = list({each.id: each for listed in there.values() for each in listed}.values())
    known.sort(key=lambda each: (each.created, each.id), reverse=True)
    found = choose(known, reference, resources.clock())
    if found is None:
        store = next(iter(stores.values()))
        raise await not_found(store.snapshots, reference, known, resources.clock())
    return found.id


async def _require_free(
    resources: Resources, stores: Mapping[str, Store], index: IndexName, ids: Sequence[str]
) -> None:
    """Raise ConflictError if one of the snapshots is pinned or held in any store."""
    held = await live_holds(resources, stores, index.service, index.index)
    for snapshot in ids:
        reference = SnapshotReference(service=index.service, index=index.index, id=snapshot)
        for name, store in stores.items():
            if await is_pinned(store.runs, reference):
                raise ConflictError(
                    f"it is pinned in store {name}; nothing was deleted",
                    on=str(reference),
                    do="Unpin it first (indexvault unpin)",
                )
        for hold in held.get(snapshot, ()):
            raise ConflictError(
                f"{hold.reason}; nothing was deleted", on=str(reference), do="Finish or discard that run first"
            )
