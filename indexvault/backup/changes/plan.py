"""Plan a reading by changes: the first step of a run that reads only what a field says was changed."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from indexvault.backup.answers import value_reader
from indexvault.backup.changes.choice import Now, candidate, proof_of, why_in_full
from indexvault.backup.changes.fields import (
    NUMBER_UNITS,
    Seen,
    Unit,
    bounds_of,
    field_fault,
    key_fault,
    literal_at,
    seen_fault,
    unit_of,
)
from indexvault.backup.changes.records import ChangesPlan
from indexvault.backup.index_probe import ServiceIndexProbe
from indexvault.backup.job import BackupJob
from indexvault.backup.limits import Limits
from indexvault.backup.partition import Between, Null, Partition
from indexvault.backup.state import Plan
from indexvault.errors import UNDECODABLE, IntegrityError, NotFoundError, SettingsError
from indexvault.search.client import SearchService
from indexvault.search.page import PageReader
from indexvault.search.query import DocumentQuery
from indexvault.search.schema import Field, Schema
from indexvault.settings.model import ChangesSettings
from indexvault.snapshots.catalogue import read_manifest
from indexvault.snapshots.manifest import Manifest
from indexvault.snapshots.names import SnapshotReference
from indexvault.snapshots.store import SnapshotReader
from indexvault.snapshots.summary import Summary

_ENOUGH = 10
"""Documents that a full reading must have found missed before it speaks against a field."""

METHOD = "changes"
"""The method of a plan that reads only what a field says was changed."""


class InFull(msgspec.Struct, frozen=True):
    """Why a run reads the whole index although it could read by changes, in words."""

    why: str


async def plan_changes(
    service: SearchService,
    job: BackupJob,
    changes: ChangesSettings,
    plan: Plan,
    schema: Schema,
    *,
    base: Manifest | None,
    restored: datetime | None,
    limits: Limits,
) -> ChangesPlan | InFull:
    """Return how to read only what has changed since the last snapshot, or why to read everything.

    `plan` is what is known so far, `restored` when a restore last wrote to the index. Raises SettingsError if the field
    can never say what was changed.
    """
    on = f"{job.service} index {job.index}"
    if (fault := key_fault(schema) or field_fault(schema, changes.field)) is not None:
        raise _refused(changes.field, fault, on)
    if base is not None and (fault := _proved_fault(base, changes.field)) is not None:
        raise _refused(changes.field, fault, on)
    field = next(field for path, field in schema.walk() if path == changes.field)
    asking = _Asking(service, job.index, plan, changes.field, field)
    unit = await asking.unit()
    if unit is None:
        raise _refused(changes.field, "its newest value is no time: numbers must count from 1970", on)
    ahead = literal_at(unit, plan.started + changes.margin + timedelta(seconds=1))
    future = await asking.count(Between(changes.field, low=ahead))
    if (fault := seen_fault(Seen(documents=plan.found, future=future))) is not None:
        raise _refused(changes.field, fault, on)
    if (why := why_in_full(base, as_it_is(plan, restored), changes)) is not None or base is None:
        return InFull(why or "")
    since = literal_at(unit, base.started - changes.margin)
    changed = await asking.count(Between(changes.field, low=since))
    valueless = await asking.count(Null(changes.field))
    if (why := _too_many(changed, valueless, plan.found, field=changes.field, since=since, limits=limits)) is not None:
        return InFull(why)
    proved, proved_at = proof_of(base)
    return ChangesPlan(
        base=SnapshotReference(service=job.service, index=job.index, id=base.id),
        base_started=base.started,
        documents=base.counts.documents,
        field=changes.field,
        unit=unit,
        margin=round(changes.margin.total_seconds()),
        since=since,
        changed=changed,
        valueless=valueless,
        proved=proved,
        proved_at=proved_at,
    )


def reason(made: ChangesPlan) -> str:
    """Return why a run reads by changes, and what that is, in words."""
    null = f" and {made.valueless:,} without a value" if made.valueless else ""
    return (
        f"{made.changed:,} documents{null} by {made.field} since {made.since}, and what counts of key ranges say was"
        f" deleted, merged into {made.base.id}; the last full reading is {made.proved}"
    )


def as_it_is(plan: Plan, restored: datetime | None) -> Now:
    """Return what the index is like, as a plan found it."""
    return Now(
        started=plan.started,
        key_field=plan.key_field,
        generation=plan.generation,
        definition=plan.definition,
        etag=plan.etag,
        losses=plan.losses,
        revealed=plan.revealed,
        restored=restored,
    )


def follows(made: Plan, base: Manifest | None, changes: ChangesSettings | None, restored: datetime | None) -> bool:
    """Return whether how an earlier plan reads by changes follows from the snapshots there are, and the job."""
    plan = made.changes
    if plan is None:
        return True
    if changes is None or base is None or base.id != plan.base.id:
        return False
    if why_in_full(base, as_it_is(made, restored), changes) is not None or made.boundary_bits != base.boundary_bits:
        return False
    proved, proved_at = proof_of(base)
    return (plan.field, plan.margin, plan.since, plan.proved, plan.proved_at, plan.base_started, plan.documents) == (
        changes.field,
        round(changes.margin.total_seconds()),
        literal_at(plan.unit, base.started - changes.margin),
        proved,
        proved_at,
        base.started,
        base.counts.documents,
    )


async def has_unit(service: SearchService, job: BackupJob, plan: Plan, schema: Schema) -> bool:
    """Return whether the field of an earlier plan by changes counts as the plan says."""
    changes = plan.changes
    field = next((field for path, field in schema.walk() if changes is not None and path == changes.field), None)
    if changes is None or field is None:
        return False
    return await _Asking(service, job.index, plan, changes.field, field).unit() == changes.unit


async def base_of(blobs: SnapshotReader, earlier: Sequence[Summary]) -> Manifest | None:
    """Return the manifest to build on. One that can't be read is none: then everything is read."""
    chosen = candidate(earlier)
    try:
        return await read_manifest(blobs, chosen) if chosen is not None else None
    except (IntegrityError, NotFoundError):
        return None


def _proved_fault(base: Manifest, field: str) -> str | None:
    """Return why the last full reading, if that is the base, knows the field to be of no use."""
    missed = base.missed
    if missed is None or missed.field != field or missed.documents < _ENOUGH:
        return None
    return seen_fault(Seen(changed=missed.changed + missed.explained, stood_still=missed.stood_still))


def _too_many(changed: int, valueless: int, documents: int, *, field: str, since: str, limits: Limits) -> str | None:
    many = min(limits.most_changes, max(limits.few_changes, int(documents * limits.most_changed_share)))
    if valueless > many:
        return f"{valueless:,} of {documents:,} documents have no value of {field}, and each run would read them all"
    if changed + valueless > many:
        return f"{changed + valueless:,} of {documents:,} documents were changed since {since}"
    return None


class _Asking:
    """Asks an index about one field."""

    def __init__(self, service: SearchService, index: str, plan: Plan, path: str, field: Field) -> None:
        self._service = service
        self._index = index
        self._plan = plan
        self._path = path
        self._field = field
        self._probe = ServiceIndexProbe(service, index, plan.key_field, elevated=plan.elevated)

    async def count(self, condition: Between | Null) -> int:
        """Return how many documents meet a condition."""
        return await self._probe.count(Partition(conditions=(condition,)))

    async def unit(self) -> Unit | None:
        """Return how the field counts. A number says so by its newest value; without any, it does not matter.

        Where that would be another unit than seconds, a single document may be wrong: the unit of most counts.
        """
        if unit_of(self._field, None) == "time":
            return "time"
        query = DocumentQuery(
            filter=Between(self._path).clause,
            orderby=f"{self._path} desc",
            select=f"{self._plan.key_field},{self._path}",
            top=1,
        )
        page = await self._service.documents(
            self._index, query, PageReader(self._plan.key_field), elevated=self._plan.elevated
        )
        if not page.documents:
            return "seconds"
        try:
            newest = value_reader(self._path)(page.documents[0].line)
        except UNDECODABLE:
            newest = None
        unit = unit_of(self._field, newest if isinstance(newest, int | float) else None)
        return unit if unit == "seconds" else await self._usual_unit()

    async def _usual_unit(self) -> Unit | None:
        """Return the unit that most documents count in, None if none does."""
        units = NUMBER_UNITS[:1] if self._field.type == "Edm.Int32" else NUMBER_UNITS
        numbers: dict[Unit, int] = {}
        for unit in units:
            low, high = bounds_of(unit)
            numbers[unit] = await self.count(Between(self._path, low=low, high=high))
        usual = max(numbers, key=lambda unit: numbers[unit])
        return usual if numbers[usual] else None


def _refused(field: str, fault: str, on: str) -> SettingsError:
    return SettingsError(
        f"{field} can't say which documents were changed: {fault}",
        on=on,
        do="Name another field in changes (indexvault check says which would do), or leave changes out",
    )
