"""Reading a part of an index that can't be read in key order."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

import msgspec

from indexvault.backup.external_sort import SetAside, Sorter
from indexvault.backup.index_probe import ServiceIndexProbe
from indexvault.backup.job import CollectOrder, ScanSummary
from indexvault.backup.partition import Partition
from indexvault.backup.state import CollectedPart, Plan, part_record, require_plan
from indexvault.errors import AccountingError
from indexvault.search.client import SearchService
from indexvault.search.page import Document, PageReader
from indexvault.search.paging import read_by_skipping
from indexvault.search.query import MOST_SKIPPED
from indexvault.search.request_count import counted_requests
from indexvault.workflow.activity import ProgressUpdate, Resources
from indexvault.workflow.checkpoints import Checkpoints

READINGS = 4
"""How often a part is read at most until its unique keys agree with its count."""


async def collect(resources: Resources, order: CollectOrder) -> ScanSummary:
    """Read one part of the plan, sort its documents and set them aside.

    An order for another round reads again what was read before. Raises AccountingError if the part's unique keys do not
    come to agree with its count.
    """
    job = order.job
    store = resources.clients.store_of(job.service)
    checkpoints = Checkpoints(store.runs, job.run)
    plan = await require_plan(checkpoints, job)
    record = part_record(plan, order.position)
    collected = await checkpoints.read(record, CollectedPart)
    if collected is None or collected.attempt not in {_attempt(order, number) for number in range(READINGS)}:
        before = collected
        with counted_requests() as counter:
            reading = _Reading(resources, resources.clients.service(job.service), order, plan)
            collected = await reading.collect(SetAside(store.runs, job.run, plan.key_field))
        collected = msgspec.structs.replace(
            collected,
            readings=collected.readings + (before.readings if before is not None else 0),
            requests=counter.requests + (before.requests if before is not None else 0),
        )
        await checkpoints.write(record, collected)
    return ScanSummary(documents=collected.documents, bytes=collected.bytes)


def accounted(part: Partition, documents: int, before: int, after: int) -> bool:
    """Return whether a part's unique keys agree with its counts before and after the reading.

    Of a part that is read from one end only, what `$skip` reaches is all there is to expect.
    """
    if part.partial:
        return documents >= min(before, after, MOST_SKIPPED)
    return min(before, after) <= documents <= max(before, after)


class _Reading:
    def __init__(self, resources: Resources, service: SearchService, order: CollectOrder, plan: Plan) -> None:
        self._resources = resources
        self._service = service
        self._order = order
        self._plan = plan
        self._part = plan.parts[order.position]
        self._questions = ServiceIndexProbe(service, order.job.index, plan.key_field, elevated=plan.elevated)

    async def collect(self, aside: SetAside) -> CollectedPart:
        """Read until the count is reached.

        Documents that one reading missed, because others that tie with them changed places, are in the next. Where a
        reading has more than there are by then, it begins anew.
        """
        before = await self._questions.count(self._part)
        attempt = _attempt(self._order, 0)
        sorter, seen, size = Sorter(aside, self._set(attempt)), set[str](), 0
        after = before
        for number in range(READINGS):
            if number and len(seen) > max(before, after):
                attempt = _attempt(self._order, number)
                sorter, seen, size, before = Sorter(aside, self._set(attempt)), set(), 0, after
            async with aclosing(self._pages(number)) as pages:
                async for page in pages:
                    new = [document for document in page if document.key not in seen]
                    seen.update(document.key for document in new)
                    added = sum(len(document.line) + 1 for document in new)
                    size += added
                    await sorter.add(new)
                    self._resources.report(ProgressUpdate(stage="read", documents=len(new), bytes=added))
            after = await self._questions.count(self._part)
            if accounted(self._part, len(seen), before, after):
                await sorter.finish()
                return CollectedPart(
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
            f"{len(seen)} unique keys were read of a part ({_field_names(self._part)}) that the service counts"
            f" {after} documents in, in {READINGS} readings",
            on=f"{self._service.name} index {self._order.job.index}",
            do="Run the backup again while the index is not written to",
        )

    def _pages(self, number: int) -> AsyncGenerator[list[Document]]:
        query = self._part.query(self._plan.key_field)
        orderby = query.orderby if self._part.partial or number % 2 == 0 else _reversed(query.orderby)
        query = msgspec.structs.replace(query, orderby=orderby, session_id=f"{self._set(str(number))}")
        return read_by_skipping(
            self._service,
            self._order.job.index,
            query,
            PageReader(self._plan.key_field),
            average_document_bytes=self._plan.average_document_bytes,
            elevated=self._plan.elevated,
        )

    def _set(self, attempt: str) -> str:
        return f"{part_record(self._plan, self._order.position)}-{attempt}"


def sorted_runs(plan: Plan, position: int, collected: CollectedPart) -> str:
    """Name the set of sorted runs that a part's documents are in."""
    return f"{part_record(plan, position)}-{collected.attempt}"


def _attempt(order: CollectOrder, number: int) -> str:
    return f"{order.round}-{number}"


def _reversed(orderby: str | None) -> str | None:
    if orderby is None:
        return None
    turned = [
        f"{term.removesuffix(' asc')} desc" if term.endswith(" asc") else f"{term.removesuffix(' desc')} asc"
        for term in orderby.split(",")
    ]
    return ",".join(turned)


def _field_names(part: Partition) -> str:
    """Name the fields that a part is cut by, without their values."""
    names = dict.fromkeys(condition.field for condition in part.conditions)
    return f"by {', '.join(names)}" if names else "everything" if part.lucene is None else "by a prefix of the key"
