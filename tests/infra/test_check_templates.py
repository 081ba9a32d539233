"""`make templates` finds mistakes; here in a process with the libraries that hold the schemas."""

import json
import subprocess
from typing import Any

import pytest

from tests.layout.project import PROJECT

PYTHON = PROJECT / ".tools/templates/bin/python"
PLANT = """
import copy, dataclasses, json, sys
from tests.infra.bicep import deploy
from tests.infra.check_templates import problems_of
from tests.infra.deployments import DEPLOYMENTS, ROUTERS, TEMPLATE, deployed_router
made, found = deploy(TEMPLATE, DEPLOYMENTS["everything"]), []
for router in ROUTERS:
    made.resources += deployed_router(router).resources
for kind, path, value, version in json.loads(sys.argv[1]):
    each = copy.deepcopy(made.of(kind)[0])
    *above, last = path
    place = each.body
    for step in above:
        place = place[step]
    place.pop(last, None) if value is None else place.update({last: value})
    found.append(list(problems_of(dataclasses.replace(each, version=version or each.version))))
print(json.dumps(found))
"""
ACCOUNT = "Microsoft.Storage/storageAccounts"
MISTAKES: list[tuple[str, list[Any], Any, str | None, str]] = [
    (ACCOUNT, ["properties", "allowBlobAccess"], False, None, "there is no such member"),
    (ACCOUNT, ["properties", "minimumTlsVersion"], "TLS9", None, "'TLS9' is none of"),
    (ACCOUNT, ["properties", "allowSharedKeyAccess"], "no", None, "'no' is not of type bool"),
    (ACCOUNT, ["sku"], None, None, "it is required"),
    (ACCOUNT, ["properties", "networkAcls"], [], None, "expected an object"),
    (ACCOUNT, ["kind"], "StorageV2", "2031-01-01", "not that of api-version 2031-01-01"),
    (
        f"{ACCOUNT}/blobServices/containers/immutabilityPolicies",
        ["properties", "state"],
        "Locked",
        None,
        "it is read-only",
    ),
    (
        "Microsoft.Web/sites",
        ["properties", "functionAppConfig", "runtime", "name"],
        "pythn",
        None,
        "'pythn' is none of",
    ),
    ("Microsoft.Insights/scheduledQueryRules", ["properties", "severity"], "3", None, "'3' is not of type int"),
    (
        "Microsoft.Network/trafficmanagerprofiles",
        ["properties", "endpoints", 0, "properties", "weigth"],
        1,
        None,
        "there is no such member",
    ),
    (
        "Microsoft.Cdn/profiles/originGroups",
        ["properties", "healthProbeSettings", "probeRequestType"],
        "POST",
        None,
        "'POST' is none of",
    ),
    (
        "Microsoft.Network/applicationGateways",
        ["properties", "probes", 0, "properties", "interval"],
        "10",
        None,
        "'10' is not of type int",
    ),
    ("Microsoft.Insights/scheduledQueryRules", ["properties", "scopes"], "x", None, "expected a list"),
]


@pytest.mark.skipif(not PYTHON.exists(), reason="make templates installs the schemas")
def test_mistakes_are_found() -> None:
    planted = json.dumps([mistake[:4] for mistake in MISTAKES])
    result = subprocess.run(  # noqa: S603 - our own text
        [str(PYTHON), "-c", PLANT, planted], cwd=PROJECT, check=True, capture_output=True, text=True
    )
    for mistake, found in zip(MISTAKES, json.loads(result.stdout), strict=True):
        assert len(found) == 1, mistake
        assert mistake[4] in found[0]
