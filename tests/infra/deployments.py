"""The deployments that tests look at: both files of parameters, and what they leave at its default turned on."""

from pathlib import Path
from typing import Any

from tests.infra.bicep import Deployment, deploy, parameters

INFRA = Path(__file__).parents[2] / "infra"
TEMPLATE = INFRA / "main.bicep"
VAULT = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/keys/providers/Microsoft.KeyVault/vaults/kv"
PRUNER = "44444444-0000-4000-8000-000000000000"

_ONE, _PAIR = (parameters(INFRA / f"{name}.bicepparam", {}) for name in ("main", "pair"))
_WITHOUT_KEEP = {
    name: {key: value for key, value in policy.items() if key != "keep"} for name, policy in _PAIR["policies"].items()
}
DEPLOYMENTS: dict[str, dict[str, Any]] = {
    "one region": _ONE,
    "pair": _PAIR,
    "everything": _PAIR
    | {
        "privateNetwork": True,
        "pruneInApp": False,
        "pruners": [PRUNER],
        "policies": _WITHOUT_KEEP,
        "recordKeyVaultId": VAULT,
        "alertEmails": ["alerts@example.com"],
        "coolAfterDays": 30,
    },
}

CLIENTS = [
    {"name": "east", "host": "search-east.example.com", "region": "eastus", "enabled": True},
    {"name": "west", "host": "search-west.example.com", "region": "westus2", "enabled": True},
]
_NETWORK = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/net/providers/Microsoft.Network"
_IDENTITY = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/net/providers/Microsoft.ManagedIdentity"
_WITHOUT_REGION = [{key: value for key, value in each.items() if key != "region"} for each in CLIENTS]
ROUTERS: dict[str, dict[str, Any]] = {
    "traffic-manager": {"name": "contoso-search", "clients": CLIENTS},
    "front-door": {"name": "contoso-search", "clients": _WITHOUT_REGION},
    "application-gateway": {
        "name": "agw-search-east",
        "location": "eastus",
        "clients": _WITHOUT_REGION,
        "subnetId": f"{_NETWORK}/virtualNetworks/vnet/subnets/gateways",
        "privateAddress": "10.1.0.10",
        "certificateSecretId": "https://keys.vault.azure.net/secrets/search-callers",
        "identityId": f"{_IDENTITY}/userAssignedIdentities/gateway",
    },
}
"""What stands before the clients of a pair: the templates of infra/routing, each on its own."""


def deployed_router(which: str, **changes: Any) -> Deployment:
    """Evaluate the template of a router."""
    return deploy(INFRA / f"routing/{which}.bicep", ROUTERS[which] | changes, group="search")
