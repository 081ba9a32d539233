import json

import pytest

from tests.cli.terminal import ADMIN_KEY, EAST, Terminal, delete_blobs


def test_all_is_well(terminal: Terminal) -> None:
    terminal.east.fill("notes", 10)
    before = terminal.east.writes
    result = terminal.indexvault("check")
    assert result.code == 0, result.stdout
    warning, *checks, summary = result.stdout.splitlines()
    assert warning.startswith(
        "warn    settings record_key: sign records: none, so whoever can write to a store can order"
    )
    assert "openssl rand -hex 32" in warning
    assert all(line.startswith("ok ") for line in checks)
    assert "ok      service contoso-east: read a document: one of notes" in checks
    assert "ok      service contoso-west: restore to it: possible" in checks
    assert summary == "all checks passed"
    assert (terminal.east.writes, terminal.west.writes) == (before, 0)


def test_a_store_in_the_account_of_the_functions_app_is_warned_about(terminal: Terminal) -> None:
    result = terminal.indexvault("check", "--json", AzureWebJobsStorage=terminal.connection_string)
    assert result.code == 0
    [found] = [record for record in result.records if record["check"] == "keep stores apart from the app"]
    assert found["warning"]
    assert "store local is in the storage account of the Functions app" in found["detail"]


def test_what_fails_is_named_with_a_hint_and_the_rest_is_tried_all_the_same(
    terminal: Terminal, closed_port: int
) -> None:
    terminal.east.fill("notes", 10)
    terminal.settings["services"]["contoso-west"]["endpoint"] = f"http://127.0.0.1:{closed_port}"
    result = terminal.indexvault("check", "--json", SEARCH_KEY="reader-key")
    assert result.code == 1
    found = {(record["target"], record["check"]): record for record in result.records}
    assert {place for place, record in found.items() if not record["ok"]} == {
        ("service contoso-east", "read a document"),
        ("service contoso-west", "reach it"),
        ("service contoso-west", "list indexes"),
        ("service contoso-west", "read a document"),
        ("service contoso-west", "restore to it"),
    }
    assert "HTTP 403" in found["service contoso-east", "read a document"]["detail"]
    assert found["service contoso-east", "restore to it"]["detail"].startswith("not with these roles")
    assert "Check the endpoint" in found["service contoso-west", "reach it"]["hint"]


def test_store_that_refuses_the_key_is_named(terminal: Terminal) -> None:
    wrong = terminal.connection_string.replace("AccountKey=", "AccountKey=AAAA")
    result = terminal.indexvault("check", STORE=wrong)
    assert result.code == 1
    failed = [line for line in result.stdout.splitlines() if line.startswith("failed")]
    assert len(failed) == 5
    assert all("store local" in line for line in failed)


def test_wrong_search_key_lets_no_check_of_the_service_pass(terminal: Terminal) -> None:
    result = terminal.indexvault("check", SEARCH_KEY="not-the-key")
    assert result.code == 1
    told = [line for line in result.stdout.splitlines() if f"service {EAST}" in line]
    assert len(told) == 4
    assert all(line.startswith("failed") for line in told)
    assert "not-the-key" not in result.stdout + result.stderr


def test_secret_that_is_not_set_is_a_matter_of_settings(terminal: Terminal) -> None:
    result = terminal.indexvault("check", SEARCH_KEY="")
    assert result.code == 2
    assert "the environment variable SEARCH_KEY is not set" in result.stdout
    assert f"failed  service {EAST}: list indexes: not tried. Fix the problems above first" in result.stdout


def test_missing_snapshots_are_told(terminal: Terminal) -> None:
    terminal.east.fill("notes", 10)
    reference = terminal.back_up("notes")
    delete_blobs(terminal.connection_string, ending=".json")
    result = terminal.indexvault("check", "--json")
    assert result.code == 1
    found = {(record["target"], record["check"]): record for record in result.records}
    told = found["store local", "miss no snapshot"]
    assert not told["ok"]
    assert f"1 snapshot gone that nobody removed, such as {reference}" in told["detail"]
    assert told["hint"] == f"indexvault repair {EAST}/notes"


@pytest.mark.parametrize(("key", "code"), [("both-key", 1), (ADMIN_KEY, 0)])
def test_a_custom_role_that_protected_documents_need_is_named(terminal: Terminal, key: str, code: int) -> None:
    fields = [
        {"name": "id", "type": "Edm.String", "key": True},
        {"name": "readers", "type": "Collection(Edm.String)", "permissionFilter": "userIds"},
    ]
    terminal.east.call(
        "PUT",
        "/indexes/papers?api-version=2026-08-01-preview",
        {"name": "papers", "fields": fields, "permissionFilterOption": "enabled"},
    )
    result = terminal.indexvault("check", "--json", SEARCH_KEY=key)
    assert result.code == code
    [found] = [record for record in result.records if record["check"] == "read protected documents"]
    assert found["ok"] is (code == 0)
    if code:
        assert (
            "a custom role with the data action Microsoft.Search/searchServices/indexes/contentSecurity"
            in found["hint"]
        )


@pytest.mark.parametrize("lacking", ["stores", "services"])
def test_settings_without_a_store_or_a_service_are_not_all_is_well(terminal: Terminal, lacking: str) -> None:
    settings = {**terminal.settings, "services": {}} | ({"stores": {}} if lacking == "stores" else {})
    result = terminal.indexvault("check", INDEXVAULT_CONFIG=json.dumps(settings))
    assert result.code == 2, result.stdout
    assert f"there is no {lacking[:-1]}, so nothing can be backed up" in result.stderr
    assert "all checks passed" not in result.stdout


def test_containers_with_names_of_their_own_are_checked(terminal: Terminal) -> None:
    store = {**terminal.settings["stores"]["local"], "snapshots_container": "vault-a", "runs_container": "vault-b"}
    stores = {"stores": {**terminal.settings["stores"], "second": store}}
    settings = json.dumps(terminal.settings | stores)
    result = terminal.indexvault("check", "--json", INDEXVAULT_CONFIG=settings)
    found = {record["target"]: record["detail"] for record in result.records if record["check"] == "reach it"}
    assert found["store second"] == "the containers vault-a and vault-b exist"
    assert found["store local"] == "the containers search-snapshots and search-runs exist"
