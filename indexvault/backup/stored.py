"""Look at chunks that a record of an earlier attempt says are stored: the record alone is not believed."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import aclosing
from itertools import pairwise

from indexvault.backup.chunking import folder_of
from indexvault.backup.job import BackupJob
from indexvault.backup.leftovers import read_leftover
from indexvault.backup.state import Plan, ScannedRange
from indexvault.errors import IntegrityError, NotFoundError
from indexvault.search.scan import KeyRange
from indexvault.snapshots.chunk_check import DIGESTS, document_check
from indexvault.snapshots.chunks import Chunk
from indexvault.snapshots.packs import open_chunk
from indexvault.snapshots.reader import read_chunks
from indexvault.snapshots.store import Store


async def is_stored(
    store: Store, job: BackupJob, plan: Plan, scanned: ScannedRange, keys: KeyRange, *, leftover: str = ""
) -> bool:
    """Return whether the chunks of a record lie within a range of keys, in order, and are stored as it says.

    Each is read back, so that its documents are those it is said to have. `leftover` is the name of the blob with what
    the range left over, if it can have left anything.
    """
    chunks = scanned.chunks
    if any(one.last >= other.first for one, other in pairwise(chunks)):
        return False
    if chunks and not (_is_above(chunks[0].first, keys.after) and _is_up_to(chunks[-1].last, keys.until)):
        return False
    folder = folder_of(job, plan)
    check = document_check(folder, plan.key_field, summed=True)
    packed = [chunk for chunk in chunks if chunk.pack]
    left = [chunk for chunk in chunks if not chunk.pack]
    if bool(left) != (scanned.leftover is not None):
        return False
    try:
        async with aclosing(read_chunks(store.snapshots, folder, [packed], check)) as checking:
            total = sum([summed async for _chunk, summed in checking])
        if scanned.leftover is not None:
            data = await read_leftover(store.runs, leftover, scanned.leftover)
            total += await asyncio.to_thread(_left_sum, left, data, check, leftover)
    except (IntegrityError, NotFoundError):
        return False
    return total % DIGESTS == int(scanned.digest, 16)


def _left_sum(chunks: Sequence[Chunk], data: bytes, check: Callable[[Chunk, bytes], int], name: str) -> int:
    members = ((chunk, data[chunk.offset : chunk.offset + chunk.stored]) for chunk in chunks)
    return sum(check(chunk, open_chunk(chunk, stored, name)) for chunk, stored in members)


def _is_above(key: str, after: str | None) -> bool:
    return after is None or key > after


def _is_up_to(key: str, until: str | None) -> bool:
    return until is None or key <= until
