import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from indexvault.cli.commands.backup import BackupRequest
from indexvault.cli.commands.check import CheckRequest
from indexvault.cli.commands.restore import RestoreRequest
from indexvault.cli.commands.show import ShowRequest
from indexvault.cli.commands.snapshots import SnapshotsRequest
from indexvault.cli.parser import parse
from indexvault.cli.verbs import VERBS, load_command
from indexvault.errors import SettingsError
from indexvault.search.transport import PREVIEW, STABLE
from indexvault.settings.model import ChangesSettings
from indexvault.snapshots.manifest import FORMAT
from indexvault.snapshots.names import SnapshotReference
from indexvault.version import VERSION

NOTES = SnapshotReference(service="contoso-east", index="notes")
NOT_FOR_HELP = ("aiohttp", "azure", "durabletask", "grpc", "msgspec", "rich")


def request_of(*arguments: str) -> Any:
    parsed = parse(arguments)
    return load_command(parsed.verb).read_request(parsed)


def test_backup_takes_each_index_once() -> None:
    request = request_of("backup", "contoso-east", "notes", "letters", "notes", "--parallel", "7")
    assert request == BackupRequest(service="contoso-east", indexes=("notes", "letters"), parallel=7)


def test_backup_reads_by_changes_if_a_field_is_named() -> None:
    asked = request_of("backup", "contoso-east/notes", "--changes", "changed", "--prove-every", "P1D")
    assert asked.changes == ChangesSettings(field="changed", prove_every=timedelta(days=1))
    asked = request_of("backup", "contoso-east", "--changes", "changed", "--changes-margin", "PT0S")
    assert asked.changes == ChangesSettings(field="changed", margin=timedelta())
    for wrong in (
        ["--changes", "a b"],
        ["--changes-margin", "PT5M"],
        ["--prove-every", "P1D"],
        ["--changes", "changed", "--prove-every", "PT1M"],
    ):
        with pytest.raises(SettingsError):
            request_of("backup", "contoso-east", *wrong)


def test_indexes_and_snapshots_are_read() -> None:
    assert request_of("snapshots") == SnapshotsRequest(service=None, index=None)
    assert request_of("snapshots", "contoso-east") == SnapshotsRequest(service="contoso-east", index=None)
    assert request_of("show", "contoso-east/notes@latest") == ShowRequest(snapshot=NOTES)
    assert request_of("check") == CheckRequest()
    restore = request_of("restore", "contoso-east/notes@latest", "--to", "contoso-west/copy", "--accept-loss")
    assert isinstance(restore, RestoreRequest)
    assert (restore.snapshot, restore.service, restore.index) == (NOTES, "contoso-west", "copy")


def test_common_options_stand_before_or_after_the_verb() -> None:
    for arguments in (["--json", "check"], ["check", "--json"]):
        assert parse(arguments).json is True
    assert parse(["--log-level", "debug", "check"]).log_level == "debug"
    for option, member in (("--url", "url"), ("--key", "function_key"), ("--config", "config")):
        for arguments in ([option, "x", "restore"], ["restore", option, "x"]):
            assert getattr(parse([*arguments, "a/b@latest", "--to", "c"]), member) == "x"
    for arguments in (["--quiet", "check"], ["check", "--quiet"]):
        assert parse(arguments).quiet is True
    plain = parse(["check"])
    assert (plain.json, plain.quiet, plain.log_level) == (False, False, "warning")
    assert (plain.url, plain.function_key, plain.config) == (None, None, None)


@pytest.mark.parametrize(
    ("asked", "usage"), [(["help"], "usage: indexvault [options] VERB"), (["help", "pin"], "usage: indexvault pin ")]
)
def test_help_is_a_verb_too(asked: list[str], usage: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as result:
        parse(asked)
    assert result.value.code == 0
    assert capsys.readouterr().out.startswith(usage)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "the following arguments are required: VERB"),
        (["bakup"], "argument VERB: there is no 'bakup'; did you mean 'backup'? "),
        (["zzz"], "argument VERB: there is no 'zzz'; known: backup, snapshots, "),
        (["restore", "a/b@latest", "--to", "c", "--mode", "sinc"], "there is no 'sinc'; did you mean 'sync'?"),
        (["backup"], "the following arguments are required: SERVICE[/INDEX]. "),
        (["restore", "contoso-east/notes@latest"], "the following arguments are required: --to"),
        (["backup", "contoso-east", "--parallel", "0"], "'0' is no number from 1 to 32"),
        (["check", "--log-level", "loud"], "there is no 'loud'; known: debug, info, "),
    ],
)
def test_usage_is_one_line_and_code_2(arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as result:
        parse(arguments)
    assert result.value.code == 2
    printed = capsys.readouterr().err
    assert printed.startswith("indexvault: ")
    assert printed.count("\n") == 1
    assert complaint in printed


@pytest.mark.parametrize("text", ["contoso-east/", "/notes", "contoso-east/a/b", "contoso-east/notes@latest", ""])
def test_what_is_no_service_or_index_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="not SERVICE or SERVICE/INDEX"):
        request_of("snapshots", text)


def test_help_names_every_verb_and_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(["--help"])
    printed = capsys.readouterr().out
    for word in (
        "backup",
        "snapshots",
        "show",
        "verify",
        "restore",
        "check",
        "130 cancelled",
        "INDEXVAULT_CONFIG",
        "INDEXVAULT_KEY",
    ):
        assert word in printed


LIST_MODULES = """
import sys
from indexvault.cli.main import main
try:
    main()
except SystemExit:
    print(*sys.modules, file=sys.stderr)
"""


def modules_after(*arguments: str) -> set[str]:
    """Return the modules that a process has imported when a command line that ends with its help has ended."""
    result = subprocess.run(  # noqa: S603 - the command under test
        [sys.executable, "-c", LIST_MODULES, *arguments], capture_output=True, text=True, check=True
    )
    return set(result.stderr.split())


@pytest.mark.parametrize(("option", "loads"), [("--help", set()), ("--version", {"msgspec"})])
def test_help_and_version_load_no_library(option: str, loads: set[str]) -> None:
    """The version tells the format as the module says that writes it, and that is made with msgspec."""
    modules = modules_after(option)
    assert "indexvault.cli.parser" in modules
    assert {module.partition(".")[0] for module in modules}.intersection(NOT_FOR_HELP) == loads


def test_version_tells_the_format_and_the_api_versions(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.splitlines() == [
        f"indexvault {VERSION}",
        f"format of snapshots: {FORMAT}",
        f"api-versions of Azure AI Search: {STABLE}, {PREVIEW}",
    ]
    with pytest.raises(SystemExit):
        parse(["--json", "--version"])
    assert json.loads(capsys.readouterr().out) == {
        "event": "version",
        "version": VERSION,
        "format": FORMAT,
        "api_versions": [STABLE, PREVIEW],
    }


def test_help_of_a_verb_loads_no_other_verb_and_no_engine() -> None:
    modules = modules_after("pin", "--help")
    assert {verb for verb in VERBS if f"indexvault.cli.commands.{verb}" in modules} == {"pin"}
    assert not modules.intersection({"aiohttp", "grpc", "indexvault.workflow.local", "indexvault.backup"})


def test_every_verb_is_in_the_table_and_has_a_run() -> None:
    modules = {path.stem for path in (Path(__file__).parents[2] / "indexvault/cli/commands").glob("*.py")} - {
        "__init__"
    }
    for verb in VERBS:
        command = load_command(verb)
        assert command.description
        assert command.run or command.run_remotely or command.run_without_settings
    siblings = {
        "backup_dry_run",
        "backup_remote",
        "restore_remote",
        "restore_service",
        "compare_print",
        "compare_services",
    }
    assert modules - siblings == set(VERBS)


@pytest.mark.parametrize("arguments", [["--json", "nonsense"], ["snapshots", "--json", "--nonsense"], ["--json"]])
def test_with_json_a_wrong_command_line_is_a_record_too(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(arguments)
    assert ended.value.code == 2
    told = json.loads(capsys.readouterr().err)
    assert (told["event"], told["exit_code"]) == ("error", 2)
    assert "--help" in told["do"]
