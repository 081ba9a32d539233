"""Hold the plan of an unfinished backup against the index as it is.

A plan lies where others may have written. Only what the index was like when it was made can't be derived again: its
counts, and for an index without key order its partitions. That these are all there are is shown by the counts, which
are taken anew.
"""

from collections.abc import AsyncIterator

from indexvault.backup.access import may_read_elevated
from indexvault.backup.changes.plan import base_of, follows, has_unit
from indexvault.backup.definition_changes import same_definition
from indexvault.backup.definitions import read_synonym_map, withheld_from_index
from indexvault.backup.job import BackupJob
from indexvault.backup.key_ranges import covers_all_keys
from indexvault.backup.losses import DOCUMENTS, losses, lost_content
from indexvault.backup.state import Plan
from indexvault.model import IndexName
from indexvault.search.client import SearchService
from indexvault.search.schema import Schema, read_schema
from indexvault.snapshots.catalogue import list_snapshots
from indexvault.snapshots.manifest import Definition
from indexvault.snapshots.restored import read_restored
from indexvault.snapshots.summary import is_in_future
from indexvault.workflow.activity import Resources


async def what_does_not_follow(
    resources: Resources, job: BackupJob, plan: Plan, definition: Definition, current: Definition
) -> str | None:
    """Return in words what of a plan does not follow from the index as it is, or None.

    `definition` is as the index's owner left it, `current` as it is while fields are revealed.
    """
    service = resources.clients.service(job.service)
    schema = read_schema(current.fullest.body, on=f"{service.name} index {job.index}")
    previous = plan.previous
    if not same_definition(plan.definition, definition) or plan.key_field != schema.key.name:
        return "another definition than the index"
    if is_in_future(plan.started, resources.clock()):
        return "a beginning in the future"
    if previous is not None and (previous.service, previous.index) != (job.service, job.index):
        return "a snapshot of another index before it"
    if plan.changes is None and not _reads_all(plan, schema):
        return "other parts than the index"
    if not await _follows_snapshots(resources, job, plan, schema):
        return "other changes than those since the last snapshot"
    return await anext(_other_content(service, job, plan, definition, schema), None)


async def _follows_snapshots(resources: Resources, job: BackupJob, plan: Plan, schema: Schema) -> bool:
    """Return whether a plan reads by changes as the last snapshot and the job say, if it does at all."""
    if plan.changes is None:
        return True
    if plan.ranges or plan.partitions:
        return False
    store = resources.clients.store_of(job.service)
    base = await base_of(store.snapshots, await list_snapshots(store.snapshots, job.service, job.index))
    restored = await read_restored(store.runs, IndexName(job.service, job.index), resources.clock())
    if not follows(plan, base, job.changes, restored):
        return False
    return await has_unit(resources.clients.service(job.service), job, plan, schema)


def _reads_all(plan: Plan, schema: Schema) -> bool:
    """Return whether a plan reads in the order of keys if there is one, and then every key."""
    if not schema.has_key_order:
        return bool(plan.partitions) and not plan.ranges
    return bool(plan.ranges) and not plan.partitions and covers_all_keys(plan.ranges)


async def _other_content(
    service: SearchService, job: BackupJob, plan: Plan, definition: Definition, schema: Schema
) -> AsyncIterator[str]:
    elevated = await may_read_elevated(service, job.index, schema)
    withheld = withheld_from_index(job.index, definition, plan.synonym_maps)
    expected = {loss.field for loss in (*losses(schema), *lost_content(withheld))}
    if schema.is_protected and not elevated:
        expected.add(DOCUMENTS)
    if plan.elevated != elevated or {loss.field for loss in plan.losses} != expected:
        yield "other losses than the index"
    if [entry.name for entry in plan.synonym_maps] != schema.synonym_map_names():
        yield "other synonym maps than the index"
    for entry in plan.synonym_maps:
        if not same_definition(entry.definition, (await read_synonym_map(service, entry.name)).definition):
            yield "other synonym maps than the service"
