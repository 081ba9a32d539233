"""The settings: which services and stores there are, by name, and what is backed up when.

    {"stores": {"east": {"account_url": "https://contosoeast.blob.core.windows.net", "region": "eastus"}},
     "services": {"contoso-east": {"endpoint": "https://contoso-east.search.windows.net", "region": "eastus",
                                   "tier": "standard", "store": "east", "api_key": {"env": "CONTOSO_EAST_KEY"}}},
     "policies": {"nightly": {"service": "contoso-east", "indexes": ["*", "!tmp-*"], "schedule": "0 0 2 * * *",
                              "keep": {"daily": 7, "weekly": 4}}}}

Requests name what stands here; they never carry an endpoint, a key or a blob address.
"""

from datetime import timedelta
from typing import Annotated, Any, Literal, get_args

import msgspec

from indexvault.snapshots.retention import Retention

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


class ThrottleSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The most that a service is asked by one process: requests at once, and a second.

    Below the ceiling, indexvault asks for less by itself while the service is busy or slow. A second's cap is for
    services whose users must not notice a backup at all.
    """

    most_at_once: Annotated[int, msgspec.Meta(ge=1, le=64)] = 8
    requests_per_second: Annotated[float, msgspec.Meta(gt=0)] | None = None


class ServiceSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A search service. Without `api_key` it is reached with an Entra identity."""

    endpoint: str
    region: str
    tier: Tier
    store: str
    api_key: EnvironmentSecret | None = None
    throttle: ThrottleSettings = msgspec.field(default=ThrottleSettings(), name="pressure")


type HiddenFields = Literal["report", "fail", "reveal"]


class PolicySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is backed up, and when.

    `indexes` are names and patterns, as `settings.patterns` reads them; `schedule` is as `settings.schedule` reads it,
    in UTC. `hidden_fields` says what to do about fields that the service has and does not return: `report` them as
    losses, `fail` before anything is read, or `reveal` them while the index is read, which changes its definition.

    After each backup, first the snapshots are copied to the stores in `replicate_to`, then those that no policy's
    `keep` wants are removed from all stores; without `keep` nothing is. Durations are as in ISO 8601 (`P90D`, `PT36H`):
    chunks are written anew after `full_every`, and every stored chunk is read back once `verify_within`.
    """

    service: str
    schedule: str
    indexes: tuple[str, ...] = ("*",)
    keep: Retention | None = None
    hidden_fields: HiddenFields = "report"
    full_every: timedelta | None = None
    replicate_to: tuple[str, ...] = ()
    verify_within: timedelta | None = None


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything that is configured.

    `allow_cross_region` lets every restore and move take data out of the region of its source. `overlays` are as
    `settings.overlays` reads them.
    """

    stores: dict[str, StoreSettings]
    services: dict[str, ServiceSettings]
    policies: dict[str, PolicySettings] = {}
    allow_cross_region: bool = False
    overlays: dict[str, dict[str, dict[str, Any]]] = {}
