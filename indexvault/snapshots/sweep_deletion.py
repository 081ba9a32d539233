"""Delete what a sweep has declared, as long as the declaration is its own."""

import asyncio
from collections.abc import Sequence
from itertools import batched

from indexvault.errors import ConflictError, IndexvaultError
from indexvault.snapshots.store import BlobProperties, SnapshotWriter
from indexvault.snapshots.sweep_declaration import TAKEN_OVER, Declaration
from indexvault.snapshots.sweep_report import Refusal

_DELETES_AT_ONCE = 8


class Deletion:
    """Deletes declared blobs, as long as the declaration allows it; `hindrance` says if it does not any more."""

    def __init__(self, blobs: SnapshotWriter, declaration: Declaration) -> None:
        self._blobs = blobs
        self._declaration = declaration
        self.removed: list[BlobProperties] = []
        self.refused: list[Refusal] = []
        self.hindrance = ""

    async def delete(self, going: Sequence[BlobProperties]) -> None:
        """Delete blobs, some at once."""
        for some in batched(going, _DELETES_AT_ONCE, strict=False):
            if not await self._declaration.is_own():
                self.hindrance = TAKEN_OVER
                return
            try:
                async with asyncio.TaskGroup() as group:
                    for blob in some:
                        group.create_task(self._one(blob))
            except* IndexvaultError as errors:
                raise errors.exceptions[0] from None

    async def _one(self, blob: BlobProperties) -> None:
        if not await self._declaration.allows_deletion():
            return
        try:
            await self._blobs.delete(blob.name)
        except ConflictError as error:
            self.refused.append(Refusal(blob=blob.name, why=error.what))
            return
        self.removed.append(blob)
        self._declaration.deleted(blob.name)
