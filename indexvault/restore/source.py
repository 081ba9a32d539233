"""Find the snapshot that a restore is asked for, even if only the restore's own records still know it."""

from datetime import datetime

from indexvault.clients import Clients
from indexvault.errors import IntegrityError, NotFoundError
from indexvault.model import IndexName, is_index_name
from indexvault.restore.state import RestoreState, read_restore_state
from indexvault.snapshots.catalogue import resolve
from indexvault.snapshots.names import SnapshotReference
from indexvault.snapshots.store import StoreReader
from indexvault.snapshots.summary import Summary, damaged_summary


async def resolve_source(
    clients: Clients,
    store: StoreReader,
    reference: SnapshotReference,
    target: IndexName,
    *,
    now: datetime,
    resume: bool = False,
) -> Summary:
    """Return the snapshot that a reference means; of one that is gone only the name is known.

    One that is gone is that of the unfinished restore into the target, if the reference names it by its id, or `resume`
    asks for whatever is unfinished: what that restore has loaded can be proved without it. Raises NotFoundError or
    IntegrityError as `resolve` otherwise.
    """
    try:
        return await resolve(store.snapshots, reference, now=now)
    except (NotFoundError, IntegrityError):
        restore_state = await _unfinished(clients, target)
        if restore_state is None or not restore_state.touched:
            raise
        unfinished = SnapshotReference.parse(restore_state.snapshot)
        is_asked = (reference.service, reference.index) == (unfinished.service, unfinished.index)
        if not resume and not (is_asked and reference.names(unfinished.id or "")):
            raise
        return damaged_summary(unfinished)


async def _unfinished(clients: Clients, target: IndexName) -> RestoreState | None:
    """Return the unfinished restore into a target, or into the index behind it."""
    store = clients.store_of(target.service)
    await store.prepare()
    restore_state = await read_restore_state(store.runs, target)
    if restore_state is not None or not is_index_name(target.index):
        return restore_state
    behind = await clients.service(target.service).alias_target(target.index)
    return None if behind is None else await read_restore_state(store.runs, IndexName(target.service, behind))
