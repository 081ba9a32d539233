"""Targets of the fuzzer: what people write: settings, requests, command lines, folders."""

import contextlib
import functools
import io
import random
import tempfile
from pathlib import Path
from typing import Any

import msgspec

from backup.backups import BackupRequest
from indexvault.api.decode import blame_members, decode_body, decode_members
from indexvault.api.problems import problem_of
from indexvault.api.restore_requests import RestoreRequest
from indexvault.api.runs import RunPath, RunsQuery
from indexvault.api.snapshots import SnapshotPath, SnapshotQuery, SnapshotsQuery, read_reference
from indexvault.backup.import_folder import Importer
from indexvault.cli.parser import parse
from indexvault.cli.references import index_or_snapshot, service_and_index
from indexvault.cli.remote.address import Address, address_of
from indexvault.cli.verbs import VERBS, load_command
from indexvault.errors import (
    IndexvaultError,
    RequestError,
    SettingsError,
)
from indexvault.model import IndexName
from indexvault.restore.definition import target_definition
from indexvault.restore.patch import patch_text, read_patch
from indexvault.restore.selection import Selection
from indexvault.restore.service.names import Rules
from indexvault.settings.load import read_settings
from indexvault.settings.overlays import filled
from indexvault.settings.patterns import check_patterns, select
from indexvault.settings.policies import policies_covering, reading_order, retentions
from indexvault.settings.schedule import Schedule
from indexvault.settings.source import load_settings
from indexvault.snapshots.manifest import Definition, VersionedDefinition
from indexvault.snapshots.names import (
    SnapshotReference,
    parse_manifest_name,
    parse_pack_name,
    parse_segment,
)
from indexvault.snapshots.run_names import (
    run_of,
)
from indexvault.snapshots.slices import Slice
from restore.moves import MoveRequest
from tests.memory_store import MemoryStore
from tests.soak import fuzz_examples as examples
from tests.soak import fuzz_inputs as inputs
from tests.soak.fuzz_target import Target, json_like, text_like, wait

_ON = "fuzz"
_INDEX = IndexName("contoso-east", "hotels")
_NOW = examples.NOW
_LINES = examples.LINES


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
    return [text_like(examples.PATTERNS)(rng) for _ in range(rng.choice((0, 1, 2, 5, 200)))]


def _use_patterns(patterns: list[str]) -> None:
    check_patterns(patterns, on=_ON)
    select(["hotels", "h" * 128, "tmp-1", "ho-te-l" * 18], patterns)


def _use_schedule(text: str) -> None:
    schedule = Schedule(text, on=_ON)
    assert schedule.last(_NOW) <= _NOW


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


def _use_name(text: str) -> None:
    for read in (parse_manifest_name, parse_segment, parse_pack_name, run_of):
        found: Any = read(text)
        assert found is None or str(found)
    for parse_text in (SnapshotReference.parse, service_and_index, index_or_snapshot, Slice.parse, _address):
        with contextlib.suppress(SettingsError):
            str(parse_text(text))


def _address(text: str) -> Address:
    return address_of(text, "key", {})


def _draw_filter(rng: random.Random) -> str:
    if rng.random() < 0.02:  # each pipe doubles what the next one gets
        pipes = 26 if rng.random() < 0.02 else rng.choice((2, 8, 14))
        return " | ".join(["[@, @]"] * pipes + [rng.choice(("to_string(@)", "[][]", "length(@)"))])
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


@functools.cache
def _load_commands() -> None:
    for verb in VERBS:
        load_command(verb)


class _Terminal(io.TextIOWrapper):
    """A stream that takes what a terminal takes: UTF-8 on stdout, anything on stderr."""

    def __init__(self, errors: str) -> None:
        super().__init__(io.BytesIO(), encoding="utf-8", errors=errors)


def _use_arguments(words: list[str]) -> None:
    _load_commands()  # importing them is no part of any input's time
    with contextlib.redirect_stdout(_Terminal("strict")), contextlib.redirect_stderr(_Terminal("backslashreplace")):
        try:
            parsed = parse(words)
        except SystemExit as ended:
            if ended.code not in {0, 2}:
                raise
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
        wait(importer.import_folder(folder, _INDEX, run="run-1"))


TYPED: tuple[Target, ...] = (
    Target(name="settings", draw=json_like(examples.SETTINGS), use=_use_settings, raises=(SettingsError,)),
    Target(name="settings-text", draw=_draw_settings_text, use=_use_settings_text, raises=(SettingsError,), weight=0.5),
    Target(name="overlay", draw=json_like(_OVERLAYS), use=_use_overlay, raises=(SettingsError,)),
    Target(name="patterns", draw=_draw_patterns, use=_use_patterns, raises=(SettingsError,), weight=0.5),
    Target(name="schedule", draw=text_like(examples.SCHEDULES), use=_use_schedule, raises=(SettingsError,)),
    Target(
        name="backup-request", draw=json_like(examples.BACKUP_REQUESTS), use=_use_backup_request, raises=(RequestError,)
    ),
    Target(
        name="restore-request",
        draw=json_like(examples.RESTORE_REQUESTS),
        use=_use_restore_request,
        raises=(RequestError,),
    ),
    Target(name="move-request", draw=json_like(examples.MOVE_REQUESTS), use=_use_move_request, raises=(RequestError,)),
    Target(name="parameters", draw=_draw_parameters, use=_use_parameters, raises=(RequestError,)),
    Target(name="name", draw=text_like(examples.REFERENCES, surrogates=True), use=_use_name, raises=(), weight=2),
    Target(name="filter", draw=_draw_filter, use=_use_filter, raises=(SettingsError,), weight=2),
    Target(name="patch", draw=json_like(examples.PATCHES), use=_use_patch, raises=(SettingsError,)),
    Target(name="rule", draw=text_like(examples.RULES), use=_use_rule, raises=(SettingsError,), weight=0.5),
    Target(
        name="arguments",
        draw=lambda rng: inputs.damaged_arguments(rng, examples.ARGUMENTS),
        use=_use_arguments,
        raises=(IndexvaultError,),
        weight=0.3,
    ),
    Target(name="folder", draw=_draw_folder, use=_use_folder, raises=(IndexvaultError,), weight=0.3),
)
