"""Write what differs between two snapshots to a target, and say in its record how far that is."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass

import msgspec

from indexvault.bounds import MEBIBYTE
from indexvault.errors import ConflictError, RefusedError
from indexvault.model import IndexName
from indexvault.restore.followed import Followed, Written, changed_meanwhile, write_followed
from indexvault.restore.projection import Projection
from indexvault.restore.stretch_source import packs_required
from indexvault.restore.upload import Uploader, UploadTotals
from indexvault.search.batch import delete_action, upload_action
from indexvault.search.schema import Schema, read_schema
from indexvault.snapshots.diff import DiffTally, diff_snapshots
from indexvault.snapshots.manifest import Manifest
from indexvault.snapshots.restored import note_restored
from indexvault.snapshots.store import SnapshotReader
from indexvault.workflow.activity import ProgressUpdate, Resources

NOTED_AFTER = 8 * MEBIBYTE
"""Bytes sent after which the record says how far a following is: so much is sent again after a kill."""


@dataclass(frozen=True, slots=True)
class SnapshotPair:
    """Two snapshots of an index in one store: the one that the target equals, and the one it is to equal."""

    blobs: SnapshotReader
    before: Manifest
    after: Manifest


class FollowWriter:
    """Writes to one target, whose record has the ETag `etag`; `written` is what was written so far."""

    def __init__(self, resources: Resources, run: str, target: IndexName, schema: Schema, etag: str) -> None:
        self._resources = resources
        self._run = run
        self._target = target
        self._schema = schema
        self._etag = etag
        self._runs = resources.clients.store_of(target.service).runs
        self.written = Written()

    async def write(self, record: Followed, pair: SnapshotPair) -> None:
        """Write what differs; the record says so before the first write, and how far it is until the last.

        Raises RefusedError for documents that the target refuses, ConflictError if somebody else changed the record.
        """
        start = msgspec.structs.replace(record, run=self._run)
        self.written = start.written
        await self._note(start)
        resources = self._resources
        store = resources.clients.store_of(self._target.service)
        await note_restored(store, self._target, at=resources.clock(), run=self._run)
        uploader = Uploader(
            self._resources.clients.service(self._target.service),
            self._target.index,
            rng=self._resources.rng,
            sleep=self._resources.sleep,
        )
        deletions: set[str] = set()
        noted = start

        async def acknowledged(key: str) -> None:
            nonlocal noted
            before, self.written = self.written, _added(start.written, uploader.totals, key, deletions)
            documents = self.written.uploaded + self.written.deleted - before.uploaded - before.deleted
            self._resources.report(
                ProgressUpdate(stage="load", documents=documents, bytes=self.written.bytes - before.bytes)
            )
            if not uploader.totals.refused and self.written.bytes - noted.written.bytes >= NOTED_AFTER:
                noted = msgspec.structs.replace(start, after=key, written=self.written)
                await self._note(noted)

        with packs_required():
            async with aclosing(self._actions(pair, start.after, deletions)) as actions:
                totals = await uploader.upload(actions, acknowledged)
        if totals.refused:
            raise RefusedError(
                f"the service refuses {len(totals.refused)} documents, first {totals.refused[0].key!r}:"
                f" {totals.refused[0].reason}",
                on=str(self._target),
                do="Sync without following: that names all of them, and can skip them with --skip-refused",
            )

    async def _note(self, record: Followed) -> None:
        await self._resources.fence()
        try:
            self._etag = await write_followed(self._runs, record, etag=self._etag)
        except ConflictError:
            raise changed_meanwhile(self._target) from None

    async def _actions(
        self, pair: SnapshotPair, done: str, deletions: set[str]
    ) -> AsyncGenerator[Sequence[tuple[str, bytes]]]:
        """Yield what to send, in the order of the keys, from the one after `done` on; note what is to be deleted."""
        source = read_schema(pair.after.definition.fullest.body, on=str(self._target))
        projection = Projection(source, self._schema)
        async with aclosing(diff_snapshots(pair.blobs, pair.before, pair.after, DiffTally())) as changes:
            async for change in changes:
                if done and change.key <= done:
                    continue
                if change.after is None:
                    deletions.add(change.key)
                    yield [(change.key, delete_action(pair.after.key_field, change.key))]
                else:
                    yield [(change.key, upload_action(projection.project(change.after)))]


def _added(earlier: Written, totals: UploadTotals, until: str, deletions: set[str]) -> Written:
    """Return what was written with what an upload has added, which has come to a key."""
    deleted = {key for key in deletions if key <= until}
    return Written(
        uploaded=earlier.uploaded + totals.documents - len(deleted),
        deleted=earlier.deleted + len(deleted),
        bytes=earlier.bytes + totals.bytes,
        requests=earlier.requests + totals.requests,
    )
