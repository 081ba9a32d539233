"""The roles that an identity lacks, as commands of the Azure command line.

Names and ids are those of Azure built-in roles (Microsoft Learn, 2026-09); what each is for, docs/security.md says.
"""

import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from indexvault.maintenance.check import CheckFinding, CheckReport
from indexvault.settings.model import Settings

_REFUSED = re.compile(r"\(HTTP 40[13]\b")
"""How findings end that are a matter of rights, and not of the network or of the sign-in."""
_IDENTITY = '--assignee-object-id "$(az ad signed-in-user show --query id -o tsv)" --assignee-principal-type User'
_SEARCH, _STORAGE = "Microsoft.Search/searchServices", "Microsoft.Storage/storageAccounts"


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """A built-in role of Azure."""

    name: str
    id: str


READER = Role(name="Reader", id="acdd72a7-3385-48ef-bd42-f606fba81ae7")
INDEX_READER = Role(name="Search Index Data Reader", id="1407120a-92aa-4202-b7e9-c0e197c71c8f")
INDEX_CONTRIBUTOR = Role(name="Search Index Data Contributor", id="8ebe5a00-799e-43f5-93ac-243d3dce84a7")
SERVICE_CONTRIBUTOR = Role(name="Search Service Contributor", id="7ca78c08-252a-4471-8644-bb5ff32d4ba0")
BLOB_CONTRIBUTOR = Role(name="Storage Blob Data Contributor", id="ba92f5b4-2d11-453d-a403-e96b0029c9fe")

_OF_SERVICES = frozenset({"reach it", "list indexes", "read a document"})
"""Checks of a service that need the roles for a backup."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A command that gives an identity what it lacks. `role` is None for one that lets a service take roles at all."""

    target: str
    why: str
    role: Role | None
    command: str


def proposals(report: CheckReport, settings: Settings, ids: Mapping[str, str]) -> list[Proposal]:
    """Return the commands that mend what `check` has found refused to an Entra identity.

    `ids` are resource ids by target (`service contoso-east`), as far as they are known. Where a service or store is
    reached with a key, no role matters.
    """
    found: list[Proposal] = []
    for target in report.targets:
        kind, _, name = (target.findings[0].target if target.findings else "").partition(" ")
        if kind == "service" and settings.services[name].api_key is None:
            found += _for_service(name, target.findings, ids)
        elif kind == "store" and settings.stores[name].account_url is not None and _refused(target.findings):
            account = (settings.stores[name].account_url or "").partition("//")[2].partition(".")[0]
            scope = _scope(ids.get(f"store {name}"), account, _STORAGE)
            found.append(_assignment(f"store {name}", "to write and read snapshots", BLOB_CONTRIBUTOR, scope))
    return found


def _for_service(name: str, findings: Sequence[CheckFinding], ids: Mapping[str, str]) -> list[Proposal]:
    refused, target = _refused(findings), f"service {name}"
    scope = _scope(ids.get(target), name, _SEARCH)
    found = []
    if any("(HTTP 401" in finding.detail for finding in findings):
        command = f"az search service update --ids {scope} --auth-options aadOrApiKey --aad-auth-failure-mode http403"
        found.append(Proposal(target=target, why="to let it take roles beside keys", role=None, command=command))
    # Once one right is refused, the roles for a backup are proposed whole: the other refusals may only come later.
    if refused & _OF_SERVICES:
        found.append(_assignment(target, "to read definitions", READER, scope))
        found.append(_assignment(target, "to read documents", INDEX_READER, scope))
    if any(finding.detail.startswith("not with these roles") for finding in findings):
        found.append(_assignment(target, "to restore definitions to it, if you will", SERVICE_CONTRIBUTOR, scope))
        found.append(_assignment(target, "to restore documents to it, if you will", INDEX_CONTRIBUTOR, scope))
    return found


def _refused(findings: Iterable[CheckFinding]) -> set[str]:
    return {finding.check for finding in findings if not finding.ok and _REFUSED.search(finding.detail)}


def _scope(known: str | None, name: str, kind: str) -> str:
    if known is not None:
        return shlex.quote(known)
    return f'"$(az resource list --name {shlex.quote(name)} --resource-type {kind} --query "[0].id" -o tsv)"'


def _assignment(target: str, why: str, role: Role, scope: str) -> Proposal:
    command = f"az role assignment create --role {shlex.quote(role.name)} {_IDENTITY} --scope {scope}"
    return Proposal(target=target, why=why, role=role, command=command)
