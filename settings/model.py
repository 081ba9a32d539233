"""The settings: which services and stores there are, by name, and what is backed up when.

    {"stores": {"east": {"account_url": "https://contosoeast.blob.core.windows.net", "region": "eastus"}},
     "services": {"contoso-east": {"endpoint": "https://contoso-east.search.windows.net", "region": "eastus",
                                   "tier": "standard", "store": "east", "api_key": {"env": "CONTOSO_EAST_KEY"}}},
     "policies": {"nightly": {"service": "contoso-east", "indexes": ["*", "!tmp-*"], "schedule": "0 0 2 * * *",
                              "keep": {"daily": 7, "weekly": 4}}}}

Requests name what stands here; they never carry an endpoint, a key or a blob address.
"""

from typing import Annotated, Literal, get_args

import msgspec

type Tier = Literal[
    "free",
    "basic",
    "standard",
    "standard2",
    "standard3",
    "standard3hd",
    "storage_optimized_l1",
    "storage_optimized_l2",
]
"""The names that Azure Resource Manager uses for a search service's SKU; `standard3hd` is standard3 in hosting mode
high density. Source: Microsoft.Search/searchServices reference, 2026-09."""

TIERS: tuple[Tier, ...] = get_args(Tier.__value__)


class EnvironmentSecret(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A secret kept in an environment variable (in Azure: an app setting, which may be a Key Vault reference)."""

    env: str


class StoreSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A blob account in one region.

    Either `account_url` (identity: Entra) or `connection_string` (the text itself only for
    `UseDevelopmentStorage=true`, else where to find it) names the account.
    """

    region: str
    account_url: str | None = None
    connection_string: str | EnvironmentSecret | None = None


class ServiceSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A search service. Without `api_key` it is reached with an Entra identity."""

    endpoint: str
    region: str
    tier: Tier
    store: str
    api_key: EnvironmentSecret | None = None


type Kept = Annotated[int, msgspec.Meta(ge=0)]


class KeepSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many snapshots of an index a policy keeps: the last ones, and the last one of each of so many periods.

    It is checked and shown; nothing is removed by it yet.
    """

    last: Kept = 0
    hourly: Kept = 0
    daily: Kept = 0
    weekly: Kept = 0
    monthly: Kept = 0
    yearly: Kept = 0


class PolicySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is backed up, and when.

    `indexes` are names and patterns, as `settings.patterns` reads them; `schedule` is as `settings.schedule` reads it,
    in UTC.
    """

    service: str
    schedule: str
    indexes: tuple[str, ...] = ("*",)
    keep: KeepSettings | None = None


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything that is configured.

    `allow_cross_region` lets every restore and move take data out of the region of its source.
    """

    stores: dict[str, StoreSettings]
    services: dict[str, ServiceSettings]
    policies: dict[str, PolicySettings] = {}
    allow_cross_region: bool = False
