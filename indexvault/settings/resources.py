"""What the resource id of a search service names."""

import re

import msgspec

from indexvault.errors import SettingsError
from indexvault.search.addresses import host_of
from indexvault.settings.model import ServiceSettings

_SERVICE = re.compile(
    r"/subscriptions/(?P<subscription>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"
    r"/resourceGroups/(?P<group>[\w.()-]{0,89}[\w()-])"
    r"/providers/Microsoft\.Search/searchServices/(?P<name>[a-z0-9](?:[a-z0-9-]{0,58}[a-z0-9])?)",
    re.IGNORECASE | re.ASCII,
)
"""Source: Naming rules and restrictions for Azure resources, Microsoft.Resources and Microsoft.Search, 2026-09."""


class ServiceResource(msgspec.Struct, frozen=True):
    """A search service as a resource of Azure."""

    subscription: str
    group: str
    name: str


def resource_of(text: str) -> ServiceResource | None:
    """Return what the resource id of a search service names, or None if it is no such id."""
    found = _SERVICE.fullmatch(text)
    return ServiceResource(found["subscription"], found["group"], found["name"]) if found else None


def check_resource(service: ServiceSettings, path: str) -> None:
    """Raise SettingsError for a resource id that is none, or that is another service's than the endpoint."""
    if service.resource_id is None:
        return
    on = f"settings {path}.resource_id"
    named = resource_of(service.resource_id)
    if named is None:
        raise SettingsError(
            "expected /subscriptions/ID/resourceGroups/GROUP/providers/Microsoft.Search/searchServices/NAME",
            on=on,
            do="Copy it from the service's page in the portal: Properties, Resource ID",
        )
    host = (host_of(service.endpoint) or "").partition(":")[0]
    name, _dot, cloud = host.partition(".")
    if ".search." in f".{cloud}" and name != named.name.lower():
        raise SettingsError(
            f"it is of the service {named.name}, and the endpoint is of {name}", on=on, do="Correct one of the two"
        )
