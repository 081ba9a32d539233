"""A stand-in for Azure Resource Manager on loopback, as the REST API of search services documents it.

Source: Search Management REST API, Services - Get, 2025-05-01; Azure Resource Manager, common error response, 2026-09.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from indexvault.discovery import Cloud
from tests.loopback import QuietHandler, serving

GROUP = "/subscriptions/0a0a0a0a-1111-4222-8333-444444444444/resourceGroups/search-rg"


def resource_id(name: str) -> str:
    return f"{GROUP}/providers/Microsoft.Search/searchServices/{name}"


def resource(name: str, /, *, sku: str = "standard", location: str = "East US", **properties: Any) -> dict[str, Any]:
    """Return a service as Resource Manager shows it."""
    return {
        "id": resource_id(name),
        "name": name,
        "location": location,
        "type": "Microsoft.Search/searchServices",
        "sku": {"name": sku},
        "properties": {
            "replicaCount": 3,
            "partitionCount": 1,
            "endpoint": f"https://{name}.search.windows.net",
            "status": "running",
            "statusDetails": "",
            "hostingMode": "Default",
            "provisioningState": "Succeeded",
            "publicNetworkAccess": "Enabled",
            "disableLocalAuth": False,
            "authOptions": {"aadOrApiKey": {"aadAuthFailureMode": "http403"}},
            **properties,
        },
        "systemData": {"createdAt": "2025-03-04T05:06:07.89Z", "createdByType": "User"},
    }


@dataclass
class Management:
    """Where it is asked, and what it was asked: each path and Authorization header."""

    cloud: Cloud
    asked: list[tuple[str, str]] = field(default_factory=list)


@contextmanager
def management(
    resources: Mapping[str, Any], *, status: int = 200, headers: Mapping[str, str] | None = None
) -> Iterator[Management]:
    """Answer for services by name; bytes are sent as they are, and a name that is not there is a 404."""

    class Handler(QuietHandler):
        def do_GET(self) -> None:  # noqa: N802 - what the library calls
            running.asked.append((self.path, self.headers.get("Authorization", "")))
            name = self.path.partition("?")[0].rpartition("/")[2]
            found = resources.get(name, {"error": {"code": "ResourceNotFound", "message": f"{self.path} is not here"}})
            data = found if isinstance(found, bytes) else json.dumps(found).encode()
            self.send_response(status if name in resources else 404)
            for header, value in {"Content-Type": "application/json", **(headers or {})}.items():
                self.send_header(header, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    with serving(Handler) as address:
        running = Management(Cloud(address, "login.microsoftonline.com", ".search.windows.net"))
        yield running
