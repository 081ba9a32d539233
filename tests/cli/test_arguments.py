import pytest

from indexvault.cli.arguments import parse, request_of
from indexvault.cli.requests import BackupRequest, CheckRequest, RestoreRequest, ShowRequest, SnapshotsRequest
from indexvault.errors import SettingsError
from indexvault.snapshots.names import SnapshotReference

NOTES = SnapshotReference(service="contoso-east", index="notes")


def test_backup_takes_each_index_once() -> None:
    given = parse(["backup", "contoso-east", "notes", "letters", "notes", "--parallel", "7"])
    assert request_of(given) == BackupRequest(service="contoso-east", indexes=("notes", "letters"), parallel=7)


def test_places_and_snapshots_are_read() -> None:
    assert request_of(parse(["snapshots"])) == SnapshotsRequest(service=None, index=None)
    assert request_of(parse(["snapshots", "contoso-east"])) == SnapshotsRequest(service="contoso-east", index=None)
    assert request_of(parse(["show", "contoso-east/notes@latest"])) == ShowRequest(snapshot=NOTES)
    assert request_of(parse(["check"])) == CheckRequest()
    restore = request_of(parse(["restore", "contoso-east/notes@latest", "--to", "contoso-west/copy", "--accept-loss"]))
    assert isinstance(restore, RestoreRequest)
    assert (restore.snapshot, restore.service, restore.index) == (NOTES, "contoso-west", "copy")


def test_common_options_stand_before_or_after_the_verb() -> None:
    for arguments in (["--json", "check"], ["check", "--json"]):
        assert parse(arguments).json is True
    assert parse(["--log-level", "debug", "check"]).log_level == "debug"
    for arguments in (["--url", "https://x", "check"], ["check", "--url", "https://x"]):
        assert parse(arguments).url == "https://x"
    assert (parse(["check"]).json, parse(["check"]).log_level) == (False, "warning")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "the following arguments are required: VERB"),
        (["bakup"], "invalid choice: 'bakup'"),
        (["backup"], "the following arguments are required: SERVICE. "),
        (["restore", "contoso-east/notes@latest"], "the following arguments are required: --to"),
        (["backup", "contoso-east", "--parallel", "0"], "'0' is no number from 1 to 32"),
        (["check", "--log-level", "loud"], "invalid choice: 'loud'"),
    ],
)
def test_usage_is_one_line_and_code_2(arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(arguments)
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith("indexvault: ")
    assert said.count("\n") == 1
    assert complaint in said


@pytest.mark.parametrize("place", ["contoso-east/", "/notes", "contoso-east/a/b", "contoso-east/notes@latest", ""])
def test_place_that_is_none_is_refused(place: str) -> None:
    with pytest.raises(SettingsError, match="not SERVICE or SERVICE/INDEX"):
        request_of(parse(["snapshots", place]))


def test_help_names_every_verb_and_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(["--help"])
    said = capsys.readouterr().out
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
        assert word in said
