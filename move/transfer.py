"""The snapshot into the store of the target's service, where that is another one."""

from engine.step import Progress, Resources, Step
from move.job import Transfer, Transferred
from snapshots.catalogue import resolve
from snapshots.chunks import Chunk
from snapshots.names import SnapshotReference
from snapshots.replicate import replicate_snapshot


async def transfer(resources: Resources, asked: Transfer) -> Transferred:
    """Copy what the other store lacks of a snapshot, by the accounts among themselves where they can.

    Raises IntegrityError if what arrived is not what was sent.
    """
    source = resources.connections.store(asked.source_store)
    target = resources.connections.store(asked.target_store)
    await target.prepare()
    reference = SnapshotReference(service=asked.service, index=asked.index, id=asked.snapshot)
    snapshot = await resolve(source.snapshots, reference)

    def copied(chunk: Chunk) -> None:
        resources.report(Progress(stage="copy", documents=chunk.documents, bytes=chunk.stored))

    resources.report(Progress(stage="copy", expected=snapshot.documents))
    chunks = await replicate_snapshot(source, target, snapshot, clock=resources.clock, progress=copied)
    return Transferred(chunks=chunks)


TRANSFER = Step("transfer_snapshot", Transfer, Transferred, transfer)
