"""What the fuzzer feeds: each parser of bytes from outside, and the first things that are done with what it returns.

A target draws an input from a generator and uses it. Using it returns, or raises one of the errors that the target
names; all else is a failure.
"""

import asyncio
import contextlib
import functools
import hashlib
import io
import random
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from durabletask.task import FailureDetails

from backup.backups import BackupRequest
from indexvault.api.decode import blame_members, decode_body, decode_members
from indexvault.api.problems import problem_of
from indexvault.api.run_views import view_run
from indexvault.api.runs import RunPath, RunsQuery
from indexvault.api.snapshot_views import view_snapshot
from indexvault.api.snapshots import SnapshotPath, SnapshotQuery, SnapshotsQuery, read_reference
from indexvault.backup import state as backup_state
from indexvault.backup.import_folder import Importer
from indexvault.backup.index_probe import ServiceIndexProbe
from indexvault.backup.partition import NoneOf, OneOf, Partition
from indexvault.backup.reveal_records import RevealRecords, Reveal, with_retrievable
from indexvault.cli.parser import parse
from indexvault.cli.references import index_or_snapshot, service_and_index
from indexvault.cli.remote.address import Address, address_of
from indexvault.cli.remote.connection import Answer as DeploymentAnswer
from indexvault.cli.remote.deployment import Deployment
from indexvault.cli.remote.errors import error_of
from indexvault.cli.remote.follow import report_of
from indexvault.cli.verbs import load_command
from indexvault.errors import (
    IndexvaultError,
    IntegrityError,
    RequestError,
    SettingsError,
    UnexpectedAnswerError,
)
from indexvault.model import IndexName
from indexvault.move.job import MoveState
from indexvault.move.state import other_move, read_move_state
from indexvault.restore import state as restore_state
from indexvault.restore.definition import same_content, target_definition, with_fields_shown
from indexvault.restore.patch import patch_text, read_patch
from indexvault.restore.projection import Projection, readable
from indexvault.restore.schema_changes import schema_changes
from indexvault.restore.secrets import missing_paths, needed_paths
from indexvault.restore.selection import Selection
from indexvault.restore.service.names import ORDER, Rules, renamed
from indexvault.restore.service.state import ServiceRestoreState, read_service_restore_state
from indexvault.restore.values import same_document
from indexvault.search.batch import read_batch_answer, upload_batch
from indexvault.search.client import SearchService
from indexvault.search.documents import DocumentRequests
from indexvault.search.page import PageReader, document_line
from indexvault.search.query import DocumentQuery
from indexvault.search.retry import RetryPolicy
from indexvault.search.schema import read_schema
from indexvault.search.secret_scan import holds_secret, is_for_secrets, withheld_members, without_secrets
from indexvault.search.throttle import Throttle, Timer
from indexvault.search.transport import Transport
from indexvault.settings.load import load_settings, read_settings
from indexvault.settings.overlays import filled
from indexvault.settings.patterns import check_patterns, select
from indexvault.settings.policies import policies_covering, reading_order, retentions
from indexvault.settings.schedule import Schedule
from indexvault.snapshots.announcements import Announcement, SweepRecord, announced_chunks, is_being_swept
from indexvault.snapshots.catalogue import list_snapshots, read_manifest
from indexvault.snapshots.checksum import TRAILER_LENGTH, with_checksum
from indexvault.snapshots.chunks import Chunk, document_lines, key_reader, open_chunk
from indexvault.snapshots.field_diff import changed_fields, definition_differences
from indexvault.snapshots.generation import choose_generation
from indexvault.snapshots.history import chunk_of
from indexvault.snapshots.manifest import Definition, VersionedDefinition, open_manifest, seal
from indexvault.snapshots.names import (
    SERVICE_OBJECTS,
    SnapshotReference,
    manifest_name,
    parse_chunk_name,
    parse_manifest_name,
    parse_segment,
)
from indexvault.snapshots.pins import Pin, read_pins
from indexvault.snapshots.retention import Retention, decide
from indexvault.snapshots.run_names import (
    announcement_name,
    checkpoint_name,
    lock_name,
    move_name,
    pin_name,
    record_name,
    restore_name,
    reveal_name,
    run_of,
    sweep_name,
    tombstone_name,
    unfinished_name,
)
from indexvault.snapshots.service_manifest import read_service_manifest
from indexvault.snapshots.slices import Slice
from indexvault.snapshots.summary import from_metadata, summarise
from indexvault.snapshots.tombstones import Tombstone, read_tombstones
from indexvault.workflow.checkpoints import Checkpoints
from indexvault.workflow.failures import error_of as error_of_failure
from indexvault.workflow.lock import Holder, locked_error, read_holder
from indexvault.workflow.progress import ActivityProgress, read_progress
from indexvault.workflow.runs import RunRecord, Runs, cancelled, closed
from indexvault.workflow.unfinished import Unfinished, read_unfinished
from restore.moves import MoveRequest
from restore.restores import RestoreRequest
from tests.memory_store import MemoryStore
from tests.snapshots.samples import cut, documents, manifest_of
from tests.soak import fuzz_examples as examples
from tests.soak import fuzz_inputs as inputs

_ON = "fuzz"
_ID = "20261120T023000Z-7f3a9c"
_INDEX = IndexName("contoso-east", "hotels")
_REFERENCE = SnapshotReference(service=_INDEX.service, index=_INDEX.index, id=_ID)
_NOW = examples.NOW
_LINES = examples.LINES
_SCHEMA = read_schema(examples.DEFINITIONS[0], on=_ON)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A parser under test.

    `raises` are the errors that it may raise. `weight` is its share of the inputs against the others.
    """

    name: str
    draw: Callable[[random.Random], Any]
    use: Callable[[Any], None]
    raises: tuple[type[Exception], ...]
    weight: float = 1.0


@functools.cache
def _runner() -> asyncio.Runner:
    return asyncio.Runner()


def _wait[Found](coroutine: Awaitable[Found]) -> Found:
    async def run() -> Found:
        return await coroutine

    return _runner().run(run())


def _json(*given: list[bytes]) -> Callable[[random.Random], bytes]:
    every = [example for some in given for example in some]
    return lambda rng: inputs.damaged_json(rng, every)


def _text(given: list[str], *, surrogates: bool = False) -> Callable[[random.Random], str]:
    return lambda rng: inputs.damaged_text(rng, given, surrogates=surrogates)


# Answers of a search service


class _Response:
    """What the SDK's client returns: one answer, to be read as a stream."""

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.status_code = status
        self.headers = headers
        self._body = body

    async def __aenter__(self) -> "_Response":
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    async def read(self) -> bytes:
        return self._body


class _Client:
    """Stands in for the SDK's client: one answer for every request."""

    def __init__(self, response: _Response) -> None:
        self._response = response

    async def send_request(self, _request: object, *, stream: bool) -> _Response:
        assert stream
        return self._response


class _Service(SearchService):
    """A service that gives one answer to whatever it is asked."""

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        seconds = [0.0]

        async def sleep(wait: float) -> None:
            seconds[0] += wait

        timer = Timer(lambda: seconds[0], sleep)
        client: Any = _Client(_Response(status, headers, body))
        retry, rng = RetryPolicy(attempts=2), random.Random(1)
        transport = Transport(
            _ON, client, by_key=True, retry=retry, rng=rng, throttle=Throttle(None, timer), timer=timer
        )
        DocumentRequests.__init__(self, _ON, transport)


def _use_page(body: bytes) -> None:
    page = PageReader("HotelId").read(body, on=_ON)
    projection = Projection(_SCHEMA, readable(_SCHEMA))
    for document in page.documents:
        assert b"\n" not in document.line
        assert PageReader("HotelId").read(b'{"value":[%s]}' % document.line, on=_ON).documents[0].key == document.key
        with contextlib.suppress(UnexpectedAnswerError):
            projection.project(document.line)
    upload_batch(document.line for document in page.documents)
    for facets in page.facets.values():
        values = tuple(str(facet.value) for facet in facets)
        assert OneOf("f", values).clause or not values
        assert NoneOf("f", values, collection=True).clause


def _use_batch_answer(body: bytes) -> None:
    for result in read_batch_answer(body, on=_ON).results.values():
        assert len(result.error_message or "") <= 300


def _draw_answer(rng: random.Random) -> tuple[int, dict[str, str], bytes]:
    status = rng.choice((200, 200, 200, 200, 200, 400, 403, 404, 409, 413, 429, 500, 503, 302, 999))
    given = rng.choice((examples.PAGES, examples.STATISTICS, examples.ALIASES, examples.LISTS, examples.DEFINITIONS))
    body = _json(given if status == 200 else examples.ERRORS)(rng)
    if rng.random() < 0.1:
        body = inputs.damaged_text(rng, ["239", "\ufeff17"]).encode()
    return status, inputs.damaged_mapping(rng, [{"etag": '"1"', "retry-after": "3"}]), body


async def _ask(service: SearchService) -> None:
    ask: Callable[[], Awaitable[Any]]
    reader = PageReader("HotelId")
    fields = dict(_SCHEMA.walk())
    probe = ServiceIndexProbe(service, "hotels", "HotelId")
    partition = Partition()
    for ask in (
        lambda: service.count("hotels"),
        lambda: service.count_found("hotels", DocumentQuery(), reader),
        lambda: service.documents("hotels", DocumentQuery(), reader),
        lambda: service.document("hotels", "1"),
        lambda: service.index_documents("hotels", b"{}"),
        lambda: service.index_names(),
        lambda: service.index_definition("hotels"),
        lambda: service.index_statistics("hotels"),
        lambda: service.service_statistics(),
        lambda: service.knows_preview(),
        lambda: service.definitions("skillsets"),
        lambda: service.alias("live"),
        lambda: service.aliases(),
        lambda: probe.value_at(partition, "Rating", fields["Rating"], 1),
        lambda: probe.value_at(partition, "Address/City", fields["Address/City"], 1),
        lambda: probe.facets(partition, "Tags", 5),
    ):
        with contextlib.suppress(IndexvaultError):
            await ask()


def _use_answer(answer: tuple[int, dict[str, str], bytes]) -> None:
    _wait(_ask(_Service(*answer)))


def _use_definition(body: bytes) -> None:
    """Do with a definition what a backup and a restore do, once it has been read as one."""
    fetched = _wait(_Service(200, {}, body).index_definition("hotels")).body
    schema = read_schema(fetched, on=_ON)
    assert schema.no_key_order_reason is None or schema.no_key_order_reason
    schema.synonym_map_names()
    stripped = without_secrets(fetched)
    assert not holds_secret(stripped)
    for path in withheld_members(stripped):
        is_for_secrets(path)
    missing_paths(stripped)
    needed_paths(stripped)
    definition = Definition(stable=VersionedDefinition("2026-04-01", stripped))
    target = target_definition(definition, "inns")
    with_fields_shown(target)
    assert same_content(fetched, target.body) or stripped != fetched
    definition_differences(
        definition, Definition(VersionedDefinition("2026-04-01", msgspec.Raw(examples.DEFINITIONS[0])))
    )
    schema_changes(schema, _SCHEMA)
    with_retrievable(bytes(stripped), ["Rooms/Type"], retrievable=True)


def _use_objects(body: bytes) -> None:
    for each in _wait(_Service(200, {}, body).definitions("skillsets")):
        stripped = without_secrets(each.body)
        assert not holds_secret(stripped)
        for kind in ORDER:
            renamed(kind, stripped, Rules(["*=dr-*"]), "x")


# What a store holds


@functools.cache
def _sealed_manifests() -> list[bytes]:
    chunks = cut(documents(range(40)))
    stored = [msgspec.structs.replace(each.chunk, stored=7) for each in chunks]
    return [seal(manifest_of(stored, "0a" * 32)), seal(manifest_of([], "0" * 64))]


def _draw_manifest(rng: random.Random) -> bytes:
    damaged = _json(_sealed_manifests())(rng)
    # Whoever can write to the store can make a checksum that matches.
    return (
        damaged
        if rng.random() < 0.1
        else with_checksum(damaged[:-TRAILER_LENGTH] + b"}" if rng.random() < 0.5 else damaged)
    )


def _use_manifest(data: bytes) -> None:
    manifest = open_manifest(data, _ON)
    summary = summarise(manifest)
    msgspec.json.encode(view_snapshot(manifest, None))
    chunk_of(manifest, "hotel-00007")
    choose_generation([summary], None, _NOW)
    decide([summary], [Retention(hourly=1, weekly=1, yearly=1)], now=_NOW)
    Selection(["hotel-00007"]).chunks(manifest.chunks)
    for versioned in manifest.definition.versions:
        read_schema(versioned.body, on=_ON)
        missing_paths(versioned.body)
    target_definition(manifest.definition, "inns")


async def _read_stored(data: bytes, name: str, read: Callable[[MemoryStore], Awaitable[Any]]) -> Any:
    store = MemoryStore(clock=lambda: _NOW)
    await store.snapshots.create(name, data)
    await store.runs.put(name, data)
    return await read(store)


def _use_manifest_blob(data: bytes) -> None:
    async def read(store: MemoryStore) -> None:
        await list_snapshots(store.snapshots, None, None)
        await read_manifest(store.snapshots, _REFERENCE)

    _wait(_read_stored(data, manifest_name(_INDEX.service, _INDEX.index, _ID), read))


def _draw_service_manifest(rng: random.Random) -> bytes:
    damaged = _json(examples.SERVICE_MANIFESTS)(rng)
    return damaged if rng.random() < 0.05 else with_checksum(damaged)


def _use_service_manifest(data: bytes) -> None:
    async def read(store: MemoryStore) -> None:
        await list_snapshots(store.snapshots, None, None)
        reference = SnapshotReference(service=_INDEX.service, index=SERVICE_OBJECTS, id=_ID)
        manifest = await read_service_manifest(store.snapshots, reference)
        for each in manifest.objects:
            for version in each.definition.versions:
                missing_paths(version.body)
                renamed(each.kind, version.body, Rules(["*=dr-*"]), "x")

    _wait(_read_stored(data, manifest_name(_INDEX.service, SERVICE_OBJECTS, _ID), read))


@functools.cache
def _metadata() -> dict[str, str]:
    manifest = open_manifest(_sealed_manifests()[0], _ON)
    return examples.metadata_of(msgspec.structs.replace(summarise(manifest), id=_ID))


def _use_metadata(metadata: dict[str, str]) -> None:
    summary = from_metadata(_REFERENCE, metadata)
    if summary is not None:
        other = msgspec.structs.replace(summary, id="20261119T023000Z-7f3a9c", created=_NOW)
        decide([summary, other], [Retention(last=1, hourly=2, weekly=1, yearly=1)], now=_NOW)
        choose_generation([summary, other], None, _NOW)
        msgspec.json.encode(summary)


@functools.cache
def _sealed_chunk() -> tuple[Chunk, bytes]:
    from indexvault.snapshots.chunks import compress  # noqa: PLC0415 - only this target compresses

    sealed = cut(documents(range(20)), bits=14)[0]
    return sealed.chunk, compress(sealed.data)


def _draw_chunk(rng: random.Random) -> tuple[Chunk, bytes]:
    chunk, stored = _sealed_chunk()
    if rng.random() < 0.2:
        size = rng.choice((0, 1, chunk.bytes - 1, chunk.bytes + 1, 2**20, 2**31, 2**32, 2**63 - 1, 2**63, 2**64))
        chunk = msgspec.structs.replace(chunk, bytes=size)
    if rng.random() < 0.2:
        data = inputs.damaged_bytes(rng, [b"\n".join(_LINES) + b"\n"])
        stored = stored[:10] + inputs.gzip.compress(data, mtime=0)[10:]
        digest = hashlib.sha256(data).hexdigest()
        return Chunk(digest, chunk.first, chunk.last, data.count(b"\n"), len(data), len(stored)), stored
    return chunk, inputs.damaged_gzip(rng, stored)


def _use_chunk(given: tuple[Chunk, bytes]) -> None:
    chunk, stored = given
    data = open_chunk(chunk, stored, _ON)
    assert len(data) == chunk.bytes
    document_lines(data)


def _draw_lines(rng: random.Random) -> tuple[bytes, bytes]:
    """Return two documents of which one is damaged, each a JSON object with its key, on one line."""
    line = inputs.damaged_json(rng, _LINES).replace(b"\n", b" ").replace(b"\r", b" ")
    return line, rng.choice(_LINES)


def _use_lines(given: tuple[bytes, bytes]) -> None:
    line, other = given
    # A document is what a page or a folder let through.
    page = PageReader("HotelId").read(b'{"value":[%s]}' % line, on=_ON)
    for document in page.documents:
        key_reader("HotelId")(document.line)
        same_document(document.line, other, _SCHEMA)
        same_document(other, document.line, _SCHEMA)
        changed_fields(document.line, other)
        Projection(_SCHEMA, readable(_SCHEMA)).project(document.line)
        document_line(document.line)


# Records of runs


def _one(kind: type[Any], name: str, read: Callable[[MemoryStore], Awaitable[Any]]) -> tuple[type[Any], str, Any]:
    return kind, name, read


async def _read_lock(store: MemoryStore) -> None:
    holder = await read_holder(store.runs, _INDEX)
    if holder is not None:
        assert (holder.expires > _NOW) in {True, False}
        str(locked_error(_INDEX, holder))


async def _read_run(store: MemoryStore) -> None:
    record = await Runs(store.runs).read("run-1")
    assert record is not None
    msgspec.json.encode(view_run(record, {}, _NOW))
    closed(record, _NOW)
    msgspec.json.encode(cancelled(record, _NOW))


async def _read_progress(store: MemoryStore) -> None:
    other = checkpoint_name("run-1", "progress-other")
    await store.runs.put(other, msgspec.json.encode(ActivityProgress(_NOW, {})))
    await read_progress([store.runs], "run-1")


async def _read_restore(store: MemoryStore) -> None:
    found = await restore_state.read_restore_state(store.runs, _INDEX)
    if found is not None:
        str(restore_state.unfinished(found, _INDEX))
        assert found.marked


async def _read_move(store: MemoryStore) -> None:
    found = await read_move_state(store.runs, _INDEX)
    if found is not None:
        str(other_move(found))


async def _read_reveals(store: MemoryStore) -> None:
    async for reveal in RevealRecords(store.runs).all():
        with_retrievable(bytes(reveal.definition.stable.body), reveal.fields, retrievable=False)


async def _read_sweep(store: MemoryStore) -> None:
    await is_being_swept(store.runs, _INDEX.service, _INDEX.index, _NOW)


async def _read_announcements(store: MemoryStore) -> None:
    await announced_chunks(store.runs, _INDEX.service, _INDEX.index, _NOW)


async def _read_tombstones(store: MemoryStore) -> None:
    for tombstone in (await read_tombstones(store.runs, _INDEX.service, _INDEX.index)).values():
        assert (_NOW - tombstone.removed).days < 10**9


def _checkpoint(kind: type[Any]) -> tuple[type[Any], str, Any]:
    return kind, checkpoint_name("run-1", "part"), lambda store: Checkpoints(store.runs, "run-1").read("part", kind)


_PLACE = (_INDEX.service, _INDEX.index)
_RECORDS: tuple[tuple[type[Any], str, Any], ...] = (
    _one(Holder, lock_name(*_PLACE), _read_lock),
    _one(RunRecord, record_name("run-1"), _read_run),
    _one(ActivityProgress, checkpoint_name("run-1", "progress-x"), _read_progress),
    _one(restore_state.RestoreState, restore_name(*_PLACE), _read_restore),
    _one(MoveState, move_name(*_PLACE), _read_move),
    _one(
        ServiceRestoreState,
        restore_name(_INDEX.service, SERVICE_OBJECTS),
        lambda store: read_service_restore_state(store.runs, _INDEX.service),
    ),
    _one(Reveal, reveal_name(*_PLACE), _read_reveals),
    _one(Unfinished, unfinished_name(*_PLACE), lambda store: read_unfinished(store.runs, _INDEX)),
    _one(Pin, pin_name(*_PLACE, _ID), lambda store: read_pins(store.runs, *_PLACE)),
    _one(Tombstone, tombstone_name(*_PLACE, _ID), _read_tombstones),
    _one(Announcement, announcement_name(*_PLACE, _ID), _read_announcements),
    _one(SweepRecord, sweep_name(*_PLACE), _read_sweep),
    *map(
        _checkpoint,
        (
            restore_state.RestorePlan,
            restore_state.TargetIndex,
            restore_state.LoadCheckpoint,
            restore_state.Hiding,
            backup_state.Plan,
            backup_state.PlanHeader,
            backup_state.ScannedRange,
            backup_state.CollectedPartition,
            backup_state.SnapshotIdentity,
            backup_state.StartedOver,
        ),
    ),
)


def _draw_record(rng: random.Random) -> tuple[int, bytes]:
    at = rng.randrange(len(_RECORDS))
    return at, inputs.damaged_json(rng, [examples.example_of(_RECORDS[at][0], rng)])


def _use_record(given: tuple[int, bytes]) -> None:
    at, data = given
    _kind, name, read = _RECORDS[at]
    _wait(_read_stored(data, name, read))


def _use_failure(text: str) -> None:
    str(error_of_failure(FailureDetails(text, "indexvault.x.ActivityFailedError", None)))


# Settings


def _use_settings(text: bytes) -> None:
    settings = read_settings(text)
    for service in settings.services:
        policies_covering(settings, service, "hotels")
        retentions(settings, service, "hotels")
        reading_order(settings, service)


def _use_settings_text(text: str) -> None:
    load_settings({"INDEXVAULT_CONFIG": text if text.strip().startswith("{") else "/nonexistent/" + text})


def _draw_settings_text(rng: random.Random) -> str:
    return inputs.damaged_text(rng, [example.decode() for example in examples.SETTINGS], surrogates=True)


def _use_overlay(text: bytes) -> None:
    settings = read_settings(b'{"stores":{},"services":{},"overlays":{"w":%s}}' % text)
    for overlay in settings.overlays.values():
        filled(overlay, {"WEST": "secret", "KEY": "secret"}, _ON)


_OVERLAYS = [msgspec.json.encode(each) for each in msgspec.json.decode(examples.SETTINGS[0])["overlays"].values()]


def _draw_patterns(rng: random.Random) -> list[str]:
    return [_text(examples.PATTERNS)(rng) for _ in range(rng.choice((0, 1, 2, 5, 200)))]


def _use_patterns(patterns: list[str]) -> None:
    check_patterns(patterns, on=_ON)
    select(["hotels", "h" * 128, "tmp-1", "ho-te-l" * 18], patterns)


def _use_schedule(text: str) -> None:
    schedule = Schedule(text, on=_ON)
    assert schedule.last(_NOW) <= _NOW


# Requests


def _use_backup_request(body: bytes) -> None:
    asked = decode_body(body, BackupRequest)
    try:
        check_patterns(asked.indexes, on="body.indexes")
    except SettingsError as error:
        problem_of(error)
    select(["hotels"], asked.indexes)


def _use_restore_request(body: bytes) -> None:
    asked = decode_body(body, RestoreRequest)
    with blame_members("patch", "filter", "keys"):
        selection = Selection(asked.keys, asked.filter)
        patch = None if asked.patch is None else patch_text(asked.patch)
        for line in _LINES:
            selection.takes("1", line)
        if patch is not None:
            target_definition(_definition(), "inns", patch)
    with contextlib.suppress(IndexvaultError):
        read_reference(asked.snapshot)


def _use_move_request(body: bytes) -> None:
    asked = decode_body(body, MoveRequest)
    with blame_members("patch"):
        if asked.patch is not None:
            target_definition(_definition(), "inns", patch_text(asked.patch))


def _definition() -> Definition:
    return Definition(VersionedDefinition("2026-04-01", msgspec.Raw(examples.DEFINITIONS[0])))


def _use_parameters(given: tuple[int, dict[str, str]]) -> None:
    at, members = given
    kind: type[Any] = (RunsQuery, RunPath, SnapshotsQuery, SnapshotPath, SnapshotQuery)[at]
    decoded = decode_members(members, kind, "query")
    if isinstance(decoded, SnapshotPath):
        with contextlib.suppress(IndexvaultError):
            read_reference(f"{decoded.service}/{decoded.index}@{decoded.id}")


def _draw_parameters(rng: random.Random) -> tuple[int, dict[str, str]]:
    return rng.randrange(5), inputs.damaged_mapping(rng, examples.PARAMETERS, surrogates=True)


# What a person types


def _use_name(text: str) -> None:
    for read in (parse_manifest_name, parse_segment, parse_chunk_name, run_of):
        found: Any = read(text)  # type: ignore[operator]  # each takes a text
        assert found is None or str(found)
    for parse_text in (SnapshotReference.parse, service_and_index, index_or_snapshot, Slice.parse, _address):
        with contextlib.suppress(SettingsError):
            str(parse_text(text))


def _address(text: str) -> Address:
    return address_of(text, "key", {})


def _draw_filter(rng: random.Random) -> str:
    text = inputs.expression(rng) if rng.random() < 0.6 else inputs.damaged_text(rng, examples.FILTERS)
    return text[:2_000]


def _use_filter(text: str) -> None:
    selection = Selection((), text)
    for line in _LINES:
        selection.takes("1", line)


def _use_patch(text: bytes) -> None:
    patch = text.decode(errors="replace")
    read_patch(patch)
    target_definition(_definition(), "inns", patch)


def _use_rule(text: str) -> None:
    rules = Rules([text])
    for kind in ("indexes", "synonymmaps"):
        rules.name(kind, "hotels" + "o" * 200)


class _Terminal(io.TextIOWrapper):
    """A stream that takes what a terminal takes: UTF-8 on stdout, anything on stderr."""

    def __init__(self, errors: str) -> None:
        super().__init__(io.BytesIO(), encoding="utf-8", errors=errors)


def _use_arguments(words: list[str]) -> None:
    with contextlib.redirect_stdout(_Terminal("strict")), contextlib.redirect_stderr(_Terminal("backslashreplace")):
        try:
            parsed = parse(words)
        except SystemExit as ended:
            assert ended.code in {0, 2}
            return
    load_command(parsed.verb).read_request(parsed)


def _draw_folder(rng: random.Random) -> dict[str, bytes]:
    files = dict(examples.FOLDER)
    name = rng.choice([*files])
    if name == "documents.jsonl" and rng.random() < 0.7:
        files[name] = b"\n".join([*_LINES, inputs.damaged_json(rng, _LINES)])
    else:
        files[name] = (
            inputs.damaged_json(rng, [files[name]])
            if name != "documents.jsonl"
            else inputs.damaged_bytes(rng, [files[name]])
        )
    if rng.random() < 0.1:
        files[f"synonym-maps/{rng.choice(('=C3=B4', '=FF', 'a b', '=', 'x=2'))}.json"] = b"{}"
    if rng.random() < 0.1:
        del files[rng.choice([*files])]
    return files


def _use_folder(files: dict[str, bytes]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "synonym-maps").mkdir()
        for file, data in files.items():
            (folder / file).write_bytes(data)
        importer = Importer(MemoryStore(), clock=lambda: _NOW, rng=random.Random(1), report=lambda _update: None)
        _wait(importer.import_folder(folder, _INDEX, run="run-1"))


def _use_secrets(text: bytes) -> None:
    """Scan what was decoded before as a definition: JSON of an object."""
    read_settings_error = _wait(_Service(200, {}, text).definition("skillsets", "x"))
    stripped = without_secrets(read_settings_error.body)
    assert not holds_secret(stripped)


# Answers of a deployment


def _draw_deployment(rng: random.Random) -> tuple[int, bytes]:
    from indexvault.api.run_views import RunList, RunView  # noqa: PLC0415 - only this target needs them
    from indexvault.api.snapshot_views import SnapshotView  # noqa: PLC0415 - the same

    status = rng.choice((200, 200, 200, 202, 301, 401, 403, 404, 409, 422, 429, 500, 503, 777))
    if status < 300:
        return status, inputs.damaged_json(
            rng, [examples.example_of(rng.choice((RunView, RunList, SnapshotView)), rng)]
        )
    return status, _json(examples.ERRORS)(rng)


def _use_deployment(given: tuple[int, bytes]) -> None:
    from indexvault.api.run_views import RunList, RunView  # noqa: PLC0415 - only this target needs them
    from indexvault.api.snapshot_views import SnapshotList, SnapshotView  # noqa: PLC0415 - the same
    from indexvault.restore.report import RestoreReport  # noqa: PLC0415 - the same

    status, data = given
    str(error_of(status, data, _ON))
    deployment = Deployment(Address("https://x.example", "k"), rng=random.Random(1))
    for kind in (RunView, RunList, SnapshotView, SnapshotList):
        with contextlib.suppress(IndexvaultError):
            reply = deployment._decode(DeploymentAnswer("GET x", status, data, None), kind)
            if isinstance(reply.content, RunView):
                report_of(reply.content, RestoreReport)


_ANY = (IndexvaultError,)
TARGETS: tuple[Target, ...] = (
    Target(name="page", draw=_json(examples.PAGES), use=_use_page, raises=(UnexpectedAnswerError,)),
    Target(
        name="batch-answer", draw=_json(examples.BATCH_ANSWERS), use=_use_batch_answer, raises=(UnexpectedAnswerError,)
    ),
    Target(name="answer", draw=_draw_answer, use=_use_answer, raises=_ANY),
    Target(name="definition", draw=_json(examples.DEFINITIONS), use=_use_definition, raises=_ANY),
    Target(name="definitions", draw=_json(examples.LISTS), use=_use_objects, raises=_ANY),
    Target(name="secrets", draw=_json(examples.DEFINITIONS), use=_use_secrets, raises=_ANY),
    Target(name="document", draw=_draw_lines, use=_use_lines, raises=_ANY),
    Target(name="manifest", draw=_draw_manifest, use=_use_manifest, raises=_ANY),
    Target(name="manifest-blob", draw=_draw_manifest, use=_use_manifest_blob, raises=_ANY),
    Target(name="service-manifest", draw=_draw_service_manifest, use=_use_service_manifest, raises=_ANY),
    Target(
        name="metadata",
        draw=lambda rng: inputs.damaged_mapping(rng, [_metadata()], surrogates=True),
        use=_use_metadata,
        raises=(),
    ),
    Target(name="chunk", draw=_draw_chunk, use=_use_chunk, raises=(IntegrityError,)),
    Target(name="record", draw=_draw_record, use=_use_record, raises=(IntegrityError,), weight=2),
    Target(name="failure", draw=_text(examples.FAILURES, surrogates=True), use=_use_failure, raises=()),
    Target(name="settings", draw=_json(examples.SETTINGS), use=_use_settings, raises=(SettingsError,)),
    Target(name="settings-text", draw=_draw_settings_text, use=_use_settings_text, raises=(SettingsError,), weight=0.5),
    Target(name="overlay", draw=_json(_OVERLAYS), use=_use_overlay, raises=(SettingsError,)),
    Target(name="patterns", draw=_draw_patterns, use=_use_patterns, raises=(SettingsError,), weight=0.5),
    Target(name="schedule", draw=_text(examples.SCHEDULES), use=_use_schedule, raises=(SettingsError,)),
    Target(
        name="backup-request", draw=_json(examples.BACKUP_REQUESTS), use=_use_backup_request, raises=(RequestError,)
    ),
    Target(
        name="restore-request", draw=_json(examples.RESTORE_REQUESTS), use=_use_restore_request, raises=(RequestError,)
    ),
    Target(name="move-request", draw=_json(examples.MOVE_REQUESTS), use=_use_move_request, raises=(RequestError,)),
    Target(name="parameters", draw=_draw_parameters, use=_use_parameters, raises=(RequestError,)),
    Target(name="name", draw=_text(examples.REFERENCES, surrogates=True), use=_use_name, raises=(), weight=2),
    Target(name="filter", draw=_draw_filter, use=_use_filter, raises=(SettingsError,), weight=2),
    Target(name="patch", draw=_json(examples.PATCHES), use=_use_patch, raises=(SettingsError,)),
    Target(name="rule", draw=_text(examples.RULES), use=_use_rule, raises=(SettingsError,), weight=0.5),
    Target(
        name="arguments",
        draw=lambda rng: inputs.damaged_arguments(rng, examples.ARGUMENTS),
        use=_use_arguments,
        raises=_ANY,
        weight=0.3,
    ),
    Target(name="folder", draw=_draw_folder, use=_use_folder, raises=_ANY, weight=0.3),
    Target(name="deployment", draw=_draw_deployment, use=_use_deployment, raises=_ANY),
)
