"""The deployments that tests look at: both files of parameters, and what they leave at its default turned on."""

from pathlib import Path
from typing import Any

from tests.infra.bicep import parameters

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
