"""Checkpoints: small records of a run in the runs container, kept until the run ends.

An activity writes its checkpoint after the work that it records is durable, never before. When the activity runs again
it finds the checkpoint and returns it.
"""

from collections.abc import AsyncIterator
from typing import Any

from indexvault.errors import IntegrityError
from indexvault.snapshots.names import parse_segment
from indexvault.snapshots.records import RecordStore
from indexvault.snapshots.run_names import checkpoint_name, run_prefix
from indexvault.snapshots.store import RunBlobs


class Checkpoints:
    """The checkpoints of one run, one a part of its work."""

    def __init__(self, runs: RunBlobs, run: str) -> None:
        self._runs = runs
        self._run = run

    async def read[Kind](self, part: str, kind: type[Kind]) -> Kind | None:
        """Return the checkpoint of a part, or None if there is none. Raises IntegrityError if it can't be read."""
        return await self._records(kind).read(checkpoint_name(self._run, part))

    async def read_exactly[Kind](
        self, part: str, kind: type[Kind], digest: str, *, otherwise: IntegrityError
    ) -> Kind | None:
        """Return the checkpoint of a part, or None if there is none. Raises `otherwise` if it has another digest.

        The digest is that of the record when it was written (see `resume.digest_of`).
        """
        return await self._records(kind).read_exactly(checkpoint_name(self._run, part), digest, otherwise=otherwise)

    async def write(self, part: str, record: Any) -> None:
        """Write the checkpoint of a part, replacing an earlier one."""
        await self._records(type(record)).write(checkpoint_name(self._run, part), record)

    async def write_once[Kind](self, part: str, record: Kind) -> Kind:
        """Write the checkpoint of a part unless there is one, and return the one that is there afterwards."""
        return await self._records(type(record)).write_once(checkpoint_name(self._run, part), record)

    async def parts(self, prefix: str) -> AsyncIterator[str]:
        """Yield the parts that have checkpoints and begin with a prefix."""
        before = run_prefix(self._run)
        async for blob in self._runs.list(checkpoint_name(self._run, prefix).removesuffix(".json")):
            part = parse_segment(blob.name.removeprefix(before).removesuffix(".json"))
            if part is not None:
                yield part

    async def clear(self) -> None:
        """Remove the run's checkpoints."""
        async for blob in self._runs.list(run_prefix(self._run)):
            await self._runs.delete(blob.name)

    def _records[Kind](self, kind: type[Kind]) -> RecordStore[Kind]:
        return RecordStore(
            self._runs,
            kind,
            what="this record of a run can't be read",
            do="Start a new run; this one can't be resumed",
        )
