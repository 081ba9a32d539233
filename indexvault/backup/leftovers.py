"""What ranges leave over after their last full pack, and the packs that the commit makes of it.

A range's leftover lies beside its record in the runs container. The commit puts the leftovers of all ranges together in
the order of the ranges, so that a commit that is run again makes the same packs.
"""

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from indexvault.backup.chunking import folder_of
from indexvault.backup.job import BackupJob
from indexvault.backup.state import Leftover, Plan
from indexvault.errors import IntegrityError, OutdatedReadingError
from indexvault.snapshots.chunks import Chunk
from indexvault.snapshots.pack_store import store_pack
from indexvault.snapshots.packs import PACK_LIMIT, Pack, scan_members
from indexvault.snapshots.run_names import run_prefix
from indexvault.snapshots.store import RunBlobs, Store


def leftover_name(job: BackupJob, plan: Plan, position: int) -> str:
    """Return the name of the blob with what a range left over. It goes with the records of the run."""
    return f"{run_prefix(job.run)}left/{plan.id}-{position}.jsonl.gz"


async def write_leftover(runs: RunBlobs, name: str, data: bytes) -> Leftover | None:
    """Write what a range left over and describe it, or return None if it left nothing."""
    if not data:
        return None
    await runs.put(name, data)
    return await _described(data)


async def read_leftover(runs: RunBlobs, name: str, leftover: Leftover) -> bytes:
    """Return what a range left over, as its record describes it. Raises IntegrityError if it is not that."""
    blob = await runs.read(name, PACK_LIMIT)
    if blob is None or await _described(blob.data) != leftover:
        raise _altered(name)
    return blob.data


@dataclass(frozen=True, slots=True)
class JoinedLeftover:
    """Where what a range left over lies now: the pack, the first byte in it, and what it was."""

    pack: str
    offset: int
    leftover: Leftover


class Leftovers:
    """The leftovers of a run's ranges, in shared packs."""

    def __init__(self, job: BackupJob, joined: dict[int, JoinedLeftover]) -> None:
        self._job = job
        self._joined = joined

    @classmethod
    async def join(cls, store: Store, job: BackupJob, plan: Plan, pack_bytes: int) -> "Leftovers":
        """Store what the ranges named by the job have left over in shared packs. Holds one pack.

        Raises OutdatedReadingError if a leftover is gone or is no members of a pack.
        """
        joined: dict[int, JoinedLeftover] = {}
        waiting: list[tuple[int, bytes, Leftover]] = []
        size = 0

        async def pack() -> None:
            data = b"".join(part for _position, part, _leftover in waiting)
            name = await asyncio.to_thread(_hash, data)
            await store_pack(store.snapshots, folder_of(job, plan).pack, Pack(name, data, ()), may_be_there=True)
            offset = 0
            for position, part, leftover in waiting:
                joined[position] = JoinedLeftover(name, offset, leftover)
                offset += len(part)

        for position in job.left:
            name = leftover_name(job, plan, position)
            blob = await store.runs.read(name, PACK_LIMIT)
            if blob is None or not _is_pack(blob.data, name):
                error = _altered(name)
                raise OutdatedReadingError(error.what, on=error.on, do=error.do)
            waiting.append((position, blob.data, await _described(blob.data)))
            size += len(blob.data)
            if size >= pack_bytes:
                await pack()
                waiting, size = [], 0
        if waiting:
            await pack()
        return cls(job, joined)

    def placed(self, position: int, chunks: Sequence[Chunk], leftover: Leftover | None) -> Sequence[Chunk]:
        """Return the chunks of a range's record where they lie now.

        Raises OutdatedReadingError if what was joined is not what the record describes.
        """
        joined = self._joined.get(position)
        if (joined.leftover if joined is not None else None) != leftover:
            raise OutdatedReadingError(
                f"what range {position} left over is not what its record describes: somebody else may have written to"
                " the runs container",
                on=f"run {self._job.run}",
                do="Find out who can write to the runs container",
            )
        if joined is None:
            return chunks
        return [
            chunk if chunk.pack else chunk.placed(joined.pack, joined.offset + chunk.offset, chunk.stored)
            for chunk in chunks
        ]


def _is_pack(data: bytes, name: str) -> bool:
    """Return whether members follow each other to the end of the bytes."""
    try:
        return len(list(scan_members(data, name))) > 0
    except IntegrityError:
        return False


async def _described(data: bytes) -> Leftover:
    return Leftover(await asyncio.to_thread(_hash, data), len(data))


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _altered(name: str) -> IntegrityError:
    return IntegrityError(
        "what a range left over is gone, or is not what it was: somebody else may have written to the runs container",
        on=name,
        do="Find out who can write to the runs container",
    )
