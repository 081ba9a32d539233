"""Copy a snapshot to the store of the target's service, if that is another store."""

from indexvault.move.job import Transfer, Transferred
from indexvault.snapshots.catalogue import resolve
from indexvault.snapshots.names import SnapshotReference
from indexvault.snapshots.replicate import replicate_snapshot
from indexvault.workflow.activity import Activity, ProgressUpdate, Resources


async def transfer(resources: Resources, asked: Transfer) -> Transferred:
    """Copy what the other store lacks of a snapshot, from account to account if the stores can.

    Raises IntegrityError if what arrived differs from what was sent.
    """
    source = resources.clients.store(asked.source_store)
    target = resources.clients.store(asked.target_store)
    await target.prepare()
    reference = SnapshotReference(service=asked.service, index=asked.index, id=asked.snapshot)
    snapshot = await resolve(source.snapshots, reference, now=resources.clock())

    def copied(documents: int, size: int) -> None:
        resources.report(ProgressUpdate(stage="copy", documents=documents, bytes=size))

    resources.report(ProgressUpdate(stage="copy", expected=snapshot.documents))
    packs = await replicate_snapshot(source, target, snapshot, clock=resources.clock, progress=copied)
    return Transferred(packs=packs)


TRANSFER = Activity("transfer_snapshot", Transfer, Transferred, transfer)
