"""Look at chunks that a record of an earlier attempt says are stored: the record alone is not believed."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import aclosing
from itertools import pairwise

from indexvault.backup.chunking import folder_of
from indexvault.backup.job import BackupJob
from indexvault.backup.leftovers import read_leftover
from indexvault.backup.state import Plan, ScannedRange
from indexvault.errors import UNDECODABLE, IntegrityError, NotFoundError
from indexvault.search.scan import KeyRange
from indexvault.snapshots.chunks import Chunk, add_digests, content_digest, document_lines, key_reader
from indexvault.snapshots.packs import open_chunk
from indexvault.snapshots.reader import read_chunks
from indexvault.snapshots.store import Store

type CheckChunk = Callable[[Chunk, bytes], str]


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
    check = _checker(plan.key_field)
    packed = [chunk for chunk in chunks if chunk.pack]
    left = [chunk for chunk in chunks if not chunk.pack]
    if bool(left) != (scanned.leftover is not None):
        return False
    try:
        async with aclosing(read_chunks(store.snapshots, folder_of(job, plan), [packed], check)) as checking:
            digests = [digest async for _chunk, digest in checking]
        if scanned.leftover is not None:
            data = await read_leftover(store.runs, leftover, scanned.leftover)
            digests += await asyncio.to_thread(lambda: list(_left_digests(left, data, check, leftover)))
    except (IntegrityError, NotFoundError):
        return False
    return add_digests(digests) == scanned.digest


def _left_digests(chunks: Sequence[Chunk], data: bytes, check: CheckChunk, name: str) -> Iterator[str]:
    for chunk in chunks:
        yield check(chunk, open_chunk(chunk, data[chunk.offset : chunk.offset + chunk.stored], name))


def _checker(key_field: str) -> CheckChunk:
    """Return a function that returns the content digest of a chunk whose keys rise from its first to its last.

    The function raises IntegrityError for any other.
    """
    key_of = key_reader(key_field)

    def check(chunk: Chunk, data: bytes) -> str:
        lines = document_lines(data)
        try:
            keys = [key_of(line) for line in lines]
        except UNDECODABLE as error:
            raise _not_as_recorded(chunk) from error
        if (keys[0], keys[-1]) != (chunk.first, chunk.last) or any(one >= other for one, other in pairwise(keys)):
            raise _not_as_recorded(chunk)
        return content_digest(lines)

    return check


def _not_as_recorded(chunk: Chunk) -> IntegrityError:
    return IntegrityError(
        "a chunk does not hold the keys that are recorded", on=f"chunk {chunk.sha256}", do="Read the range again"
    )


def _is_above(key: str, after: str | None) -> bool:
    return after is None or key > after


def _is_up_to(key: str, until: str | None) -> bool:
    return until is None or key <= until
