"""Read the partitions of an index that can't be read in key order."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

import msgspec

from indexvault.backup.accounting import explains
from indexvault.backup.external_sort import SortedRunStore, Sorter
from indexvault.backup.index_probe import ServiceIndexProbe
from indexvault.backup.job import BackupJob, ChangedPartitions, CollectInput, ScanSummary
from indexvault.backup.limits import LIMITS, Limits
from indexvault.backup.partition import Partition
from indexvault.backup.state import CollectedPartition, Plan, partition_record, require, require_plan
from indexvault.errors import AccountingError
from indexvault.search.client import SearchService
from indexvault.search.page import Document, PageReader
from indexvault.search.paging import read_by_skipping
from indexvault.search.request_count import counted_requests
from indexvault.workflow.activity import ProgressUpdate, Resources
from indexvault.workflow.checkpoints import Checkpoints

READINGS = 4
"""How often a partition is read at most until its unique keys agree with its count."""


async def collect(resources: Resources, given: CollectInput, *, limits: Limits = LIMITS) -> ScanSummary:
    """Read one partition of the plan and write its documents in sorted runs.

    A later round reads again what an earlier one read. Raises AccountingError if the partition's unique keys do not
    come to agree with its count.
    """
    job = given.job
    store = resources.clients.store_of(job.service)
    checkpoints = Checkpoints(store.runs, job.run)
    plan = await require_plan(checkpoints, job)
    record = partition_record(plan, given.position)
    collected = await checkpoints.read(record, CollectedPartition)
    if collected is None or collected.attempt not in {_attempt(given, number) for number in range(READINGS)}:
        before = collected
        with counted_requests() as counter:
            collector = _Collector(resources, resources.clients.service(job.service), given, plan, limits)
            collected = await collector.collect(SortedRunStore(store.runs, job.run, plan.key_field, limits))
        collected = msgspec.structs.replace(
            collected,
            readings=collected.readings + (before.readings if before is not None else 0),
            requests=counter.requests + (before.requests if before is not None else 0),
        )
        await checkpoints.write(record, collected)
    return ScanSummary(documents=collected.documents, bytes=collected.bytes)


async def recount(resources: Resources, job: BackupJob) -> ChangedPartitions:
    """Count every partition again and return those that no longer have as many documents as were read.

    A document whose fields change can move from an unread partition to one that has been read. So each partition must
    have the same count after the last one was read.
    """
    checkpoints = Checkpoints(resources.clients.store_of(job.service).runs, job.run)
    plan = await require_plan(checkpoints, job)
    probe = ServiceIndexProbe(resources.clients.service(job.service), job.index, plan.key_field, elevated=plan.elevated)
    changed = []
    for position, partition in enumerate(plan.partitions):
        collected = await require(checkpoints, partition_record(plan, position), CollectedPartition, job)
        if not partition.partial and await probe.count(partition) != collected.documents:
            changed.append(position)
    return ChangedPartitions(changed=changed)


def sorted_runs(plan: Plan, position: int, collected: CollectedPartition) -> str:
    """Return the name of the set of sorted runs that a partition's documents are in."""
    return f"{partition_record(plan, position)}-{collected.attempt}"


class _Collector:
    def __init__(
        self, resources: Resources, service: SearchService, given: CollectInput, plan: Plan, limits: Limits
    ) -> None:
        self._resources = resources
        self._service = service
        self._given = given
        self._plan = plan
        self._limits = limits
        self._partition = plan.partitions[given.position]
        self._probe = ServiceIndexProbe(service, given.job.index, plan.key_field, elevated=plan.elevated)

    async def collect(self, store: SortedRunStore) -> CollectedPartition:
        """Read until the unique keys agree with the count.

        Documents that one reading missed, because they tie with others and changed places, are in the next one. If more
        documents were read than there are by then, start again with an empty set.
        """
        before = await self._probe.count(self._partition)
        attempt = _attempt(self._given, 0)
        sorter, seen, size = Sorter(store, self._set(attempt)), set[str](), 0
        after = before
        for number in range(READINGS):
            if number and len(seen) > max(before, after):
                attempt = _attempt(self._given, number)
                sorter, seen, size, before = Sorter(store, self._set(attempt)), set(), 0, after
            async with aclosing(self._pages(number)) as pages:
                async for page in pages:
                    new = [document for document in page if document.key not in seen]
                    seen.update(document.key for document in new)
                    added = sum(len(document.line) + 1 for document in new)
                    size += added
                    await sorter.add(new)
                    self._resources.report(ProgressUpdate(stage="read", documents=len(new), bytes=added))
            after = await self._probe.count(self._partition)
            if self._agrees(len(seen), before, after):
                await sorter.finish()
                return CollectedPartition(
                    attempt=attempt,
                    runs=sorter.runs,
                    documents=len(seen),
                    bytes=size,
                    before=before,
                    after=after,
                    readings=number + 1,
                    requests=0,
                )
        raise AccountingError(
            f"{len(seen)} unique keys were read of a part ({_field_names(self._partition)}) that the service counts"
            f" {after} documents in, in {READINGS} readings",
            on=f"{self._service.name} index {self._given.job.index}",
            do="Run the backup again while the index is not written to",
        )

    def _agrees(self, documents: int, before: int, after: int) -> bool:
        """Return whether the unique keys agree with the counts before and after the reading.

        A partition that is read from one end is only expected to have what `$skip` reaches.
        """
        if self._partition.partial:
            return documents >= min(before, after, self._limits.most_skipped)
        return explains(documents, before, after)

    def _pages(self, number: int) -> AsyncGenerator[list[Document]]:
        query = self._partition.query(self._plan.key_field)
        orderby = query.orderby if self._partition.partial or number % 2 == 0 else _reversed(query.orderby)
        query = msgspec.structs.replace(query, orderby=orderby, session_id=f"{self._set(str(number))}")
        return read_by_skipping(
            self._service,
            self._given.job.index,
            query,
            PageReader(self._plan.key_field),
            average_document_bytes=self._plan.average_document_bytes,
            elevated=self._plan.elevated,
            most_skipped=self._limits.most_skipped,
        )

    def _set(self, attempt: str) -> str:
        return f"{partition_record(self._plan, self._given.position)}-{attempt}"


def _attempt(given: CollectInput, number: int) -> str:
    return f"{given.round}-{number}"


def _reversed(orderby: str | None) -> str | None:
    if orderby is None:
        return None
    turned = [
        f"{term.removesuffix(' asc')} desc" if term.endswith(" asc") else f"{term.removesuffix(' desc')} asc"
        for term in orderby.split(",")
    ]
    return ",".join(turned)


def _field_names(partition: Partition) -> str:
    """Return the names of the fields that a partition is defined by, without their values."""
    names = dict.fromkeys(condition.field for condition in partition.conditions)
    if names:
        return f"by {', '.join(names)}"
    return "everything" if partition.lucene is None else "by a prefix of the key"
