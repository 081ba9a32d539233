"""The settings: services and stores by name, and what to back up when.

    {"stores": {"east": {"account_url": "https://contosoeast.blob.core.windows.net", "region": "eastus"}},
     "services": {"contoso-east": {"endpoint": "https://contoso-east.search.windows.net", "region": "eastus",
                                   "tier": "standard", "store": "east", "api_key": {"env": "CONTOSO_EAST_KEY"}}},
     "policies": {"nightly": {"service": "contoso-east", "indexes": ["*", "!tmp-*"], "schedule": "0 0 2 * * *",
                              "keep": {"daily": 7, "weekly": 4}}}}

Requests refer to these names; they never carry an endpoint, a key or a blob's URL.
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
    "serverless_developer",
]
"""The names that Azure Resource Manager uses for a search service's SKU; `standard3hd` is standard3 in hosting mode
high density. `serverless_developer` is the tier in preview, whose SKU's name is not documented. Source:
Microsoft.Search/searchServices reference, 2026-09; Service limits in Azure AI Search, 2026-06."""

TIERS: tuple[Tier, ...] = get_args(Tier.__value__)


class EnvironmentSecret(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A secret in an environment variable (in Azure an app setting, which may be a Key Vault reference)."""

    env: str


type ClientId = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$")]
"""The client id of a user-assigned managed identity: a UUID, and no secret."""


class StoreIdentities(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The managed identities that work on a store, by purpose; None is the identity that this machine has.

    `read` reads snapshots, `write` creates them and changes the records of runs, `prune` deletes snapshots and chunks.
    """

    read: ClientId | None = None
    write: ClientId | None = None
    prune: ClientId | None = None


class StoreSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A storage account in one region.

    Either `account_url` (with an Entra identity) or `connection_string` names the account. The text of a connection
    string may stand here only without an account key or a SAS, such as `UseDevelopmentStorage=true`. Tokens of the
    identity go to hosts of Azure Storage; another host gets them only if `token_host` names it. With `identities`, one
    for each purpose is used with `account_url`.
    """

    region: str
    account_url: str | None = None
    connection_string: str | EnvironmentSecret | None = None
    token_host: str | None = None
    identities: StoreIdentities = StoreIdentities()


class ThrottleSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The most requests that one process sends to a service: at once, and per second.

    While the service is busy or slow, indexvault sends fewer by itself. `requests_per_second` is for services whose
    users must not notice a backup at all.
    """

    most_at_once: Annotated[int, msgspec.Meta(ge=1, le=64)] = 8
    requests_per_second: Annotated[float, msgspec.Meta(gt=0)] | None = None


class ServiceSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A search service. Without `api_key`, an Entra identity is used. `throttle` is called `pressure` in the JSON.

    Tokens of the identity go to hosts of Azure AI Search; another host gets them only if `token_host` names it.

    Runs wait up to `settle_seconds` for its counts to agree: with several partitions and one replica, they can be off
    for minutes. Source: Search documents (REST API), `count`, 2026-09.
    """

    endpoint: str
    region: str
    tier: Tier
    store: str
    api_key: EnvironmentSecret | None = None
    token_host: str | None = None
    throttle: ThrottleSettings = msgspec.field(default=ThrottleSettings(), name="pressure")
    settle_seconds: Annotated[int, msgspec.Meta(ge=0, le=3600)] = 600


type HiddenFields = Literal["report", "fail", "reveal"]


class PolicySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is backed up, and when.

    `indexes` are names and patterns (see `settings.patterns`), `schedule` is in UTC (see `settings.schedule`).
    `hidden_fields` says what to do about fields that the service does not return: `report` them as losses, `fail`
    before anything is read, or `reveal` them while the index is read, which changes its definition.

    After each backup, the snapshots are first copied to the stores in `replicate_to`. Then those that no policy's
    `keep` wants are removed from all stores; without `keep`, nothing is removed. Durations are in ISO 8601 (`P90D`,
    `PT36H`): all chunks are written again after `full_every`, and every stored chunk is read back once in
    `verify_within`.
    """

    service: str
    schedule: str
    indexes: tuple[str, ...] = ("*",)
    keep: Retention | None = None
    hidden_fields: HiddenFields = "report"
    full_every: timedelta | None = None
    replicate_to: tuple[str, ...] = ()
    verify_within: timedelta | None = None


class RequestLimits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The most runs that requests may leave unfinished in a store, at work or waiting: of one function key, and in all.

    Runs that policies start don't count.
    """

    runs_per_key: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 10
    runs: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 50


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything that is configured.

    `allow_cross_region` lets every restore and move take data out of its source's region;
    `allow_cross_region_requests` lets those that ask for it over HTTP. `allow_removal_requests` lets requests over HTTP
    prune and unpin snapshots, else only policies and the command line with these settings do. For `overlays` see
    `settings.overlays`. `record_key` is what records and manifests are signed with: one key, or several separated by
    commas, of which the first signs and all verify.
    """

    stores: dict[str, StoreSettings]
    services: dict[str, ServiceSettings]
    policies: dict[str, PolicySettings] = {}
    allow_cross_region: bool = False
    allow_cross_region_requests: bool = False
    allow_removal_requests: bool = False
    overlays: dict[str, dict[str, dict[str, Any]]] = {}
    record_key: EnvironmentSecret | None = None
    requests: RequestLimits = RequestLimits()
