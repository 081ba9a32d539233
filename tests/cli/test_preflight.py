"""The patch that a dry run offers: written to a new file, as it is given to --patch."""

import io
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from indexvault.cli.output import Output
from indexvault.cli.preflight import add_write_patch, read_write_patch, write_patch
from indexvault.errors import SettingsError
from indexvault.restore.checks import Check, Findings, offered_patch
from indexvault.restore.patch import combined, patch_between, patched

NEEDED = {"similarity": {"@odata.type": "#Microsoft.Azure.Search.BM25Similarity"}}


def findings(patch: dict[str, Any] | None) -> Findings:
    return Findings(resumes=None, documents=0, bytes=0, requests=0, seconds=0, checks=[], patch=patch)


def output() -> tuple[Output, io.StringIO]:
    stdout = io.StringIO()
    return Output(as_json=False, stdout=stdout, stderr=io.StringIO()), stdout


def test_the_patch_is_written_to_a_file_for_the_restore(tmp_path: Path) -> None:
    shown, stdout = output()
    file = tmp_path / "patch.json"
    write_patch(findings(NEEDED), file, shown)
    assert msgspec.json.decode(file.read_bytes()) == NEEDED
    assert "--patch" in stdout.getvalue()


def test_an_existing_file_stays(tmp_path: Path) -> None:
    file = tmp_path / "patch.json"
    file.write_text("mine")
    with pytest.raises(SettingsError, match="does not exist"):
        write_patch(findings(NEEDED), file, output()[0])
    assert file.read_text() == "mine"


def test_nothing_is_written_where_no_patch_is_needed(tmp_path: Path) -> None:
    shown, stdout = output()
    write_patch(findings(None), tmp_path / "patch.json", shown)
    assert list(tmp_path.iterdir()) == []
    assert "no patch is needed" in stdout.getvalue()


def test_only_a_dry_run_writes_a_patch() -> None:
    parser = ArgumentParser()
    add_write_patch(parser)
    arguments = parser.parse_args(["--write-patch", "p.json"])
    assert read_write_patch(Namespace(**vars(arguments), dry_run=True)) == Path("p.json")
    with pytest.raises(SettingsError, match="--dry-run"):
        read_write_patch(Namespace(**vars(arguments), dry_run=False))


def test_the_offered_patch_unites_the_request_s_own_with_all_that_failed_checks_need() -> None:
    found = [
        Check("similarity", "failed", "", patch=NEEDED),
        Check("encryption", "failed", "", patch={"encryptionKey": None}),
        Check("name", "failed", ""),
        Check("api_version", "warning", "", patch={"purviewEnabled": None}),
    ]
    asked = '{"fields":{"old":null}}'
    assert offered_patch(asked, found) == {"fields": {"old": None}, "encryptionKey": None} | NEEDED
    assert offered_patch(asked, found[2:]) is None


@pytest.mark.parametrize(
    ("patch", "other", "both"),
    [
        (
            {"fields": {"a": {"facetable": True}}},
            {"fields": {"b": None}},
            {"fields": {"a": {"facetable": True}, "b": None}},
        ),
        ({"corsOptions": {"maxAgeInSeconds": 1}}, {"corsOptions": None}, {"corsOptions": None}),
        (
            {"fields": [{"name": "a", "permissionFilter": "groupIds"}]},
            {"fields": {"a": {"permissionFilter": None}}},
            {"fields": [{"name": "a"}]},
        ),
    ],
)
def test_two_patches_in_one(patch: dict[str, Any], other: dict[str, Any], both: dict[str, Any]) -> None:
    assert combined(patch, other) == both


def test_a_patch_between_two_definitions_makes_the_one_into_the_other() -> None:
    before = {
        "fields": [{"name": "a", "type": "t", "x": 1}, {"name": "b"}],
        "gone": [1],
        "semantic": {"k": 1, "l": [1]},
    }
    after = {"fields": [{"name": "a", "type": "t"}, {"name": "b", "y": 2}], "semantic": {"k": 1, "l": [2]}}
    patch = patch_between(before, after)
    assert msgspec.json.decode(patched(msgspec.Raw(msgspec.json.encode(before)), patch)) == after
