"""Look at chunks that a record of an earlier attempt says are stored: the record alone is not believed."""

from contextlib import aclosing
from itertools import pairwise

from indexvault.backup.job import BackupJob
from indexvault.backup.state import Plan, ScannedRange
from indexvault.errors import IntegrityError, NotFoundError
from indexvault.search.scan import KeyRange
from indexvault.snapshots.chunks import Chunk, add_digests
from indexvault.snapshots.names import ChunkFolder
from indexvault.snapshots.reader import read_ahead
from indexvault.snapshots.store import Store
from indexvault.snapshots.verify import check_chunk


async def is_stored(store: Store, job: BackupJob, plan: Plan, scanned: ScannedRange, keys: KeyRange) -> bool:
    """Return whether the chunks of a record lie within a range of keys, in order, and are stored as it says.

    Each is read back, so that its documents are those it is said to have.
    """
    chunks = scanned.chunks
    if any(one.last >= other.first for one, other in pairwise(chunks)):
        return False
    if chunks and not (_is_above(chunks[0].first, keys.after) and _is_up_to(chunks[-1].last, keys.until)):
        return False
    folder = ChunkFolder(service=job.service, index=job.index, generation=plan.generation)

    async def check(chunk: Chunk) -> str:
        return await check_chunk(store.snapshots, folder, chunk, plan.key_field)

    try:
        async with aclosing(read_ahead(chunks, check)) as checking:
            digests = [digest async for _chunk, digest in checking]
    except (IntegrityError, NotFoundError):
        return False
    return add_digests(digests) == scanned.digest


def _is_above(key: str, after: str | None) -> bool:
    return after is None or key > after


def _is_up_to(key: str, until: str | None) -> bool:
    return until is None or key <= until
