"""Decide how to read an index: the first step of a backup."""

from datetime import timedelta

import msgspec

from indexvault.backup.access import may_read_elevated, require_reader
from indexvault.backup.changes.plan import METHOD, InFull, base_of, plan_changes, reason
from indexvault.backup.changes.records import ChangesPlan
from indexvault.backup.definitions import (
    read_index_definition,
    read_synonym_map,
    withheld_from_index,
)
from indexvault.backup.hidden_fields import before_revealing
from indexvault.backup.index_probe import ServiceIndexProbe
from indexvault.backup.job import BackupJob, PlanSummary
from indexvault.backup.key_ranges import (
    average_size,
    edges_of_tree,
    range_count,
    ranges_between,
    ranges_by_rank,
)
from indexvault.backup.limits import LIMITS, Limits
from indexvault.backup.losses import hidden_fields, losses, lost_content, out_of_sight
from indexvault.backup.messages import beyond_reach, found_in, in_newer_version, without_key_order
from indexvault.backup.partition import Partition
from indexvault.backup.partitioning import divide, partitioners_for, reading_order
from indexvault.backup.pieces import cuts_for
from indexvault.backup.plan_check import what_does_not_follow
from indexvault.backup.state import (
    KEY_ORDER,
    PLAN_FORMAT,
    PLAN_RECORD,
    STARTED_OVER_RECORD,
    Plan,
    PlanHeader,
    StartedOver,
    require_plan,
)
from indexvault.errors import IntegrityError, LossNotAcceptedError, NotFoundError
from indexvault.model import IndexName
from indexvault.printable import count
from indexvault.search.request_count import counted_requests
from indexvault.search.schema import Schema, read_schema
from indexvault.snapshots.catalogue import list_snapshots, read_manifest, resolve
from indexvault.snapshots.chunks import boundary_bits
from indexvault.snapshots.generation import choose_generation
from indexvault.snapshots.manifest import Manifest
from indexvault.snapshots.names import SnapshotReference
from indexvault.snapshots.restored import read_restored
from indexvault.snapshots.store import Store
from indexvault.snapshots.tree_reader import TreeReader
from indexvault.workflow.activity import ProgressUpdate, Resources
from indexvault.workflow.checkpoints import Checkpoints
from indexvault.workflow.resume import digest_of

OLDEST_TO_CONTINUE = timedelta(days=1)
"""An unfinished run that is older is not continued: its first documents would be older than anybody expects."""


async def plan_backup(resources: Resources, job: BackupJob, *, limits: Limits = LIMITS) -> PlanSummary:
    """Plan how to read the index, or continue with the plan of an interrupted attempt.

    Raises LossNotAcceptedError, before anything is read, if fields are hidden and the job does not accept that.
    """
    store = resources.clients.store_of(job.service)
    await store.prepare()
    checkpoints = Checkpoints(store.runs, job.run)
    started_over = await checkpoints.read(STARTED_OVER_RECORD, StartedOver)
    notes = [] if started_over is None else [f"the index was read twice: {started_over.why}"]
    plan, mismatch = await _earlier(resources, job, checkpoints)
    resumed = plan is not None
    if mismatch is not None:
        notes.append(f"an unfinished attempt was not continued: {mismatch}")
    if plan is None:
        made = await make_plan(resources, job, store, limits=limits, again=started_over is not None)
        made = msgspec.structs.replace(made, trusting=started_over is None)
        if mismatch is None:
            plan = await checkpoints.write_once(PLAN_RECORD, made)
        else:
            await checkpoints.write(PLAN_RECORD, plan := made)
    resources.report(ProgressUpdate(stage="read", expected=plan.found))
    return PlanSummary(
        ranges=len(plan.ranges),
        documents=plan.found,
        partitions=len(plan.partitions),
        by_changes=plan.changes is not None,
        notes=notes,
        digest=digest_of(plan),
        planned=plan.started,
        resumed=resumed,
        checkpoint_bytes=limits.checkpoint_bytes,
    )


async def make_plan(
    resources: Resources, job: BackupJob, store: Store, *, limits: Limits = LIMITS, again: bool = False
) -> Plan:
    """Make a plan without writing anything. If the run reads the index `again`, it reads all of it.

    Raises as `plan_backup` does.
    """
    with counted_requests() as counter:
        plan = await _Planner(resources, job, store, limits).plan(again=again)
    return msgspec.structs.replace(plan, requests=counter.requests)


async def _earlier(resources: Resources, job: BackupJob, checkpoints: Checkpoints) -> tuple[Plan | None, str | None]:
    """Return the plan of an interrupted attempt if it can be continued, or else why it can't."""
    try:
        header = await checkpoints.read(PLAN_RECORD, PlanHeader)
        if header is None:
            return None, None
        if header.format != PLAN_FORMAT:
            return None, f"its records are in the format {header.format[:40]!r}, and not {PLAN_FORMAT!r}"
        plan = await require_plan(checkpoints, job)
    except IntegrityError:
        return None, "its records can't be read"
    mismatch = await _mismatch(resources, job, plan)
    return (plan, None) if mismatch is None else (None, mismatch)


async def _mismatch(resources: Resources, job: BackupJob, plan: Plan) -> str | None:
    """Return why an earlier plan can't be continued, or None if it can."""
    current, etag_reading = await read_index_definition(resources.clients.service(job.service), job.index)
    revealed = await before_revealing(resources, job, current)
    definition, etag = revealed or (current, etag_reading)
    if etag != plan.etag:
        return f"the index's definition has changed (its ETag was {plan.etag} and is {etag})"
    if resources.clock() - plan.started > OLDEST_TO_CONTINUE:
        return f"it was begun at {plan.started:%Y-%m-%d %H:%M} UTC, more than a day ago"
    unfounded = await what_does_not_follow(resources, job, plan, definition, current)
    if unfounded is None:
        return None
    return f"its plan has {unfounded}: somebody else may have written to the runs container"


def _by_changes(plan: Plan, changes: ChangesPlan, base: Manifest) -> Plan:
    """Return the plan to read only what has changed since a snapshot."""
    return msgspec.structs.replace(
        plan,
        changes=changes,
        previous=changes.base,
        previous_tree=digest_of(base.tree),
        boundary_bits=base.boundary_bits,
        method=METHOD,
        reason=reason(changes),
    )


class _Planner:
    def __init__(self, resources: Resources, job: BackupJob, store: Store, limits: Limits) -> None:
        self._resources = resources
        self._job = job
        self._store = store
        self._limits = limits
        self._service = resources.clients.service(job.service)
        self._on = f"{job.service} index {job.index}"

    async def plan(self, *, again: bool) -> Plan:
        """Make the plan."""
        job, started = self._job, self._resources.clock()
        current, etag_reading = await read_index_definition(self._service, job.index)
        revealed = await before_revealing(self._resources, job, current)
        definition, etag = revealed or (current, etag_reading)
        schema = read_schema(current.fullest.body, on=self._on)
        self._require_no_hidden_fields(schema)
        require_reader(self._service, schema, on=self._on)
        elevated = await may_read_elevated(self._service, job.index, schema)
        counted = await self._service.count(job.index)
        probe = ServiceIndexProbe(self._service, job.index, schema.key.name, elevated=elevated)
        found = await probe.count(Partition())
        earlier = await list_snapshots(self._store.snapshots, job.service, job.index)
        generation = choose_generation(earlier, job.full_every, started)
        previous = await self._previous(schema, generation)
        average = (
            previous.bytes / max(1, previous.counts.documents)
            if previous is not None
            else await average_size(self._service, job.index, schema.key.name, elevated=elevated)
        )
        bits = boundary_bits(average) if previous is None else previous.boundary_bits
        synonym_maps = [await read_synonym_map(self._service, name) for name in schema.synonym_map_names()]
        plan = Plan(
            id=f"{started:%Y%m%dT%H%M%SZ}-{self._resources.rng.randbytes(3).hex()}",
            started=started,
            definition=definition,
            etag=etag,
            etag_reading=etag_reading,
            synonym_maps=synonym_maps,
            losses=[
                *losses(schema),
                *out_of_sight(schema, elevated=elevated, counted=counted, found=found),
                *lost_content(withheld_from_index(job.index, definition, synonym_maps)),
            ],
            key_field=schema.key.name,
            counted=counted,
            found=found,
            elevated=elevated,
            average_document_bytes=average,
            boundary_bits=bits,
            generation=generation,
            previous=None
            if previous is None
            else SnapshotReference(service=job.service, index=job.index, id=previous.id),
            previous_tree="" if previous is None else digest_of(previous.tree),
            method="",
            reason="",
            revealed=hidden_fields(read_schema(definition.fullest.body, on=self._on), revealed_in=schema),
        )
        in_full = ""
        if job.changes is not None:
            base = await base_of(self._store.snapshots, earlier)
            by_changes = await plan_changes(
                self._service,
                job,
                job.changes,
                plan,
                schema,
                base=base if not again else None,
                restored=await read_restored(self._store.runs, IndexName(job.service, job.index), started),
                limits=self._limits,
            )
            if isinstance(by_changes, ChangesPlan) and base is not None:
                made = _by_changes(plan, by_changes, base)
                return msgspec.structs.replace(made, reason=f"{made.reason}{in_newer_version(definition)}")
            if isinstance(by_changes, InFull):
                in_full = f"; in full, since {'the run started over' if again else by_changes.why}"
        made = await (
            self._in_key_order(plan, schema, previous)
            if schema.has_key_order
            else self._in_partitions(plan, schema, probe)
        )
        return msgspec.structs.replace(made, reason=f"{made.reason}{in_full}{in_newer_version(definition)}")

    async def _in_key_order(self, plan: Plan, schema: Schema, previous: Manifest | None) -> Plan:
        key = schema.key.name
        number = range_count(plan.found, self._job.parallel, self._limits, average_bytes=plan.average_document_bytes)
        edges = await self._edges(previous, plan.boundary_bits, number)
        if previous is not None and edges is not None:
            ranges, how = ranges_between(edges), f"split where chunks of {previous.id} end"
        else:
            ranges = await ranges_by_rank(
                self._service,
                self._job.index,
                key,
                documents=plan.found,
                ranges=number,
                bits=plan.boundary_bits,
                elevated=plan.elevated,
                limits=self._limits,
            )
            how = "split by rank"
        return msgspec.structs.replace(
            plan,
            ranges=ranges,
            method=KEY_ORDER,
            reason=f"the key field {key} is filterable and sortable; {count(len(ranges), 'range')}, {how}",
        )

    async def _edges(self, previous: Manifest | None, bits: int, count: int) -> list[str] | None:
        """Return where ranges end by the previous snapshot, or None if there is none or it is damaged."""
        if previous is None:
            return None
        try:
            return await edges_of_tree(TreeReader(self._store.snapshots, previous.folder), previous.tree, bits, count)
        except (IntegrityError, NotFoundError):
            return None

    async def _in_partitions(self, plan: Plan, schema: Schema, probe: ServiceIndexProbe) -> Plan:
        why = without_key_order(schema)
        reach = self._limits.largest_partition
        if plan.found <= reach:
            cuts = cuts_for(schema, self._limits)
            return msgspec.structs.replace(
                plan,
                partitions=[Partition(orderby=reading_order(schema), documents=plan.found)],
                method=cuts[0].name if cuts else "paging",
                reason=f"{why}; {plan.found:,} documents are within what one activity reads ({reach:,})",
            )
        partitioners = partitioners_for(schema, self._limits)
        partitioning = await divide(probe, schema, plan.found, partitioners, self._limits)
        return msgspec.structs.replace(
            plan,
            partitions=[*partitioning.partitions, *partitioning.out_of_reach],
            exact=partitioning.exact,
            tried=list(partitioning.tried),
            method=", then ".join(partitioning.used) or "paging",
            reason=f"{why}, and {plan.found:,} documents are more than $skip reaches ({reach:,});"
            f" {found_in(partitioning)}{beyond_reach(partitioning)}",
        )

    def _require_no_hidden_fields(self, schema: Schema) -> None:
        lost = losses(schema)
        if self._job.hidden_fields == "fail" and lost:
            raise LossNotAcceptedError(
                f"fields that the service does not return: {', '.join(loss.field for loss in lost)}",
                on=self._on,
                do="Nothing was read. Make them retrievable, or set hidden_fields to report or reveal",
            )

    async def _previous(self, schema: Schema, generation: str) -> Manifest | None:
        """Return the newest snapshot of the index if its chunks can be shared. A damaged one is passed over."""
        job = self._job
        try:
            reference = SnapshotReference(service=job.service, index=job.index)
            newest = await resolve(self._store.snapshots, reference, now=self._resources.clock())
            manifest = await read_manifest(self._store.snapshots, newest) if newest.generation == generation else None
        except (NotFoundError, IntegrityError):
            return None
        if manifest is None or manifest.authenticity == "unauthentic":
            return None
        return manifest if manifest.key_field == schema.key.name else None
