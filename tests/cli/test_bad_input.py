"""What people get wrong, and what is wrong with what they reach: one line that says what and what to do, and a code."""

from typing import Any

import pytest

from tests.cli.desk import EAST, WEST, Operator


@pytest.mark.parametrize(
    ("path", "wrong", "complaint"),
    [
        (("services", EAST, "tier"), "gold", "settings $.services.contoso-east.tier: invalid enum value 'gold'"),
        (("services", EAST, "store"), "west", "settings $.services.contoso-east.store: no store is named 'west'"),
        (
            ("services", EAST, "endpoint"),
            "http://contoso.example",
            "settings $.services.contoso-east.endpoint: expected https",
        ),
        (("services", EAST, "api_key"), "abc", "settings $.services.contoso-east.api_key: expected `object"),
        (("stores", "local", "colour"), "red", "settings $.stores.local: object contains unknown field `colour`"),
    ],
)
def test_broken_settings_give_the_path_and_what_was_expected(
    desk: Operator, path: tuple[str, ...], wrong: str, complaint: str
) -> None:
    entry: dict[str, Any] = desk.settings
    for name in path[:-1]:
        entry = entry[name]
    entry[path[-1]] = wrong
    ended = desk.indexvault("snapshots")
    assert ended.code == 2
    assert ended.complaint.startswith(complaint)


def test_settings_that_are_no_json_or_nowhere(desk: Operator) -> None:
    assert "settings: not JSON" in desk.indexvault("check", INDEXVAULT_CONFIG="{").complaint
    nowhere = desk.indexvault("check", INDEXVAULT_CONFIG="nowhere.json")
    assert (nowhere.code, "the file nowhere.json can't be read" in nowhere.complaint) == (2, True)


def test_malformed_snapshot_is_usage_and_is_told_as_json_too(desk: Operator) -> None:
    ended = desk.indexvault("show", "contoso-east/notes", "--json")
    assert ended.code == 2
    assert "this is not service/index@latest" in ended.complaint
    (record,) = ended.records
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
def test_unknown_service_is_named_with_the_known_ones(desk: Operator, arguments: tuple[str, ...]) -> None:
    ended = desk.indexvault(*arguments)
    assert ended.code == 4
    assert ended.complaint == (
        "service contoso-south: no service of this name is configured. Known services: contoso-east, contoso-west"
    )


def test_service_that_is_down_is_told_in_one_line(desk: Operator, closed_port: int) -> None:
    desk.settings["services"][EAST]["endpoint"] = f"http://127.0.0.1:{closed_port}"
    ended = desk.indexvault("backup", EAST)
    assert ended.code == 1
    assert ended.complaint.startswith("contoso-east indexes: no complete answer")
    assert "Check the endpoint in the settings" in ended.complaint
    assert len(ended.stderr.splitlines()) == 1


@pytest.mark.slow  # the storage library waits between its attempts
def test_store_that_is_down_is_told_in_one_line(desk: Operator, closed_port: int) -> None:
    down = desk.connection_string.partition("BlobEndpoint=")[0] + f"BlobEndpoint=http://127.0.0.1:{closed_port}/test"
    ended = desk.indexvault("snapshots", "--log-level", "error", STORE=down)
    assert ended.code == 1
    assert ended.complaint.startswith("store local, ")
    assert "the store gave no answer" in ended.complaint
    assert ended.stdout == ""


@pytest.mark.parametrize(("key", "what"), [("a-wrong-key", "does not accept the key"), ("data-key", "(HTTP 403)")])
def test_wrong_key_or_missing_role_says_what_to_do(desk: Operator, key: str, what: str) -> None:
    desk.east.fill("notes", 3)
    ended = desk.indexvault("backup", EAST, SEARCH_KEY=key)
    assert ended.code == 1
    assert what in ended.complaint
    assert "Set the environment variable that api_key names" in ended.complaint
    assert key not in ended.stderr + ended.stdout


def test_key_that_is_not_set_is_named(desk: Operator) -> None:
    ended = desk.indexvault("backup", EAST, SEARCH_KEY="")
    assert ended.code == 2
    assert ended.complaint.startswith(
        "settings $.services.contoso-east.api_key: the environment variable SEARCH_KEY is not set"
    )
