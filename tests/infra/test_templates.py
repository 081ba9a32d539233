"""What the templates in infra/ deploy is what the app and the documentation need."""

import ast
import importlib.util
import json
import re
import uuid
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from indexvault.settings.host_storage import HOST_STORAGE, stores_of_host
from indexvault.settings.load import read_settings
from indexvault.settings.model import Settings
from indexvault.snapshots.names import SNAPSHOT_CONTAINER
from indexvault.snapshots.run_names import RUN_CONTAINER
from indexvault.workflow import telemetry
from tests.infra.bicep import Deployed, Deployment, declarations, deploy, name, nodes
from tests.infra.deployments import DEPLOYMENTS, INFRA, PRUNER, TEMPLATE
from tests.layout.project import PROJECT, text_of

# Source: Azure built-in roles (Azure RBAC), 2026-04.
ROLES = {
    "acdd72a7-3385-48ef-bd42-f606fba81ae7": "Reader",
    "1407120a-92aa-4202-b7e9-c0e197c71c8f": "Search Index Data Reader",
    "8ebe5a00-799e-43f5-93ac-243d3dce84a7": "Search Index Data Contributor",
    "7ca78c08-252a-4471-8644-bb5ff32d4ba0": "Search Service Contributor",
    "b7e6dc6d-f1e8-4753-8033-0f276bb0955b": "Storage Blob Data Owner",
    "ba92f5b4-2d11-453d-a403-e96b0029c9fe": "Storage Blob Data Contributor",
    "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1": "Storage Blob Data Reader",
    "974c5e8b-45b9-4653-ba55-5f855dd0fb88": "Storage Queue Data Contributor",
    "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3": "Storage Table Data Contributor",
    "3913510d-42f4-4e42-8a64-420c390055eb": "Monitoring Metrics Publisher",
    "4633458b-17de-408a-b874-0445c86b69e6": "Key Vault Secrets User",
}
APP_READS = re.compile(r"INDEXVAULT_[A-Z_]+")
# Settings that others read, and the module that does; None if it is not installed here.
OTHERS_READ = {
    "APPLICATIONINSIGHTS_AUTHENTICATION_STRING": None,
    "APPLICATIONINSIGHTS_CONNECTION_STRING": "azure_functions_runtime.utils.constants",
    "AZURE_CLIENT_ID": "azure.identity._constants",
    "AZURE_TRACING_ENABLED": "azure.core.settings",
    "AzureWebJobsStorage__clientId": None,
    "AzureWebJobsStorage__credential": None,
    "PYTHON_APPLICATIONINSIGHTS_ENABLE_TELEMETRY": "azure_functions_runtime.utils.constants",
}
NOT_IN_AZURE = {
    "FUNCTIONS_WORKER_RUNTIME": "the plan has it in functionAppConfig",
    "PYTHON_ENABLE_OPENTELEMETRY": "Application Insights is set up instead",
    "CONTOSO_EAST_KEY": "services are reached with an identity",
    "CONTOSO_WEST_KEY": "the same",
}


@cache
def made(which: str) -> Deployment:
    return deploy(TEMPLATE, DEPLOYMENTS[which])


def app_settings(which: str) -> dict[str, str]:
    (config,) = made(which).of("Microsoft.Web/sites/config")
    return dict(config.properties)


def settings(which: str) -> Settings:
    return read_settings(app_settings(which)["INDEXVAULT_CONFIG"], {})


def identities(which: str) -> dict[str, Deployed]:
    found = made(which).of("Microsoft.ManagedIdentity/userAssignedIdentities")
    return {each.name.rpartition("-")[2]: each for each in found}


def rights(which: str) -> set[tuple[str, str, str]]:
    """Return who may do what on what, as far as the template says."""
    owners = {
        str(uuid.uuid5(uuid.NAMESPACE_URL, f"{each.id}#principalId")): key for key, each in identities(which).items()
    }
    custom = {each.id: "writer" for each in made(which).of("Microsoft.Authorization/roleDefinitions")}
    found = set()
    for each in made(which).of("Microsoft.Authorization/roleAssignments"):
        role = each.properties["roleDefinitionId"]
        who = owners.get(each.properties["principalId"], each.properties["principalId"])
        target = each.id.partition("/providers/Microsoft.Authorization/")[0].rpartition("/")[2]
        found.add((who, custom.get(role) or ROLES[role.rpartition("/")[2]], re.sub(r"[0-9a-f]{13}$", "", target)))
    return found


@pytest.mark.parametrize("which", DEPLOYMENTS)
def test_the_settings_are_ones_that_the_app_takes(which: str) -> None:
    read = settings(which)
    assert stores_of_host(read, app_settings(which)) == []
    assert {each["name"] for each in DEPLOYMENTS[which]["stores"]} == set(read.stores)
    assert {each["name"] for each in DEPLOYMENTS[which]["services"]} == set(read.services)
    assert set(read.policies) == set(DEPLOYMENTS[which]["policies"])
    accounts = {each.name for each in made(which).of("Microsoft.Storage/storageAccounts")}
    for store in read.stores.values():
        assert store.account_url is not None
        assert store.account_url.removeprefix("https://").partition(".")[0] in accounts
        assert (store.snapshots_container, store.runs_container) == (SNAPSHOT_CONTAINER, RUN_CONTAINER)


def test_each_setting_that_the_code_reads_is_set_and_the_other_way_round() -> None:
    read = set()
    for folder in ("indexvault", "backup", "restore"):
        for path in (PROJECT / folder).rglob("*.py"):
            if "cli" not in path.parts:
                found = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
                texts = {node.value for node in found if isinstance(node, ast.Constant) and isinstance(node.value, str)}
                read |= {text for text in texts if APP_READS.fullmatch(text)}
    read |= {f"{HOST_STORAGE}__accountName"}
    assert len(read) >= 4
    # The record key's variable is the template's own choice: the settings name it.
    assert read | {"INDEXVAULT_RECORD_KEY"} | OTHERS_READ.keys() == app_settings("everything").keys()
    assert settings("everything").record_key is not None
    assert app_settings("everything").keys() - app_settings("one region").keys() == {"INDEXVAULT_RECORD_KEY"}


@pytest.mark.parametrize(("setting", "module"), [(key, module) for key, module in OTHERS_READ.items() if module])
def test_each_other_setting_is_read_by_a_library(setting: str, module: str) -> None:
    found = importlib.util.find_spec(module)
    assert found is not None
    assert found.origin is not None
    assert setting in Path(found.origin).read_text(encoding="utf-8")


def test_each_setting_is_documented() -> None:
    page = text_of("docs/functions-app.md") + text_of("docs/deploy.md")
    assert [key for key in app_settings("everything") if f"`{key}`" not in page] == []
    sample = json.loads(text_of("local.settings.sample.json"))["Values"]
    unexplained = sample.keys() - app_settings("everything").keys() - NOT_IN_AZURE.keys()
    assert unexplained == {"AzureWebJobsStorage"}, "in Azure the account is named by AzureWebJobsStorage__accountName"


ON_HOST = {
    ("host", "Storage Blob Data Owner", "sthost"),
    ("host", "Storage Queue Data Contributor", "sthost"),
    ("host", "Storage Table Data Contributor", "sthost"),
    ("host", "Monitoring Metrics Publisher", "appi-indexvault"),
}
TO_BACK_UP = {
    ("read", "Storage Blob Data Reader", SNAPSHOT_CONTAINER),
    ("write", "writer", SNAPSHOT_CONTAINER),
    ("write", "Storage Blob Data Contributor", RUN_CONTAINER),
}


def on_service(service: str, *, restore: bool) -> set[tuple[str, str, str]]:
    names = {"Reader", "Search Index Data Reader"}
    names |= {"Search Service Contributor", "Search Index Data Contributor"} if restore else set()
    return {("search", role, service) for role in names}


def test_each_identity_has_the_rights_that_its_purpose_needs_and_no_others() -> None:
    prune = {("prune", "Storage Blob Data Contributor", SNAPSHOT_CONTAINER)}
    assert rights("one region") == ON_HOST | TO_BACK_UP | prune | on_service("contoso-east", restore=False)
    both = on_service("contoso-east", restore=True) | on_service("contoso-west", restore=True)
    assert rights("pair") == ON_HOST | TO_BACK_UP | prune | both
    others = {(PRUNER, "Storage Blob Data Contributor", each) for each in (SNAPSHOT_CONTAINER, RUN_CONTAINER)}
    key = {("host", "Key Vault Secrets User", "indexvault-record-key")}
    assert rights("everything") == ON_HOST | TO_BACK_UP | others | key | both


def test_the_writer_adds_and_reads_and_nothing_else() -> None:
    (role,) = made("one region").of("Microsoft.Authorization/roleDefinitions")
    (permission,) = role.properties["permissions"]
    below = "Microsoft.Storage/storageAccounts/blobServices/containers"
    assert permission["actions"] == [f"{below}/read"]
    assert permission["dataActions"] == [f"{below}/blobs/add/action", f"{below}/blobs/read"]


def test_an_app_that_does_not_prune_holds_no_identity_that_could() -> None:
    (app,) = made("everything").of("Microsoft.Web/sites")
    held = set(app.body["identity"]["userAssignedIdentities"])
    assert held == {each.id for key, each in identities("everything").items() if key != "prune"}
    for store in settings("everything").stores.values():
        assert store.identities.prune == store.identities.read
    (other,) = made("one region").of("Microsoft.Web/sites")
    assert set(other.body["identity"]["userAssignedIdentities"]) == {
        each.id for each in identities("one region").values()
    }


def test_the_ids_of_roles_are_the_documented_ones() -> None:
    text = (INFRA / "roles.bicep").read_text(encoding="utf-8")
    assert set(re.findall(r"'([0-9a-f-]{36})'", text)) == ROLES.keys()


@pytest.mark.parametrize("which", DEPLOYMENTS)
def test_no_account_takes_keys_or_strangers(which: str) -> None:
    for each in made(which).of("Microsoft.Storage/storageAccounts"):
        assert each.properties["allowSharedKeyAccess"] is False
        assert each.properties["allowBlobPublicAccess"] is False
        assert each.properties["minimumTlsVersion"] == "TLS1_2"
        assert each.properties["publicNetworkAccess"] == ("Disabled" if which == "everything" else "Enabled")
    for policy in made(which).of("Microsoft.Web/sites/basicPublishingCredentialsPolicies"):
        assert policy.properties == {"allow": False}
    (insights,) = made(which).of("Microsoft.Insights/components")
    assert insights.properties["DisableLocalAuth"] is True


@pytest.mark.parametrize("which", DEPLOYMENTS)
def test_only_prunes_delete_snapshots(which: str) -> None:
    for policy in made(which).of("Microsoft.Storage/storageAccounts/managementPolicies"):
        for rule in policy.properties["policy"]["rules"]:
            actions = rule["definition"]["actions"]
            assert "delete" not in actions.get("baseBlob", {})
            assert "tierToArchive" not in actions.get("baseBlob", {})
            assert {each.partition("/")[0] for each in rule["definition"]["filters"]["prefixMatch"]} <= {
                SNAPSHOT_CONTAINER,
                RUN_CONTAINER,
            }
    for each in made(which).of("Microsoft.Storage/storageAccounts/blobServices"):
        if "sthost" not in each.id:
            assert each.properties["deleteRetentionPolicy"]["enabled"]
            assert each.properties["containerDeleteRetentionPolicy"]["enabled"]
            assert each.properties["isVersioningEnabled"] is False


def test_immutability_is_of_the_container_of_snapshots_alone() -> None:
    kind = "Microsoft.Storage/storageAccounts/blobServices/containers/immutabilityPolicies"
    assert made("one region").of(kind) == []
    found = made("pair").of(kind)
    assert {each.id.split("/containers/")[1] for each in found} == {
        f"{SNAPSHOT_CONTAINER}/immutabilityPolicies/default"
    }
    assert len(found) == 2
    for container in made("pair").of("Microsoft.Storage/storageAccounts/blobServices/containers"):
        assert "immutableStorageWithVersioning" not in container.properties


def test_a_private_network_reaches_every_account_and_service() -> None:
    reached = {
        (
            each.properties["privateLinkServiceConnections"][0]["properties"]["privateLinkServiceId"].rpartition("/")[
                2
            ],
            kind,
        )
        for each in made("everything").of("Microsoft.Network/privateEndpoints")
        for kind in each.properties["privateLinkServiceConnections"][0]["properties"]["groupIds"]
    }
    accounts = {each.name for each in made("everything").of("Microsoft.Storage/storageAccounts")}
    host = next(each for each in accounts if each.startswith("sthost"))
    assert reached == {
        *((account, "blob") for account in accounts),
        (host, "queue"),
        (host, "table"),
        ("contoso-east", "searchService"),
        ("contoso-west", "searchService"),
    }
    assert made("pair").of("Microsoft.Network/privateEndpoints") == []


def test_the_app_runs_on_the_python_that_its_package_is_for() -> None:
    (app,) = made("one region").of("Microsoft.Web/sites")
    assert app.properties["functionAppConfig"]["runtime"] == {
        "name": "python",
        "version": text_of(".python-version").strip(),
    }
    assert app.body["tags"]["azd-service-name"] == "app"
    store = app.properties["functionAppConfig"]["deployment"]["storage"]
    assert "sthost" in store["value"]
    assert store["authentication"]["userAssignedIdentityResourceId"] == identities("one region")["host"].id


def test_alert_rules_ask_for_what_the_telemetry_says() -> None:
    rules = made("one region").of("Microsoft.Insights/scheduledQueryRules")
    queries = {
        each.name.rpartition("indexvault-")[2]: each.properties["criteria"]["allOf"][0]["query"] for each in rules
    }
    code = text_of("indexvault/workflow/telemetry.py")
    for query in queries.values():
        for text in re.findall(r'"(indexvault\.[a-z.]+)"', query):
            assert f'"{text}"' in code, text
    assert f'Properties["{telemetry.SERVICE}"]' in queries["snapshot-too-old"]
    assert 'f"run_{record.kind}"' in code
    assert "def start_due_policies" in text_of("backup/blueprint.py")
    assert '"start_due_policies"' in queries["tick-stopped"]
    assert '"failed"' in text_of("indexvault/workflow/runs.py")
    assert '"tampering: ' in text_of("indexvault/snapshots/signed_records.py")
    assert all(each.properties["severity"] in (1, 2) for each in rules)
    named = {each.properties["criteria"]["allOf"][0]["operator"] for each in rules}
    assert named == {"GreaterThan", "LessThan"}


def test_people_are_told_of_every_alert() -> None:
    (group,) = made("everything").of("Microsoft.Insights/actionGroups")
    for rule in made("everything").of("Microsoft.Insights/scheduledQueryRules"):
        assert rule.properties["actions"]["actionGroups"] == [group.id]
    assert made("one region").of("Microsoft.Insights/actionGroups") == []


TEMPLATES = sorted(INFRA.rglob("*.bicep"))


@pytest.mark.parametrize("file", TEMPLATES, ids=lambda path: path.name)
def test_what_a_template_declares_is_used_and_what_it_uses_is_declared(file: Path) -> None:
    found = declarations(file)
    made_up = {"resource_declaration", "module_declaration"}
    declared = {name(each) for each in found if not each.type.startswith(("output", "target"))}
    may_be_idle = {name(each) for each in found if each.type in made_up}
    used: list[Any] = []
    for each in found:
        local = {
            (child.text or b"").decode()
            for node in nodes(each)
            if node.type in ("for_statement", "lambda_expression", "for_loop_parameters")
            for child in node.named_children[:2]
            if child.type in ("identifier", "loop_variable", "loop_enumerator")
        }
        for node in nodes(each):
            if node.type != "identifier" or node.parent is None:
                continue
            text = (node.text or b"").decode()
            is_key = node.parent.type == "object_property" and node.parent.named_children[0] == node
            is_name = node.parent == each or node.parent.type in ("type", "array_type")
            is_function = node.parent.type == "call_expression" and node.parent.named_children[0] == node
            if not (is_key or is_name or is_function) and (text not in local or text in declared):
                used.append(text)
    types = {name(each) for each in found if each.type == "type_declaration"}
    idle = declared - set(used) - may_be_idle - types - {"roles"}
    assert idle == set()
    assert set(used) - declared == set()


def test_no_file_of_parameters_holds_a_secret_or_a_person() -> None:
    for path in INFRA.glob("*.bicepparam"):
        text = path.read_text(encoding="utf-8")
        assert "@" not in text
        assert set(re.findall(r"subscriptions/([^/']+)", text)) == {"00000000-0000-0000-0000-000000000000"}
