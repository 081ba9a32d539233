"""Check what the templates deploy against the schemas of Azure's resources: `make templates`.

The schemas are those of Microsoft's management libraries. Names of members, what is required or read-only, kinds of
values and, where the library knows them, words that are allowed. Each library must speak the api-version that the
template names.
"""

import importlib
import sys
import types
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.infra.bicep import Deployed, deploy
from tests.infra.deployments import DEPLOYMENTS, ROUTERS, TEMPLATE, deployed_router

MODELS = {
    "Microsoft.Authorization/roleAssignments": "authorization.v2022_04_01.models:RoleAssignmentCreateParameters",
    "Microsoft.Authorization/roleDefinitions": "authorization.v2022_04_01.models:RoleDefinition",
    "Microsoft.Cdn/profiles": "cdn.models:Profile",
    "Microsoft.Cdn/profiles/afdEndpoints": "cdn.models:AFDEndpoint",
    "Microsoft.Cdn/profiles/afdEndpoints/routes": "cdn.models:Route",
    "Microsoft.Cdn/profiles/originGroups": "cdn.models:AFDOriginGroup",
    "Microsoft.Cdn/profiles/originGroups/origins": "cdn.models:AFDOrigin",
    "Microsoft.Insights/actionGroups": "monitor.models:ActionGroupResource",
    "Microsoft.Insights/components": "applicationinsights.v2020_02_02.models:ApplicationInsightsComponent",
    "Microsoft.Insights/scheduledQueryRules": "monitor.models:ScheduledQueryRuleResource",
    "Microsoft.ManagedIdentity/userAssignedIdentities": "msi.v2024_11_30.models:Identity",
    "Microsoft.Network/applicationGateways": "network.models:ApplicationGateway",
    "Microsoft.Network/privateDnsZones": "privatedns.models:PrivateZone",
    "Microsoft.Network/privateDnsZones/virtualNetworkLinks": "privatedns.models:VirtualNetworkLink",
    "Microsoft.Network/privateEndpoints": "network.models:PrivateEndpoint",
    "Microsoft.Network/privateEndpoints/privateDnsZoneGroups": "network.models:PrivateDnsZoneGroup",
    "Microsoft.Network/publicIPAddresses": "network.models:PublicIPAddress",
    "Microsoft.Network/trafficmanagerprofiles": "trafficmanager.models:Profile",
    "Microsoft.Network/virtualNetworks": "network.models:VirtualNetwork",
    "Microsoft.OperationalInsights/workspaces": "loganalytics.models:Workspace",
    "Microsoft.Storage/storageAccounts": "storage.models:StorageAccountCreateParameters",
    "Microsoft.Storage/storageAccounts/blobServices": "storage.models:BlobServiceProperties",
    "Microsoft.Storage/storageAccounts/blobServices/containers": "storage.models:BlobContainer",
    "Microsoft.Storage/storageAccounts/blobServices/containers/immutabilityPolicies": (
        "storage.models:ImmutabilityPolicy"
    ),
    "Microsoft.Storage/storageAccounts/managementPolicies": "storage.models:ManagementPolicy",
    "Microsoft.Web/serverfarms": "web.models:AppServicePlan",
    "Microsoft.Web/sites": "web.models:Site",
    "Microsoft.Web/sites/basicPublishingCredentialsPolicies": "web.models:CsmPublishingCredentialsPoliciesEntity",
    "Microsoft.Web/sites/config": "web.models:StringDictionary",
}
WITHOUT_SCHEMA = {"Microsoft.Resources/resourceGroups"}
"""A name, a region and tags."""

_SCALARS: dict[str, type | tuple[type, ...]] = {
    "str": str,
    "bool": bool,
    "int": int,
    "float": (int, float),
    "long": int,
    "iso-8601": str,
    "duration": str,
}


class Member(typing.NamedTuple):
    """What a schema says of a member: its kind is a model, a list or map of a kind, words, or a type."""

    kind: Any
    required: bool
    read_only: bool


def main() -> int:
    """Check every deployment, and return the exit code."""
    checked: set[str] = set()
    problems: dict[str, None] = {}
    deployments = [deploy(TEMPLATE, given) for given in DEPLOYMENTS.values()]
    for made in [*deployments, *map(deployed_router, ROUTERS)]:
        for each in made.resources:
            checked.add(f"{each.type}@{each.version}")
            problems |= dict.fromkeys(problems_of(each))
    for problem in problems:
        sys.stdout.write(f"{problem}\n")
    sys.stdout.write(f"{len(checked)} types of resources checked, {len(problems)} problems\n")
    return 1 if problems else 0


def problems_of(resource: Deployed) -> Iterator[str]:
    """Yield what is wrong with a resource by its schema."""
    if resource.type in WITHOUT_SCHEMA:
        return
    if resource.type not in MODELS:
        yield f"{resource.type}: no schema is known"
        return
    module, _, model = MODELS[resource.type].partition(":")
    package = importlib.import_module(f"azure.mgmt.{module}")
    if not speaks(Path(str(package.__file__)).parent.parent, resource.version):
        yield f"{resource.type}: the schema is not that of api-version {resource.version}"
    body = {key: value for key, value in resource.body.items() if key != "name"}
    yield from compare(body, getattr(package, model), resource.type)


def speaks(library: Path, version: str) -> bool:
    """Tell whether a management library sends an api-version."""
    sources = [library / "_configuration.py", *library.glob("operations/*.py")]
    return any(f'"{version}"' in path.read_text(encoding="utf-8") for path in sources if path.exists())


def compare(value: Any, kind: Any, where: str) -> Iterator[str]:
    """Yield what in a value is not of a kind."""
    if kind is Any or value is None:
        return
    if isinstance(kind, tuple):
        yield from compare_parts(value, kind, where)
    elif isinstance(kind, str):
        wanted = _SCALARS.get(kind, object)
        if not isinstance(value, wanted) or (kind != "bool" and isinstance(value, bool)):
            yield f"{where}: {value!r} is not of type {kind}"
    else:
        yield from compare_members(value, kind if isinstance(kind, dict) else members(kind), where)


def compare_parts(value: Any, kind: tuple[str, Any], where: str) -> Iterator[str]:
    """Yield what in a value is not of a kind that is a list, a map, or words."""
    shape, inner = kind
    wanted: Any = list if shape == "list" else dict
    if shape == "words":
        if value not in inner:
            yield f"{where}: {value!r} is none of {', '.join(sorted(inner))}"
    elif not isinstance(value, wanted):
        yield f"{where}: expected {'a list' if shape == 'list' else 'an object'}"
    elif shape == "list":
        for item in value:
            yield from compare(item, inner, f"{where}[]")
    else:
        for key, item in value.items():
            yield from compare(item, inner, f"{where}.{key}")


def compare_members(value: Any, known: Mapping[str, Member], where: str) -> Iterator[str]:
    """Yield what is wrong with an object's members."""
    if not isinstance(value, dict):
        yield f"{where}: expected an object"
        return
    for key, item in value.items():
        if key not in known:
            yield f"{where}.{key}: there is no such member"
        elif known[key].read_only:
            yield f"{where}.{key}: it is read-only"
        else:
            yield from compare(item, known[key].kind, f"{where}.{key}")
    for key, member in known.items():
        if member.required and not member.read_only and key not in value:
            yield f"{where}.{key}: it is required"


def members(model: Any) -> dict[str, Member]:
    """Return the members of a library's model, of either generator."""
    return described(model) if hasattr(model, "_attribute_map") else annotated(model)


def described(model: Any) -> dict[str, Member]:
    """Return the members of a model that has a map of its attributes. It flattens what is below `properties`."""
    package = importlib.import_module(model.__module__.rpartition(".")[0])
    names = {"_models": package} | vars(importlib.import_module(model.__module__))
    hints = model.__init__.__annotations__
    found: dict[str, Any] = {}
    for name, given in model._attribute_map.items():
        rules = model._validation.get(name, {})
        *above, last = given["key"].replace("\\.", "\0").split(".")
        level = found
        for part in above:
            level = level.setdefault(part, Member({}, required=False, read_only=False)).kind
        kind = described_kind(given["type"], package)
        # The map calls words texts; the annotation knows which.
        words = annotated_kind(hints[name], names) if kind == "str" and name in hints else kind
        level[last.replace("\0", ".")] = Member(words, rules.get("required", False), rules.get("readonly", False))
    return found


def described_kind(text: str, package: types.ModuleType) -> Any:
    """Return the kind that such a map names: `[X]` is a list, `{X}` a map."""
    if text.startswith("["):
        return ("list", described_kind(text[1:-1], package))
    if text.startswith("{"):
        return ("map", described_kind(text[1:-1], package))
    return text if text in _SCALARS else getattr(package, text, Any)


def annotated(model: Any) -> dict[str, Member]:
    """Return the members of a model whose attributes are annotated fields."""
    package = importlib.import_module(model.__module__)
    names = {"_models": importlib.import_module(model.__module__.rpartition(".")[0])} | vars(package)
    fields = model({})._attr_to_rest_field
    hints: dict[str, Any] = {}
    for each in reversed(model.__mro__):
        hints |= {key: hint for key, hint in getattr(each, "__annotations__", {}).items() if key in fields}
    found = {}
    for key, rest in fields.items():
        hint = hints[key] if not isinstance(hints[key], str) else eval(hints[key], names)  # noqa: S307 - its own source
        optional = type(None) in typing.get_args(hint)
        read_only = rest._visibility == ["read"]
        found[rest._rest_name] = Member(annotated_kind(hint, names), not optional, read_only)
    return found


def annotated_kind(hint: Any, names: Mapping[str, Any]) -> Any:
    """Return the kind that an annotation means."""
    if isinstance(hint, typing.ForwardRef):
        hint = hint.__forward_arg__
    if isinstance(hint, str):
        hint = eval(hint, dict(names))  # noqa: S307 - the library's own source
    origin, inner = typing.get_origin(hint), [each for each in typing.get_args(hint) if each is not type(None)]
    if origin is list:
        return ("list", annotated_kind(inner[0], names))
    if origin is dict:
        return ("map", annotated_kind(inner[1], names))
    if origin in (typing.Union, types.UnionType, typing.Literal):
        kinds = [each if origin is typing.Literal else annotated_kind(each, names) for each in inner]
        words = [kind for kind in kinds if isinstance(kind, tuple) and kind[0] == "words"]
        return words[0] if words else kinds[0]
    if hasattr(hint, "__members__"):
        return ("words", {str(each.value) for each in hint})
    if hasattr(hint, "_is_model"):
        return hint
    return hint.__name__ if getattr(hint, "__name__", "") in _SCALARS else Any


if __name__ == "__main__":
    sys.exit(main())
