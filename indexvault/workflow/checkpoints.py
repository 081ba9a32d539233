"""What is durable of a run while it is under way: small records in the runs container.

A step writes its record after what it tells of is durable, never before. A step that is run again finds the record and
gives it back.
"""

from typing import Any

import msgspec

from indexvault.errors import ConflictError, IntegrityError
from indexvault.snapshots.names import checkpoint_name, run_prefix
from indexvault.snapshots.store import RunBlobs

RECORD_LIMIT = 256 * 1024 * 1024
"""Bytes of the largest record that is read: the chunk list of one range of a very large index."""


class Checkpoints:
    """The records of one run."""

    def __init__(self, runs: RunBlobs, run: str) -> None:
        self._runs = runs
        self._run = run

    async def read[Kind](self, part: str, kind: type[Kind]) -> Kind | None:
        """Return the record of a part, or None if there is none yet. Raises IntegrityError if it is no such record."""
        name = checkpoint_name(self._run, part)
        blob = await self._runs.read(name, RECORD_LIMIT)
        if blob is None:
            return None
        try:
            return msgspec.json.decode(blob.data, type=kind)
        except msgspec.MsgspecError:
            raise IntegrityError(
                "this record of a run can't be read", on=name, do="Start a new run; this one can't be resumed"
            ) from None

    async def write(self, part: str, record: Any) -> None:
        """Write the record of a part, in place of an earlier one."""
        await self._runs.put(checkpoint_name(self._run, part), msgspec.json.encode(record))

    async def write_once[Kind](self, part: str, record: Kind) -> Kind:
        """Write the record of a part unless there is one, and give the one that is there then."""
        try:
            await self._runs.put(checkpoint_name(self._run, part), msgspec.json.encode(record), if_absent=True)
        except ConflictError:
            earlier = await self.read(part, type(record))
            if earlier is not None:
                return earlier
            raise
        return record

    async def clear(self) -> None:
        """Remove the run's records."""
        async for blob in self._runs.list(run_prefix(self._run)):
            await self._runs.delete(blob.name)
