"""Merge what has changed into the last snapshot: the second step of a reading by changes.

First each document that was read is compared with the base's version of it, so that it is known which were added; then
it is found out what was deleted (see `deletions`); then the tree is edited. Nothing of an earlier attempt is relied on
but the packs it stored, which have the names of their content and are not sent again.
"""

from bisect import bisect_left
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from indexvault.backup.changes.base import Base
from indexvault.backup.changes.deletions import DeletionFinder, Ledger
from indexvault.backup.changes.edit import Edit, TreeEditor
from indexvault.backup.changes.listing import KeyLister
from indexvault.backup.changes.records import CHANGED_PART, MERGED_PART, ChangedDocuments, MergedChanges
from indexvault.backup.external_sort import SortedRun, SortedRunStore, Sorter, merge, run_name
from indexvault.backup.job import BackupJob, ChangesInput, ScanSummary
from indexvault.backup.limits import LIMITS, Limits
from indexvault.backup.state import Plan, changes_record, require, require_changes, require_plan, require_same
from indexvault.bounds import MEBIBYTE
from indexvault.errors import IntegrityError, NotFoundError, OutdatedReadingError
from indexvault.search.lookup import KeyLookup
from indexvault.search.page import Document
from indexvault.search.request_count import counted_requests
from indexvault.search.schema import read_schema
from indexvault.snapshots.catalogue import read_manifest
from indexvault.snapshots.chunk_writer import ChunkWriter, SegmentStore
from indexvault.snapshots.manifest import Manifest
from indexvault.snapshots.names import SnapshotReference
from indexvault.snapshots.store import Store
from indexvault.workflow.activity import ProgressUpdate, Resources
from indexvault.workflow.checkpoints import Checkpoints
from indexvault.workflow.resume import digest_of

_COMPARED_AT_ONCE = 2_000
"""Changed documents whose chunks of the base are read together."""
_COMPARED_BYTES = 8 * MEBIBYTE
"""Bytes of changed documents that are compared together, however few they are."""
_ASSUMED_KEY = 36.0


async def merge_changes(resources: Resources, given: ChangesInput, *, limits: Limits = LIMITS) -> ScanSummary:
    """Merge the changed documents into the base, without those that are gone, and record the tree.

    Raises OutdatedReadingError if the base can't be read, or is no longer there, or more changes than expected.
    """
    job = given.job
    store = resources.clients.store_of(job.service)
    checkpoints = Checkpoints(store.runs, job.run)
    plan = await require_plan(checkpoints, job)
    changed = await require(checkpoints, changes_record(plan, CHANGED_PART), ChangedDocuments, job)
    require_same(job, "the record of the changes that were read", changed, given.read)
    try:
        base = await _base(store, require_changes(plan, job).base)
        merged = await _Merging(resources, job, plan, base, changed=changed, limits=limits).merge()
    except (IntegrityError, NotFoundError) as error:
        raise OutdatedReadingError(
            f"the snapshot that changes are merged into can't be read: {error.what}",
            on=error.on,
            do="Verify the snapshot; this run reads the whole index",
        ) from error
    await checkpoints.write(changes_record(plan, MERGED_PART), merged)
    return ScanSummary(documents=merged.tree.documents, bytes=merged.tree.bytes, digest=digest_of(merged))


class _Merging:
    def __init__(
        self,
        resources: Resources,
        job: BackupJob,
        plan: Plan,
        base: Manifest,
        *,
        changed: ChangedDocuments,
        limits: Limits,
    ) -> None:
        self._resources = resources
        self._store = store = resources.clients.store_of(job.service)
        self._job = job
        self._plan = plan
        self._limits = limits
        self._base = Base(store.snapshots, base)
        self._on = f"{job.service} index {job.index}"
        service = resources.clients.service(job.service)
        schema = read_schema(plan.definition.fullest.body, on=self._on)
        self._lookup = KeyLookup(
            service,
            job.index,
            schema,
            average_document_bytes=plan.average_document_bytes,
            elevated=plan.elevated,
        )
        self._lister = KeyLister(service, job.index, schema, elevated=plan.elevated, key_bytes=_key_bytes(base))
        self._sorted = SortedRunStore(store.runs, job.run, plan.key_field, limits)
        self._found = Sorter(self._sorted, f"{changes_record(plan, MERGED_PART)}-found")
        self._read = changed
        self._changed: list[str] = []
        self._found_keys: set[str] = set()

    async def merge(self) -> MergedChanges:
        with counted_requests() as counter:
            added = await self._compare()
            ledger = Ledger(added)
            finder = DeletionFinder(self._base, ledger, self._lister, self._look_up)
            await finder.find()
        await self._found.finish()
        gone = ledger.gone
        keys = sorted({*self._changed, *self._found_keys, *gone})
        writer = ChunkWriter(self._store.snapshots, self._base.manifest.folder, pack_bytes=self._limits.pack_bytes)
        segments = SegmentStore(self._store.snapshots, self._base.manifest.folder)
        try:
            edited = await TreeEditor(self._base, keys, writer, segments).merge(self._edits(keys, gone))
        finally:
            await writer.close()
        return MergedChanges(
            tree=edited.tree,
            digest=edited.digest,
            added=edited.added,
            chunks=edited.used.chunks,
            segments=edited.used.segments,
            requests=counter.requests + self._read.requests,
            changed=len(self._changed),
            deleted=len(gone),
            found=len(self._found_keys),
            again=finder.again,
            open=self._lister.open,
        )

    async def _compare(self) -> list[str]:
        """Note the keys of documents that are not as in the base, and return those that the base has not, in order."""
        added: list[str] = []
        held: list[Document] = []
        size = 0
        async with aclosing(self._documents(self._runs([self._read.runs]))) as pages:
            async for page in pages:
                held += page
                size += sum(len(document.line) for document in page)
                if len(held) >= _COMPARED_AT_ONCE or size >= _COMPARED_BYTES:
                    added += await self._compare_some(held)
                    held, size = [], 0
        return added + await self._compare_some(held)

    async def _compare_some(self, documents: Sequence[Document]) -> list[str]:
        there: dict[str, bytes] = {}
        keys = [document.key for document in documents]
        async with aclosing(self._base.touched(keys)) as touched:
            async for some in touched:
                wanted = {each.chunk.sha256: each for each in some}
                chunks = [each.chunk for each in some if each.keys[-1] >= each.chunk.first]
                async with aclosing(self._base.documents(chunks)) as reading:
                    async for chunk, found in reading:
                        there |= {key: found[key] for key in wanted[chunk.sha256].keys if key in found}
        self._changed += [each.key for each in documents if there.get(each.key) != each.line]
        return [key for key in keys if key not in there]

    async def _look_up(self, keys: Sequence[str]) -> list[str]:
        """Read documents that neither the base nor the field named."""
        found: list[str] = []
        async with aclosing(self._lookup.find(keys)) as documents:
            async for key, line in documents:
                await self._found.add([Document(key, line)])
                found.append(key)
        self._found_keys.update(found)
        if len(self._found_keys) > max(self._limits.most_changes, self._limits.few_changes):
            raise OutdatedReadingError(
                f"more than {self._limits.most_changes:,} documents were added without the field",
                on=self._on,
                do="Run the backup again; it reads the whole index",
            )
        self._resources.report(ProgressUpdate(stage="read", documents=len(found)))
        return found

    async def _edits(self, keys: Sequence[str], gone: Sequence[str]) -> AsyncGenerator[Edit]:
        """Yield the edits of these keys, in order."""
        runs = self._runs([self._read.runs, self._found.runs])
        wanted = iter(keys)
        key = next(wanted, None)
        async with aclosing(self._documents(runs)) as pages:
            async for page in pages:
                for document in page:
                    while key is not None and key < document.key:
                        yield Edit(key, None)
                        key = next(wanted, None)
                    if key == document.key:
                        yield Edit(key, None if _has(gone, key) else document.line)
                        key = next(wanted, None)
        while key is not None:
            yield Edit(key, None)
            key = next(wanted, None)

    def _runs(self, sets: Sequence[Sequence[SortedRun]]) -> dict[str, SortedRun]:
        """Return sorted runs by name, the newest first."""
        names = [changes_record(self._plan, CHANGED_PART), f"{changes_record(self._plan, MERGED_PART)}-found"]
        named = [
            (run_name(name, number), run)
            for name, runs in zip(names, sets, strict=False)
            for number, run in enumerate(runs)
        ]
        return dict(reversed(named))

    def _documents(self, runs: dict[str, SortedRun]) -> AsyncGenerator[list[Document]]:
        return merge(self._sorted, runs, name=f"{self._plan.id}-changes-{len(runs)}")


async def _base(store: Store, reference: SnapshotReference) -> Manifest:
    """Read the manifest of the base. Raises NotFoundError if it is gone, IntegrityError if nobody vouches for it."""
    base = await read_manifest(store.snapshots, reference)
    if base.authenticity == "unauthentic":
        raise IntegrityError("nobody vouches for it", on=f"snapshot {base.id}", do="Accept it, or remove it")
    return base


def _has(keys: Sequence[str], key: str) -> bool:
    place = bisect_left(keys, key)
    return place < len(keys) and keys[place] == key


def _key_bytes(base: Manifest) -> float:
    """Return how many bytes a key has on average, from those that the manifest names."""
    entries = base.tree.entries
    return sum(len(entry.last.encode()) for entry in entries) / len(entries) if entries else _ASSUMED_KEY
