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

from indexvault.snapshots.labels import Description, Labels, Tags
from indexvault.snapshots.names import SNAPSHOT_CONTAINER
from indexvault.snapshots.retention import Retention
from indexvault.snapshots.run_names import RUN_CONTAINER

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

PORTAL_TIERS: dict[str, Tier] = {
    "F": "free",
    "B": "basic",
    "S": "standard",
    "S1": "standard",
    "S2": "standard2",
    "S3": "standard3",
    "S3HD": "standard3hd",
    "L1": "storage_optimized_l1",
    "L2": "storage_optimized_l2",
}
"""What the portal and the pricing page call the tiers."""


class EnvironmentSecret(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A secret in an environment variable (in Azure an app setting, which may be a Key Vault reference)."""

    env: str
    """The name of the variable, never the secret itself."""


type ClientId = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$")]
"""The client id of a user-assigned managed identity: a UUID, and no secret."""


class StoreIdentities(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The user-assigned managed identities that work on a store, by purpose.

    Each is the client id of one, a UUID. Without it, that purpose has the identity that the machine has.
    """

    read: ClientId | None = None
    """Reads snapshots."""
    write: ClientId | None = None
    """Creates snapshots, and changes the records of runs."""
    prune: ClientId | None = None
    """Deletes snapshots and chunks."""


class StoreSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A storage account in one region, with two containers.

    Either `account_url` or `connection_string` names the account. No two stores share a container.
    """

    region: str
    """The account's region, such as `eastus`. A restore or move to a service of another region must be allowed."""
    account_url: str | None = None
    """`https://ACCOUNT.blob.core.windows.net`. The account is reached with an Entra identity."""
    connection_string: str | EnvironmentSecret | None = None
    """The variable that holds the account's connection string. Its text may stand here only without an account key or a
    SAS, such as `UseDevelopmentStorage=true` for Azurite."""
    token_host: str | None = None
    """A host outside Azure Storage that gets tokens of the Entra identity, such as a domain of your own. It must be the
    host of `account_url`."""
    identities: StoreIdentities = StoreIdentities()
    """An identity for each purpose, with `account_url` only."""
    snapshots_container: str = SNAPSHOT_CONTAINER
    """The container of the snapshots: 3 to 63 lower-case letters, digits and single inner dashes."""
    runs_container: str = RUN_CONTAINER
    """The container of locks, pins and records of runs: another one than that of the snapshots."""


class ThrottleSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The most requests that one process sends to a service.

    While the service is busy or slow, indexvault sends fewer by itself.
    """

    most_at_once: Annotated[int, msgspec.Meta(ge=1, le=64)] = 8
    """Requests at the same time."""
    requests_per_second: Annotated[float, msgspec.Meta(gt=0)] | None = None
    """Requests in a second, for services whose users must not notice a backup at all."""


class ServiceSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A search service."""

    endpoint: str
    """`https://NAME.search.windows.net`."""
    region: str
    """The service's region, such as `eastus`."""
    tier: Tier
    """The service's tier, as Azure Resource Manager names it; `standard3hd` is `standard3` in hosting mode high
    density."""
    store: str
    """The store that its snapshots go to."""
    api_key: EnvironmentSecret | None = None
    """The variable that holds an API key. Without it, an Entra identity is used."""
    token_host: str | None = None
    """A host outside Azure AI Search that gets tokens of the Entra identity. It must be the host of `endpoint`."""
    throttle: ThrottleSettings = msgspec.field(default=ThrottleSettings(), name="pressure")
    """The most requests that one process sends to it."""
    resource_id: str | None = None
    """The service's id in Azure Resource Manager,
    `/subscriptions/ID/resourceGroups/GROUP/providers/Microsoft.Search/searchServices/NAME`. `indexvault readiness`
    asks there for replicas, tier and age."""
    replicas: Annotated[int, msgspec.Meta(ge=1, le=12)] | None = None
    """How many replicas it has, where Azure Resource Manager can't be asked."""
    settle_seconds: Annotated[int, msgspec.Meta(ge=0, le=3600)] = 600
    """How long runs wait for its counts to agree. With several partitions and one replica they can be off for minutes.
    Source: Search documents (REST API), `count`, 2026-09."""


type HiddenFields = Literal["report", "fail", "reveal"]


type FieldPath = Annotated[
    str, msgspec.Meta(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,127}(/[A-Za-z][A-Za-z0-9_]{0,127}){0,9}$(?!\n)")
]
"""A field of an index, with `/` before a member of a complex field. Source: Naming rules (REST API), 2026-09."""


class ChangesSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Reading only the documents that a field says were changed.

    Between two full readings, snapshots are `presumed`: they are as good as the field.
    """

    field: FieldPath
    """The field that every writer sets when it changes a document: filterable and sortable, and rising."""
    margin: timedelta = timedelta(minutes=10)
    """How far the field of a document that is written may lie behind the clock, ten minutes if left
    out: what was changed in so much time before the last reading is read again."""
    prove_every: timedelta = timedelta(days=7)
    """After how long the whole index is read again, an hour or more, a week if left out. That proves the snapshots
    between, or says what they missed."""


class PolicySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What of a service is backed up, when, and how long it is kept.

    After each backup, the snapshots are first copied to the stores in `replicate_to`. Then those that no policy's
    `keep` wants are removed from all stores.
    """

    service: str
    """The service to back up."""
    schedule: str
    """When, in UTC, in six fields: second, minute, hour, day, month, day of the week. `0 0 2 * * *` is two o'clock
    every night."""
    indexes: tuple[str, ...] = ("*",)
    """Names of indexes, and patterns with `*`; one with `!` in front leaves out. The last entry that matches
    decides."""
    keep: Retention | None = None
    """Which snapshots stay. Without it, nothing is removed but what has expired."""
    description: Description = ""
    """What its snapshots say of themselves, in one line."""
    tags: Tags = {}
    """What its snapshots are tagged with, such as `{"env": "production"}`."""
    expires: timedelta | None = None
    """After how long its snapshots go, whatever `keep` says, an hour or more. Until then they stay. Without it,
    never."""
    time_limit: timedelta | None = None
    """How long a run may work, such as `PT6H`. The next tick ends a run past it, as failed. Without it, any time."""
    hidden_fields: HiddenFields = "report"
    """What to do about fields that the service does not return: `report` them as losses, `fail` before anything is
    read, or `reveal` them while the index is read, which changes its definition."""
    full_every: timedelta | None = None
    """After how long all chunks are written again instead of shared, a day or more. Without it, never."""
    replicate_to: tuple[str, ...] = ()
    """Other stores that get a copy of each snapshot."""
    regions: tuple[str, ...] | None = None
    """The regions that its documents may be in, such as `["westeurope", "northeurope"]`. Copies, restores, moves,
    drills and failovers elsewhere are refused, whatever else allows them. Without it, any region that
    `allow_cross_region` leaves open."""
    changes: ChangesSettings | None = None
    """Read only what a field says was changed. Without it, every backup reads the whole index."""
    verify_within: timedelta | None = None
    """The time in which every stored chunk is read back once, a day or more. Without it, 91 days."""
    recovery_point: timedelta | None = None
    """How old the last complete snapshot of an index may be, a minute or more: when it is older, the index's status is
    red. Without it, twice the longest time between two scheduled times."""

    @property
    def labels(self) -> Labels:
        """What its snapshots carry."""
        return Labels(description=self.description, tags=self.tags, expires=self.expires)


class DrillQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A query that the restored index and the live one are asked."""

    search: str = "*"
    """What to search for."""
    filter: str | None = None
    """An OData filter."""
    orderby: str | None = None
    """An order, such as `Rating desc`."""
    top: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 10
    """How many of the first documents to compare."""


class DrillSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A drill: the last snapshots of a service are restored under temporary names, proved, queried and removed."""

    service: str
    """The service whose snapshots are restored."""
    target: str
    """The service to restore them on: a standby, or one that is there for drills."""
    schedule: str
    """When, in UTC, in six fields as a policy's."""
    indexes: tuple[str, ...] = ("*",)
    """Names of indexes, and patterns with `*`, as a policy's."""
    recovery_time: timedelta | None = None
    """How long a restore may take, a minute or more. A drill that takes longer has failed."""
    overlay: str | None = None
    """The overlay that completes definitions on the target."""
    queries: Annotated[tuple[DrillQuery, ...], msgspec.Meta(max_length=20)] = ()
    """Queries that the restored index and the live one must answer alike: at least half of what each finds is found by
    the other."""


type PairMode = Literal["hot-cold", "hot-warm", "hot-hot"]
"""What a standby is kept at: snapshots beside it, a copy that follows the snapshots, or a service that is written to as
the primary is."""

type PairedKind = Literal["synonymmaps", "indexers", "skillsets", "datasources", "aliases"]
"""Kinds of objects that can have another mode than their pair."""


class PairSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Two services in two regions, of which one takes over when the other fails.

    A service is in one pair at most.
    """

    primary: str
    """The service that is active until a failover."""
    recovery_point: timedelta
    """How much may be lost, a minute or more: no shorter than the longest time between two backups of the policies that
    feed the standby, or between two measurements of drift."""
    recovery_time: timedelta
    """How long a failover may take, a minute or more."""
    standby: str | None = None
    """The service that takes over. Only with `hot-cold` may it be left out: then a failover names one."""
    store: str | None = None
    """The store in the standby's region. Without it, the standby's."""
    mode: PairMode = "hot-warm"
    """`hot-cold`: snapshots are copied to the standby's store, and restored by a failover. `hot-warm`: the standby is
    brought to each new snapshot as well. `hot-hot`: the application or indexers write to both, and indexvault measures
    what differs."""
    indexes: tuple[str, ...] = ("*",)
    """Names of indexes, and patterns with `*`, as a policy's."""
    kinds: dict[PairedKind, PairMode] = {}
    """Modes of the other objects, by kind: `synonymmaps`, `datasources`, `skillsets`, `indexers` and `aliases`. A kind
    that is left out has the pair's mode. `hot-hot` leaves both services' objects of that kind to you."""
    overlay: str | None = None
    """The overlay that completes definitions on the standby."""
    drift_schedule: str | None = None
    """When to measure what differs, in UTC, in six fields as a policy's. `hot-hot` needs it."""
    authority: str | None = None
    """With `hot-hot`, the service that repairs take documents from. Without it, the primary."""
    geo_redundant: tuple[str, ...] = ()
    """Names of data sources whose data is in both regions. indexvault takes your word for it."""
    allow_cross_region: bool = False
    """Whether its documents may be taken to the other region. They must be, here or for all pairs."""

    @property
    def modes(self) -> frozenset[PairMode]:
        """The modes of its indexes and of its other objects."""
        return frozenset((self.mode, *self.kinds.values()))

    def mode_of(self, kind: str) -> PairMode:
        """Return the mode of a kind of objects, such as `indexers`; of `indexes`, the pair's."""
        return next((mode for each, mode in self.kinds.items() if each == kind), self.mode)


class RequestLimits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The most runs that requests over HTTP may leave unfinished in a store, at work or waiting.

    Runs that policies start don't count.
    """

    runs_per_key: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 10
    """Of one function key."""
    runs: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 50
    """In all."""


class WebhookSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where alerts are sent."""

    url: EnvironmentSecret
    """The variable that holds its address: https, or http on loopback. Whoever has it can post there."""
    format: Literal["json", "teams", "slack"] = "json"
    """Plain `json`, an Adaptive Card for a workflow of `teams`, or blocks for `slack`."""
    secret: EnvironmentSecret | None = None
    """The variable that holds what messages are signed with, of 32 characters or more. Without it, they are not
    signed."""
    level: Literal["amber", "red"] = "amber"
    """The least level that it is told of."""
    kinds: tuple[str, ...] = ()
    """The kinds of alerts that it is told of, such as `recovery-point`. Without any, all."""


class PriceSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What storage costs, for estimates. The defaults are examples: look your own prices up."""

    currency: str = "USD"
    """What the prices are in."""
    as_of: str = "2026-09, an example: East US, Hot, LRS"
    """Of when and where they are. It stands beside each estimate."""
    gigabyte_month: Annotated[float, msgspec.Meta(ge=0)] = 0.018
    """A gigabyte (1,000,000,000 bytes) kept for a month."""
    ten_thousand_writes: Annotated[float, msgspec.Meta(ge=0)] = 0.05
    """Ten thousand blobs written."""


class AlertSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is told of trouble, and to whom."""

    webhooks: dict[str, WebhookSettings] = {}
    """Where alerts are sent, by name."""


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything that is configured.

    Names of stores, services, policies, drills, pairs and overlays are lower-case letters, digits and inner dashes.
    """

    stores: dict[str, StoreSettings]
    """Where snapshots are kept."""
    services: dict[str, ServiceSettings]
    """The search services that are backed up and restored to."""
    policies: dict[str, PolicySettings] = {}
    """What the Functions app backs up by itself."""
    drills: dict[str, DrillSettings] = {}
    """What the Functions app restores by itself, to see that it could."""
    pairs: dict[str, PairSettings] = {}
    """Services that take over from each other."""
    allow_cross_region: bool = False
    """Whether every restore and move may take data out of its source's region."""
    allow_cross_region_requests: bool = False
    """Whether those that ask for it over HTTP may."""
    allow_removal_requests: bool = False
    """Whether requests over HTTP may remove and unpin snapshots. Else only policies and the command line with these
    settings do."""
    overlays: dict[str, dict[str, dict[str, Any]]] = {}
    """Changes to definitions for a restore elsewhere, by name, kind and object, with the secrets that no service
    returns."""
    record_key: EnvironmentSecret | None = None
    """The variable that holds what records and manifests are signed with: one key, or several separated by commas, of
    which the first signs and all verify."""
    requests: RequestLimits = RequestLimits()
    """How many runs requests over HTTP may leave unfinished."""
    alerts: AlertSettings = AlertSettings()
    """What is told of trouble, and to whom."""
    prices: PriceSettings = PriceSettings()
    """What storage costs, for estimates."""

    def place_of(self, path: str) -> str:
        """Return how an error names the member at a path such as `$.services.contoso-east.api_key`."""
        return f"settings {path}"
