"""Check that every service and store of the settings can be used, and that the roles suffice."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from functools import partial

import msgspec

from indexvault.clients import Clients
from indexvault.errors import (
    ForbiddenError,
    IndexvaultError,
    IntegrityError,
    SettingsError,
    UnauthorizedError,
    UnreachableError,
)
from indexvault.maintenance.protection import ADVICE, kept_versions, kind_in_words
from indexvault.maintenance.stock import Stock, take_stock
from indexvault.model import Clock
from indexvault.printable import count
from indexvault.search.client import SearchService
from indexvault.search.page import PageReader
from indexvault.search.query import DocumentQuery
from indexvault.search.schema import read_schema
from indexvault.settings.host_storage import HOST_STORAGE, stores_of_host
from indexvault.settings.model import Settings
from indexvault.settings.secrets import naming_the_variable
from indexvault.snapshots.record_keys import MAKE_A_KEY
from indexvault.snapshots.run_names import checkpoint_name
from indexvault.snapshots.summary import is_in_future

_SECONDS = 30.0
"""The longest that one check may take."""

_MOST_TRIED = 10
"""Indexes in which a document is looked for."""

_NO_INDEX = "no-index-of-this-name"
_MEND_ABOVE = "Fix the problems above first"


class Warned(msgspec.Struct, frozen=True):
    """What a check found that is no failure and that an operator should know of; `hint` is what to do."""

    detail: str
    hint: str


class CheckFinding(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of one check. `detail` is what was found, or what is wrong; `hint` is what to do then.

    A `warning` is no failure.
    """

    target: str
    check: str
    ok: bool
    detail: str
    hint: str = ""
    warning: bool = False


class CheckedTarget(msgspec.Struct, frozen=True):
    """A store or service, or the settings, with its findings.

    `exit_code` is the most serious of its failures: 0 for none, 2 for settings that can't be used, else 1.
    """

    findings: list[CheckFinding]
    exit_code: int


class CheckReport(msgspec.Struct, frozen=True):
    """The findings, of the settings first."""

    targets: list[CheckedTarget]


async def check_everything(clients: Clients, environment: Mapping[str, str], *, run: str, clock: Clock) -> CheckReport:
    """Check the settings, every store and every service, whatever fails.

    `run` names the blob that is written to try it. Raises SettingsError for settings without a store or a service.
    """
    settings = clients.settings
    if not settings.stores or not settings.services:
        lacking = "no store" if not settings.stores else "no service"
        raise SettingsError(
            f"there is {lacking}, so nothing can be backed up",
            on="settings",
            do="Name a store and a service in the settings",
        )
    attempts = [
        _try_settings(clients, environment),
        *(_try_store(clients, name, run, clock) for name in sorted(clients.settings.stores)),
        *(_try_service(clients, name) for name in sorted(clients.settings.services)),
    ]
    targets = await asyncio.gather(*attempts)
    return CheckReport([CheckedTarget(target.findings, target.code) for target in targets])


class _Target:
    """A store or service, and what was found out about it."""

    def __init__(self, kind: str, name: str, settings: Settings) -> None:
        self._settings = settings
        self.findings: list[CheckFinding] = []
        self.code = 0
        self._short_name = name
        self._name = f"{kind} {name}"
        self._silent = False

    async def check(self, name: str, find: Callable[[], Awaitable[str | Warned]]) -> None:
        """Do one check and record its outcome. After no answer from a target, its other checks are skipped."""
        if self._silent:
            self._note(name, detail="not tried", hint=_MEND_ABOVE, ok=False)
            return
        try:
            async with asyncio.timeout(_SECONDS):
                found = await find()
                if isinstance(found, Warned):
                    self._note(name, detail=found.detail, hint=found.hint, ok=True, warning=True)
                else:
                    self._note(name, detail=found, ok=True)
        except IndexvaultError as met:
            error = naming_the_variable(met, self._settings)
            self._silent = isinstance(error, UnreachableError | SettingsError)
            subject = error.on.removeprefix(f"{self._short_name} ")
            detail = error.what if subject == self._short_name else f"{subject}: {error.what}"
            self._note(name, detail=detail, hint=error.do, ok=False)
            self.code = max(self.code, error.exit_code if isinstance(error, SettingsError) else 1)
        except TimeoutError:
            self._silent = True
            self._note(
                name, detail=f"no answer within {_SECONDS:g} s", hint="Check the address and the network path", ok=False
            )
            self.code = max(self.code, 1)

    def _note(self, name: str, *, detail: str, ok: bool, hint: str = "", warning: bool = False) -> None:
        self.findings.append(
            CheckFinding(target=self._name, check=name, ok=ok, detail=detail, hint=hint, warning=warning)
        )


async def _try_settings(clients: Clients, environment: Mapping[str, str]) -> _Target:
    target = _Target("settings", "record_key", clients.settings)

    async def record_key() -> str | Warned:
        keys = clients.record_keys
        if keys:
            return f"{count(len(keys.ids), 'key')}, of which {keys.ids[0]} signs"
        return Warned(
            "none, so whoever can write to a store can order restores, moves and deletions with the app's rights, and"
            " forge snapshots",
            f"{MAKE_A_KEY}; see docs/security.md",
        )

    async def host_storage() -> Warned:
        return Warned(
            f"store {', '.join(own)} is in the storage account of the Functions app itself ({HOST_STORAGE}): who may"
            " write there can change what the app does",
            "Give the stores accounts of their own; see docs/security.md",
        )

    await target.check("sign records", record_key)
    own = stores_of_host(clients.settings, environment)
    if own:
        await target.check("keep stores apart from the app", host_storage)
    return target


async def _try_store(clients: Clients, name: str, run: str, clock: Clock) -> _Target:
    target = _Target("store", name, clients.settings)
    probe = checkpoint_name(run, "probe")

    async def containers() -> str:
        await clients.store(name).prepare()
        settings = clients.settings.stores[name]
        return f"the containers {settings.snapshots_container} and {settings.runs_container} exist"

    async def read() -> str:
        services = [service async for service in clients.store(name).snapshots.folders("")]
        return f"snapshots of {count(len(services), 'service')}"

    async def write() -> str:
        runs = clients.store(name).runs
        await runs.put(probe, b"{}")
        await runs.delete(probe)
        return "a blob was written and removed again"

    await target.check("reach it", containers)

    async def stock() -> str:
        found = await take_stock(clients, name)
        if found.missing:
            first = found.missing[0]
            raise IntegrityError(
                f"{count(len(found.missing), 'snapshot')} gone that nobody removed, such as {first.reference}",
                on=name,
                do=f"indexvault repair {first.reference.service}/{first.reference.index}",
            )
        return _stock_in_words(found, clock())

    async def foreign() -> str | Warned:
        records = clients.signed_records(name)
        if records is None:
            return "nothing is signed"
        blobs = [found.blob async for found in records.tampering(listing_only=True)]
        unauthentic = [each for each in (await take_stock(clients, name)).present if not each.is_trusted]
        if not blobs and not unauthentic:
            return "every record is signed, every snapshot authentic or accepted"
        said = [
            *([f"{count(len(blobs), 'record')} that nobody with the key wrote, such as {blobs[0]}"] if blobs else []),
            *(
                [f"{count(len(unauthentic), 'snapshot')} not authentic, such as {unauthentic[0].reference}"]
                if unauthentic
                else []
            ),
        ]
        verbs = [*([f"indexvault records {name}"] if blobs else [])]
        verbs += [f"indexvault accept {unauthentic[0].service}"] if unauthentic else []
        return Warned("; ".join(said), f"They count for nothing. Look at them: {' and '.join(verbs)}")

    await target.check("list snapshots", read)
    await target.check("miss no snapshot", stock)
    if clients.settings.record_key is not None:
        await target.check("hold nothing foreign", foreign)
    await target.check("write and delete", write)
    await target.check("keep what is deleted", partial(_protection, clients, name))
    return target


async def _protection(clients: Clients, name: str) -> str | Warned:
    """Return what becomes of blobs that are deleted."""
    found = await clients.store(name).snapshots.protection("")
    kept = kept_versions(found)
    said = kind_in_words(found) + (f"; {kept}" if kept is not None else "")
    return Warned(said, ADVICE) if found.kind == "version" or kept is not None else said


def _stock_in_words(found: Stock, now: datetime) -> str:
    """Return how many snapshots there are, and which of them an operator should know of."""
    damaged = [summary for summary in found.present if summary.state == "damaged"]
    future = [summary for summary in found.present if is_in_future(summary.created, now)]
    said = [f"{count(len(found.present), 'snapshot')}, none is missing"]
    if damaged:
        said.append(f"{len(damaged):,} can't be read, such as {damaged[0].reference}")
    if future:
        said.append(f"{len(future):,} dated in the future, found by their ids only, such as {future[0].reference}")
    return "; ".join(said)


async def _try_service(clients: Clients, name: str) -> _Target:
    target = _Target("service", name, clients.settings)
    indexes: list[str] | None = None

    async def statistics() -> str:
        counters = (await clients.service(name).service_statistics()).counters
        return f"{count(counters.indexes_count.usage, 'index')}, {count(counters.document_count.usage, 'document')}"

    async def definitions() -> str:
        nonlocal indexes
        indexes = await clients.service(name).index_names()
        return ", ".join(indexes) or "no index yet"

    async def documents() -> str:
        if indexes is None:
            raise IndexvaultError("not tried: the indexes could not be listed", on=name, do=_MEND_ABOVE)
        if not indexes:
            return "no index to try it on"
        return await _a_document(clients.service(name), indexes[:_MOST_TRIED])

    await target.check("reach it", statistics)
    await target.check("list indexes", definitions)

    async def writing() -> str:
        if not any(finding.ok for finding in target.findings):
            raise IndexvaultError("not tried: the other checks failed", on=name, do=_MEND_ABOVE)
        service = clients.service(name)
        try:
            await service.may_write_definitions()
            await service.may_write_documents((indexes or [_NO_INDEX])[0])
        except (ForbiddenError, UnauthorizedError):
            return "not with these roles; backups don't need it"
        return "possible"

    await target.check("read a document", documents)
    if indexes:
        await _try_protected(target, clients.service(name))
    await target.check("restore to it", writing)
    return target


async def _a_document(service: SearchService, indexes: Sequence[str]) -> str:
    """Read a document of the first index that has any, and return which that is."""
    for index in indexes:
        definition = await service.index_definition(index)
        key = read_schema(definition.body, on=f"{service.name} index {index}").key.name
        page = await service.documents(index, DocumentQuery(select=key, top=1), PageReader(key))
        if page.documents:
            return f"one of {index}"
    return f"there are none of {', '.join(indexes)}"


async def _try_protected(target: _Target, service: SearchService) -> None:
    """Check that documents can be read whatever their access lists and labels say, if any index has such."""
    protected = await _protected(service)

    async def elevated() -> str:
        for index, key in protected:
            await service.documents(index, DocumentQuery(select=key, top=1), PageReader(key), elevated=True)
        return f"possible for {', '.join(index for index, _key in protected)}"

    if protected:
        await target.check("read protected documents", elevated)


async def _protected(service: SearchService) -> list[tuple[str, str]]:
    """Return the indexes whose documents are protected, and their key fields. None if they can't be read."""
    try:
        definitions = await service.definitions("indexes", preview=True)
    except IndexvaultError:
        return []
    schemas = [read_schema(each.body, on=f"{service.name} index {each.name}") for each in definitions]
    return [(schema.name, schema.key.name) for schema in schemas if schema.is_protected]
