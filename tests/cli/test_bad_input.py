"""What people get wrong, and what is wrong with what they reach: one line that says what and what to do, and a code."""

from typing import Any

import pytest

from tests.cli.terminal import EAST, WEST, Terminal


@pytest.mark.parametrize(
    ("path", "wrong", "complaint"),
    [
        (
            ("services", EAST, "tier"),
            "gold",
            "services.contoso-east.tier: invalid enum value 'gold'",
        ),
        (
            ("services", EAST, "store"),
            "west",
            "services.contoso-east.store: no store is named 'west'",
        ),
        (
            ("services", EAST, "endpoint"),
            "http://contoso.example",
            "services.contoso-east.endpoint: expected https",
        ),
        (("services", EAST, "api_key"), "abc", "services.contoso-east.api_key: expected `object"),
        (
            ("stores", "local", "colour"),
            "red",
            "stores.local.colour: object contains unknown field `colour`",
        ),
    ],
)
def test_broken_settings_give_the_path_and_what_was_expected(
    terminal: Terminal, path: tuple[str, ...], wrong: str, complaint: str
) -> None:
    entry: dict[str, Any] = terminal.settings
    for name in path[:-1]:
        entry = entry[name]
    entry[path[-1]] = wrong
    result = terminal.indexvault("snapshots")
    assert result.code == 2
    assert result.error_line.startswith(f"INDEXVAULT_CONFIG:1: {complaint}")


def test_settings_that_are_no_json_or_nowhere(terminal: Terminal) -> None:
    assert "INDEXVAULT_CONFIG:1: not JSON" in terminal.indexvault("check", INDEXVAULT_CONFIG="{").error_line
    nowhere = terminal.indexvault("check", INDEXVAULT_CONFIG="nowhere.json")
    assert (nowhere.code, "the file nowhere.json can't be read" in nowhere.error_line) == (2, True)


def test_malformed_snapshot_is_usage_and_is_told_as_json_too(terminal: Terminal) -> None:
    result = terminal.indexvault("show", "contoso-east/notes", "--json")
    assert result.code == 2
    assert "this is not service/index@latest" in result.error_line
    (record,) = result.records
    assert (record["event"], record["kind"], record["exit_code"]) == ("error", "SettingsError", 2)


@pytest.mark.parametrize(
    "arguments",
    [
        ("backup", "contoso-south"),
        ("snapshots", "contoso-south"),
        ("show", "contoso-south/notes@latest"),
        ("verify", "contoso-south/notes@latest"),
        ("restore", "contoso-south/notes@latest", "--to", WEST),
    ],
)
def test_unknown_service_is_named_with_the_known_ones(terminal: Terminal, arguments: tuple[str, ...]) -> None:
    result = terminal.indexvault(*arguments)
    assert result.code == 4
    assert result.error_line == (
        "service contoso-south: no service of this name is configured. Known services: contoso-east, contoso-west;"
        " did you mean 'contoso-east' or 'contoso-west'?"
    )


def test_a_misspelt_index_is_answered_with_what_was_meant(terminal: Terminal) -> None:
    terminal.east.fill("notes", 5)
    terminal.back_up("notes")
    for arguments in (
        ("backup", EAST, "note"),
        ("show", f"{EAST}/note@latest"),
        ("snapshots", f"{EAST}/note"),
        ("verify", f"{EAST}/note"),
        ("prune", f"{EAST}/note", "--yes"),
        ("find", f"{EAST}/note", "000001"),
        ("diff", f"{EAST}/notes@latest", f"{EAST}/note"),
        ("move", f"{EAST}/note", "--to", WEST),
    ):
        result = terminal.indexvault(*arguments)
        assert result.code == 4, result.stderr
        assert result.error_line.endswith("; did you mean 'notes'?"), arguments


def test_service_that_is_down_is_told_in_one_line(terminal: Terminal, closed_port: int) -> None:
    terminal.settings["services"][EAST]["endpoint"] = f"http://127.0.0.1:{closed_port}"
    result = terminal.indexvault("backup", EAST)
    assert result.code == 1
    assert result.error_line.startswith("contoso-east indexes: no complete answer")
    assert "Check the endpoint in the settings" in result.error_line
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.slow  # the storage library waits between its attempts
def test_store_that_is_down_is_told_in_one_line(terminal: Terminal, closed_port: int) -> None:
    down = (
        terminal.connection_string.partition("BlobEndpoint=")[0] + f"BlobEndpoint=http://127.0.0.1:{closed_port}/test"
    )
    result = terminal.indexvault("snapshots", "--log-level", "error", STORE=down)
    assert result.code == 1
    assert result.error_line.startswith("store local, ")
    assert "the store gave no answer" in result.error_line
    assert result.stdout == ""


@pytest.mark.parametrize(("key", "what"), [("a-wrong-key", "does not accept the key"), ("data-key", "(HTTP 403)")])
def test_wrong_key_or_missing_role_says_what_to_do(terminal: Terminal, key: str, what: str) -> None:
    terminal.east.fill("notes", 3)
    result = terminal.indexvault("backup", EAST, SEARCH_KEY=key)
    assert result.code == 1
    assert what in result.error_line
    assert "Set the environment variable that api_key names" in result.error_line
    assert key not in result.stderr + result.stdout


def test_key_that_is_not_set_is_named(terminal: Terminal) -> None:
    result = terminal.indexvault("backup", EAST, SEARCH_KEY="")
    assert result.code == 2
    assert result.error_line.startswith(
        "INDEXVAULT_CONFIG:1: services.contoso-east.api_key: the environment variable SEARCH_KEY is not set"
    )
