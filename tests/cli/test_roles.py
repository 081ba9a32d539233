import shlex

import pytest

from indexvault.cli.roles import proposals
from indexvault.errors import IndexvaultError, UnreachableError
from indexvault.maintenance.check import CheckedTarget, CheckFinding, CheckReport
from indexvault.search.errors import refusal
from indexvault.settings.load import read_settings
from indexvault.settings.model import Settings
from tests.discovery.resource_graph import SUBSCRIPTION

ID = f"{SUBSCRIPTION}/Microsoft.Search/searchServices/contoso-east"
OFFLINE = UnreachableError("no complete answer (ClientConnectorError)", on="contoso-east", do="Check the endpoint")


def settings(*, key: str = "") -> Settings:
    return read_settings(f"""{{
        "stores": {{"east": {{"account_url": "https://contosoeast.blob.core.windows.net", "region": "eastus"}}}},
        "services": {{"contoso-east": {{"endpoint": "https://contoso-east.search.windows.net", "region": "eastus",
                                        "tier": "standard", "store": "east"{key}}}}}}}""")


def report(target: str, *failures: tuple[str, IndexvaultError], restore: str = "possible") -> CheckReport:
    findings = [
        CheckFinding(target=target, check=check, ok=False, detail=f"{error.on}: {error.what}", hint=error.do)
        for check, error in failures
    ]
    last = CheckFinding(target=target, check="restore to it", ok=True, detail=restore)
    return CheckReport([CheckedTarget([*findings, last], 1 if failures else 0)])


def refused(status: int) -> IndexvaultError:
    return refusal(status, "", "contoso-east service statistics", by_key=False)


def test_a_refused_service_needs_both_roles_of_a_backup() -> None:
    found = proposals(
        report("service contoso-east", ("read a document", refused(403))), settings(), {"service contoso-east": ID}
    )
    assert [each.role.name for each in found if each.role] == ["Reader", "Search Index Data Reader"]
    words = shlex.split(found[1].command)
    assert words[:6] == ["az", "role", "assignment", "create", "--role", "Search Index Data Reader"]
    assert words[-2:] == ["--scope", ID]
    assert "az ad signed-in-user show" in found[1].command


def test_a_service_that_takes_keys_only_is_told_to_take_roles_first() -> None:
    first, *others = proposals(report("service contoso-east", ("reach it", refused(401))), settings(), {})
    assert first.role is None
    assert first.command.startswith('az search service update --ids "$(az resource list --name contoso-east ')
    assert first.command.endswith("--auth-options aadOrApiKey --aad-auth-failure-mode http403")
    assert len(others) == 2


def test_restoring_takes_roles_that_a_backup_does_not() -> None:
    asked = report("service contoso-east", restore="not with these roles; backups don't need it")
    found = proposals(asked, settings(), {})
    assert [each.role.name for each in found if each.role] == [
        "Search Service Contributor",
        "Search Index Data Contributor",
    ]
    assert all("if you will" in each.why for each in found)


def test_a_refused_store_needs_its_role() -> None:
    error = IndexvaultError(
        "the key or identity may not do this (HTTP 403 AuthorizationPermissionMismatch)", on="east", do=""
    )
    [found] = proposals(report("store east", ("reach it", error), ("list snapshots", error)), settings(), {})
    assert found.role is not None
    assert found.role.name == "Storage Blob Data Contributor"
    assert "--name contosoeast --resource-type Microsoft.Storage/storageAccounts" in found.command


@pytest.mark.parametrize("target", ["service contoso-east", "store east"])
def test_what_is_no_matter_of_rights_needs_no_role(target: str) -> None:
    assert proposals(report(target, ("reach it", OFFLINE)), settings(), {}) == []
    assert proposals(report(target), settings(), {}) == []


def test_a_service_with_a_key_needs_no_role() -> None:
    with_key = settings(key=', "api_key": {"env": "KEY"}')
    assert proposals(report("service contoso-east", ("reach it", refused(403))), with_key, {}) == []
