"""Check which fields of the policies' indexes can say what was changed, and why the others can't."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

import msgspec

from indexvault.backup.answers import value_reader
from indexvault.backup.changes.fields import (
    FieldVerdict,
    Seen,
    field_fault,
    key_fault,
    literal_at,
    seen_fault,
    unit_of,
    verdicts,
)
from indexvault.backup.definitions import read_index_definition
from indexvault.backup.index_probe import ServiceIndexProbe
from indexvault.backup.partition import Between, Partition
from indexvault.clients import Clients
from indexvault.errors import UNDECODABLE, IndexvaultError, IntegrityError, NotFoundError, RemoteError
from indexvault.maintenance.check import CheckedTarget, CheckFinding, CheckReport
from indexvault.model import Clock
from indexvault.printable import count
from indexvault.search.client import SearchService
from indexvault.search.page import PageReader
from indexvault.search.query import DocumentQuery
from indexvault.search.schema import Schema, read_schema
from indexvault.settings.model import ChangesSettings, PolicySettings
from indexvault.settings.patterns import select
from indexvault.snapshots.catalogue import list_snapshots, read_manifest
from indexvault.snapshots.manifest import Missed

MOST_INDEXES = 20
"""Indexes of a service that are looked at: each takes some requests."""
_MOST_ASKED = 3
"""Fields of an index whose values are looked at."""
_ENOUGH = 10
"""Documents that a full reading must have found missed before it speaks against a field."""
_AHEAD = timedelta(minutes=10)


async def check_fields(clients: Clients, report: CheckReport, clock: Clock) -> CheckReport:
    """Return a report of checks with what there is to say of the fields of the policies' indexes, by service.

    A field that a policy names and that will not do is a failure; the others are told for whoever looks for one.
    """
    found: dict[str, list[CheckFinding]] = {}
    for service in sorted({policy.service for policy in clients.settings.policies.values()}):
        policies = {name: each for name, each in clients.settings.policies.items() if each.service == service}
        found[f"service {service}"] = await _check_service(clients, service, policies, clock())
    return CheckReport([_with(target, found) for target in report.targets])


def _with(target: CheckedTarget, found: Mapping[str, list[CheckFinding]]) -> CheckedTarget:
    more = found.get(target.findings[0].target, []) if target.findings else []
    fails = any(not each.ok for each in more)
    return CheckedTarget([*target.findings, *more], max(target.exit_code, int(fails)))


async def _check_service(
    clients: Clients, service: str, policies: Mapping[str, PolicySettings], now: datetime
) -> list[CheckFinding]:
    try:
        names = await clients.service(service).index_names()
    except IndexvaultError:
        return []  # the other checks say what is wrong
    asked: dict[str, list[ChangesSettings]] = {}
    for policy in policies.values():
        for index in select(names, policy.indexes).found:
            asked.setdefault(index, []).extend([policy.changes] if policy.changes is not None else [])
    findings = []
    # Those that a policy reads by changes first: there a field that will not do keeps backups from being made.
    for index, changes in sorted(asked.items(), key=lambda each: (not each[1], each[0]))[:MOST_INDEXES]:
        findings += await _findings(clients, service, index, changes, now)
    if len(asked) > MOST_INDEXES:
        more = f"{count(len(asked) - MOST_INDEXES, 'further index')} not looked at"
        findings.append(CheckFinding(target=f"service {service}", check="changes", ok=True, detail=more))
    return findings


async def _findings(
    clients: Clients, service: str, index: str, asked: Iterable[ChangesSettings], now: datetime
) -> list[CheckFinding]:
    target, check = f"service {service}", f"changes of {index}"
    try:
        looked = await _look(clients, service, index, now)
    except IndexvaultError as error:
        return [CheckFinding(target=target, check=check, ok=False, detail=error.what, hint=error.do)]
    fit = [each.path for each in looked.verdicts if each.fault is None]
    others = "; ".join(f"{each.path}: {each.fault}" for each in looked.verdicts if each.fault is not None)
    found = []
    for changes in asked:
        fault = looked.fault_of(changes.field)
        if fault is not None:
            hint = f"These would do: {', '.join(fit)}" if fit else "Leave changes out: no field would do"
            detail = f"{changes.field} can't say what was changed: {fault}"
            found.append(CheckFinding(target=target, check=check, ok=False, detail=detail, hint=hint))
        else:
            found.append(CheckFinding(target=target, check=check, ok=True, detail=f"{changes.field} would do"))
    if not found:
        would = f"{', '.join(fit)} would do" if fit else looked.no_key or "no field would do"
        detail = f"{would}; {others}" if others and not looked.no_key else would
        found.append(CheckFinding(target=target, check=check, ok=True, detail=detail))
    return found


class _Looked(msgspec.Struct, frozen=True):
    """What is known of an index: the verdicts on its fields, and why its key rules all of them out, if it does."""

    schema: Schema
    verdicts: list[FieldVerdict]
    no_key: str | None

    def fault_of(self, path: str) -> str | None:
        known = {each.path: each.fault for each in self.verdicts}
        return known[path] if path in known else self.no_key or field_fault(self.schema, path)


async def _look(clients: Clients, service: str, index: str, now: datetime) -> _Looked:
    client = clients.service(service)
    definition, _etag = await read_index_definition(client, index)
    schema = read_schema(definition.fullest.body, on=f"{service} index {index}")
    missed = await _missed(clients, service, index)
    found: list[FieldVerdict] = []
    asked = 0
    for verdict in verdicts(schema):
        if verdict.fault is not None or asked >= _MOST_ASKED:
            found.append(verdict)
            continue
        asked += 1
        fault = await _value_fault(client, index, schema, verdict.path, now)
        seen = missed if missed is not None and missed.field == verdict.path and missed.documents >= _ENOUGH else None
        if fault is None and seen is not None:
            fault = seen_fault(Seen(changed=seen.changed + seen.explained, stood_still=seen.stood_still))
        found.append(FieldVerdict(verdict.path, fault))
    # A number that is no time is no candidate: nobody looks for its name here.
    told = [each for each in found if each.fault != _NO_TIME]
    return _Looked(schema, told, key_fault(schema))


_NO_TIME = "its newest value is no time: numbers must count from 1970"


async def _value_fault(client: SearchService, index: str, schema: Schema, path: str, now: datetime) -> str | None:
    """Return why the values of a field speak against it, or None."""
    key, field = schema.key.name, next(field for each, field in schema.walk() if each == path)
    query = DocumentQuery(filter=Between(path).clause, orderby=f"{path} desc", select=f"{key},{path}", top=1)
    page = await client.documents(index, query, PageReader(key))
    newest = None
    if page.documents:
        try:
            newest = value_reader(path)(page.documents[0].line)
        except UNDECODABLE:
            newest = None
    if newest is None:
        return None if field.type == "Edm.DateTimeOffset" else _NO_TIME
    unit = unit_of(field, newest if isinstance(newest, int | float) else None)
    if unit is None:
        return _NO_TIME
    probe = ServiceIndexProbe(client, index, key)
    ahead = Partition(conditions=(Between(path, low=literal_at(unit, now + _AHEAD)),))
    return seen_fault(Seen(documents=await probe.count(Partition()), future=await probe.count(ahead)))


async def _missed(clients: Clients, service: str, index: str) -> Missed | None:
    """Return what the last full reading of an index says of the field that its snapshots went by, if it says it."""
    blobs = clients.store_of(service).snapshots
    try:
        newest = next((each for each in await list_snapshots(blobs, service, index) if each.is_proved), None)
        return None if newest is None else (await read_manifest(blobs, newest)).missed
    except (NotFoundError, IntegrityError, RemoteError):
        return None
