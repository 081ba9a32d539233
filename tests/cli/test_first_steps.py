"""What somebody new types, mistypes and forgets, and what tells them the way."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.cli.terminal import EAST, WEST, Terminal


def test_the_bare_command_lists_the_verbs(terminal: Terminal) -> None:
    result = terminal.indexvault()
    assert result.code == 2
    assert "backup      make a snapshot of each index" in result.stdout
    assert "indexvault init" in result.stderr


def test_the_bare_command_with_json_is_a_record(terminal: Terminal) -> None:
    result = terminal.indexvault("--json")
    assert (result.code, json.loads(result.stderr)["exit_code"]) == (2, 2)


@pytest.mark.parametrize("verb", ["show", "delete", "pin", "export"])
def test_an_index_where_a_snapshot_belongs_says_how_to_name_one(terminal: Terminal, verb: str) -> None:
    result = terminal.indexvault(verb, f"{EAST}/notes", *(["folder"] if verb == "export" else []))
    assert result.code == 2
    assert f"{EAST}/notes@latest" in result.error_line
    assert f"`indexvault snapshots {EAST}/notes` lists them" in result.error_line


@pytest.mark.parametrize("text", ["notes", f"{EAST}", f"{EAST}@latest"])
def test_half_a_name_says_what_a_whole_one_is(terminal: Terminal, text: str) -> None:
    result = terminal.indexvault("show", text)
    assert result.code == 2
    assert "service/index@latest" in result.error_line
    assert "`indexvault snapshots` lists" in result.error_line


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("list", "snapshots"), ("ls", "snapshots"), ("create", "backup"), ("copy", "move"), ("rm", "delete"),
     ("rollback", "restore"), ("recover", "restore"), ("validate", "verify"), ("config", "init"),
     ("version", "--version")],
)  # fmt: skip
def test_verbs_of_other_tools_are_understood(terminal: Terminal, typed: str, meant: str) -> None:
    result = terminal.indexvault(typed)
    assert result.code == 2
    assert f"did you mean '{meant}'? See" in result.stderr


def test_a_question_mark_has_no_full_stop_after_it(terminal: Terminal) -> None:
    assert "?." not in terminal.indexvault("snapshot").stderr
    assert "?." not in terminal.indexvault("restore", f"{EAST}/a@latest", "--to", WEST, "--mode", "rplace").stderr


def test_the_short_option_tells_the_version(terminal: Terminal) -> None:
    assert terminal.indexvault("-V").stdout == terminal.indexvault("--version").stdout


def test_a_snapshot_where_an_index_belongs(terminal: Terminal) -> None:
    result = terminal.indexvault("snapshots", f"{EAST}/notes@latest")
    assert result.code == 2
    assert f"Leave out the @ and what follows: {EAST}/notes" in result.error_line
    assert f"indexvault show {EAST}/notes@latest" in result.error_line


def test_an_index_after_a_blank_where_a_slash_belongs(terminal: Terminal) -> None:
    result = terminal.indexvault("verify", EAST, "notes")
    assert result.code == 2
    assert f"Write an index as {EAST}/notes" in result.stderr
    assert "indexvault verify --help" in result.stderr


def test_an_index_without_its_service(terminal: Terminal) -> None:
    terminal.east.fill("notes", 10)
    terminal.back_up("notes")
    result = terminal.indexvault("verify", "notes")
    assert result.code == 4
    assert "An index is written SERVICE/INDEX" in result.error_line


def test_a_service_of_which_only_an_index_was_backed_up(terminal: Terminal) -> None:
    terminal.east.fill("notes", 10)
    terminal.back_up("notes")
    result = terminal.indexvault("restore", f"{EAST}@latest", "--to", WEST, "--dry-run")
    assert result.code == 4
    assert "$service" not in result.error_line
    assert f"`indexvault backup {EAST}` without an index" in result.error_line
    assert f"{EAST}/notes@latest" in result.error_line


def test_numbers_agree_with_their_nouns(terminal: Terminal) -> None:
    terminal.east.put("synonymmaps/words", {"name": "words", "format": "solr", "synonyms": "a, b"})
    terminal.east.fill("notes", 10, facetable=True)
    told = terminal.indexvault("backup", EAST).stdout
    assert "1 synonym map\n" in told
    terminal.indexvault("backup", EAST)
    told += terminal.indexvault("show", f"{EAST}/notes@latest").stdout
    assert "; 1 range, split" in told
    told += terminal.indexvault("restore", f"{EAST}/notes@latest", "--to", WEST, "--dry-run").stdout
    assert "1 more index, 0 of 15 used" in told
    terminal.east.call("DELETE", "/indexes/notes?api-version=2026-04-01")
    terminal.east.fill("notes", 10, facetable=False)
    told += terminal.indexvault("diff", f"{EAST}/notes@latest", f"{EAST}/notes").stdout
    assert "1 difference in the definition" in told
    assert re.findall(r"\b1 (?:differences|ranges|more indexes|synonymmaps|aliases)\b", told) == []


def test_a_file_that_is_not_there_is_named_with_its_option(terminal: Terminal, tmp_path: Path) -> None:
    result = terminal.indexvault("check", "--config", str(tmp_path / "nope.json"))
    assert result.code == 2
    assert result.error_line.startswith("--config: ")
    assert "nope.json" in result.error_line
    assert "indexvault init" in result.error_line
    result = terminal.indexvault("check", INDEXVAULT_CONFIG=str(tmp_path / "nope.json"))
    assert result.error_line.startswith("INDEXVAULT_CONFIG: ")


def settings_in(folder: Path, settings: Any) -> str:
    file = folder / "indexvault.json"
    file.write_text(json.dumps(settings, indent=2))
    file.chmod(0o644)
    return str(file)


def line_with(file: str, text: str, *, after: str) -> int:
    lines = Path(file).read_text().splitlines()
    first = next(number for number, line in enumerate(lines) if after in line)
    return next(number for number, line in enumerate(lines, 1) if number > first and text in line)


def test_a_secret_that_is_not_set_is_told_with_the_line_that_names_it(terminal: Terminal, tmp_path: Path) -> None:
    file = settings_in(tmp_path, terminal.settings)
    line = line_with(file, "api_key", after=EAST)
    result = terminal.indexvault("backup", EAST, "--config", file, SEARCH_KEY="")
    assert result.code == 2
    assert f"indexvault.json:{line}: services.{EAST}.api_key" in result.error_line
    assert "export SEARCH_KEY=" in result.error_line
    line = line_with(file, "connection_string", after="local")
    result = terminal.indexvault("snapshots", "--config", file, STORE="")
    assert f"indexvault.json:{line}: stores.local.connection_string" in result.error_line
    assert "account_url" in result.error_line


def test_a_secret_that_is_not_set_in_settings_of_the_environment(terminal: Terminal) -> None:
    result = terminal.indexvault("backup", EAST, SEARCH_KEY="")
    assert f"INDEXVAULT_CONFIG:1: services.{EAST}.api_key" in result.error_line


def test_a_variable_that_holds_no_connection_string_is_named(terminal: Terminal) -> None:
    result = terminal.indexvault("snapshots", STORE="nonsense")
    assert result.code == 2
    assert "the environment variable STORE" in result.error_line
    assert "nonsense" not in result.error_line


def test_a_store_that_nobody_has_used_yet_is_no_reason_to_warn(terminal: Terminal, second_account: str) -> None:
    terminal.settings["stores"]["second"] = {"connection_string": {"env": "SECOND"}, "region": "local"}
    terminal.environment["SECOND"] = second_account
    terminal.east.fill("notes", 10)
    terminal.back_up("notes")
    result = terminal.indexvault("snapshots")
    assert (result.code, result.stderr) == (
        0,
        "store second has no containers yet: the first backup or copy makes them\n",
    )
    result = terminal.indexvault("snapshots", f"{EAST}/notes")
    assert (result.code, result.stderr) == (0, "")


def test_the_check_reads_a_document_of_an_index_that_has_some(terminal: Terminal) -> None:
    terminal.east.fill("archive", 0)
    terminal.east.fill("notes", 10)
    assert f"service {EAST}: read a document: one of notes" in terminal.indexvault("check").stdout


def test_a_failed_check_names_a_service_once(terminal: Terminal) -> None:
    told = terminal.indexvault("check", SEARCH_KEY="wrong").stdout
    assert f"service {EAST}: read a document: not tried" in told
    assert "SEARCH_KEY" in told


def test_what_a_setting_should_be_is_said_in_words(terminal: Terminal, tmp_path: Path) -> None:
    def told(section: str, member: str, value: Any) -> str:
        settings = json.loads(json.dumps(terminal.settings))
        settings["policies"] = {"nightly": {"service": EAST, "schedule": "0 0 2 * * *"}}
        next(iter(settings[section].values()))[member] = value
        return terminal.indexvault("snapshots", "--config", settings_in(tmp_path, settings)).error_line

    assert 'such as "P90D"' in told("policies", "full_every", "90 days")
    assert "a list is needed" in told("policies", "indexes", "hotels")
    assert '{"env": "NAME"}' in told("services", "api_key", "KEY")
    assert "S1 is standard" in told("services", "tier", "S1")
    assert "such as https://contoso-east.search.windows.net" in told("services", "endpoint", "contoso-east")


def test_the_live_side_of_a_comparison_may_be_an_alias(terminal: Terminal) -> None:
    terminal.east.fill("notes", 10)
    terminal.back_up("notes")
    terminal.east.put("aliases/notes-live", {"name": "notes-live", "indexes": ["notes"]})
    result = terminal.indexvault("diff", f"{EAST}/notes@latest", f"{EAST}/notes-live", "--exit-code")
    assert result.code == 0, result.stderr
    assert "the alias notes-live leads to notes" in result.stderr + result.stdout


def test_another_name_is_no_difference(terminal: Terminal) -> None:
    terminal.east.fill("notes", 10)
    terminal.back_up("notes")
    assert terminal.indexvault("restore", f"{EAST}/notes@latest", "--to", f"{EAST}/notes-restored").code == 0
    result = terminal.indexvault("diff", f"{EAST}/notes@latest", f"{EAST}/notes-restored", "--exit-code")
    assert (result.code, "0 differences in the definition" in result.stdout) == (0, True)
