"""One emulated service: its configuration, its indexes and other definitions."""

import itertools
import random
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec

from emulator import definitions, index_rules, resources
from emulator.access import Guard
from emulator.failures import ServiceError, invalid_request, precondition_failed
from emulator.faults import Faults, Plan
from emulator.index import Index
from emulator.indexing import Reader
from emulator.redaction import redacted, written
from emulator.statistics import service_statistics
from emulator.storage import Database
from emulator.tiers import TIERS, Tier
from emulator.versions import ApiVersion

type Body = dict[str, Any]

_INDEXES = "indexes"


class EmulatedService(msgspec.Struct, frozen=True, kw_only=True):
    """How a service is set up.

    `tier` is one of emulator.tiers.TIERS. `role_keys` maps further keys (or bearer tokens) to roles joined by `+`;
    see emulator.access.ROLES. `quotas` replaces single quotas of the tier by name, `documents` among them.

    `keeps_etags` lets an identical PUT keep a definition's ETag; whether the service does is not documented.
    `renews_etags` gives a created definition another ETag by itself after it was first read, as recorded traffic shows
    for indexers. `makes_classic_indexes` accepts ClassicSimilarity, as services did before July 2020. Without
    `knows_preview` every preview api-version is refused. `newer_indexes`
    says what a version makes of an index with members that it does not know: it leaves them out, or it refuses the
    index, perhaps in lists too. `counts_protected` says whether `$count` counts documents that access lists keep from
    the caller, which is not documented.
    """

    name: str
    tier: str = "standard"
    region: str = "local"
    api_key: str = "admin-key"
    query_key: str = "query-key"
    role_keys: Mapping[str, str] = {}
    replicas: int = 1
    quotas: Mapping[str, int] = {}
    keeps_etags: bool = False
    renews_etags: bool = False
    makes_classic_indexes: bool = False
    knows_preview: bool = True
    faults: Plan = Plan()
    newer_indexes: Literal["shown", "refused", "refused in lists"] = "shown"
    counts_protected: bool = True


class Conditions(msgspec.Struct, frozen=True):
    """The `If-Match` and `If-None-Match` of a request."""

    match: str | None = None
    none_match: str | None = None

    def check(self, etag: str | None) -> None:
        """Refuse a write to a resource with this ETag, or None if it does not exist."""
        if self.match is not None and (etag is None or (self.match != "*" and _bare(self.match) != _bare(etag))):
            raise precondition_failed()
        if self.none_match is None or etag is None:
            return
        if self.none_match == "*" or _bare(self.none_match) == _bare(etag):
            raise precondition_failed()


class Stored(msgspec.Struct, frozen=True):
    """A definition and its ETag."""

    etag: str
    body: Body


class Service:
    """A service's state. Nothing here knows HTTP."""

    def __init__(self, setup: EmulatedService, storage: Path | None) -> None:
        self.setup = setup
        self.tier: Tier = msgspec.structs.replace(TIERS[setup.tier], **setup.quotas)
        self.guard = Guard(setup.api_key, setup.query_key, setup.role_keys)
        self.faults = Faults(setup.faults)
        self.random = random.Random(setup.name)  # noqa: S311  # repeatable, not secret
        self.database = Database(storage, setup.name)
        self._etags = itertools.count(time.time_ns() // 100)
        self.indexes: dict[str, Index] = {}
        self.readers: dict[str, Reader] = {}
        for name, etag, body in self.database.resources(_INDEXES):
            self._open(name, Index(msgspec.json.decode(body), etag, self.database))
        self.resources: dict[str, dict[str, Stored]] = {
            kind: {name: Stored(etag, msgspec.json.decode(body)) for name, etag, body in self.database.resources(kind)}
            for kind in resources.KINDS
        }
        self.indexer_results: dict[str, str] = {}
        self._to_renew: set[tuple[str, str]] = set()

    def close(self) -> None:
        """Close the database."""
        self.database.close()

    def index(self, name: str) -> Index:
        """Return an index by its name or alias, with due writes made visible."""
        alias = self.resources["aliases"].get(name)
        index = self.indexes.get(alias.body["indexes"][0] if alias else name)
        if index is None:
            raise ServiceError(404, f"The index '{name}' for service '{self.setup.name}' was not found.")
        index.settle(time.monotonic())
        return index

    def definition(self, name: str, version: ApiVersion) -> Stored:
        """Return an index's definition as it is shown."""
        index = self._existing_index(name)
        shown = Stored(index.etag, definitions.read_back(index.definition, version))
        if self._is_to_renew(_INDEXES, name):
            index.redefine(index.definition, self._etag())
            self._keep_index(index)
        return shown

    def create_index(self, body: Body, version: ApiVersion) -> Stored:
        """Create an index that must not exist."""
        definition = definitions.normalised(written(body, None), version)
        name = definition["name"]
        if name in self.indexes or name in self.resources["aliases"]:
            raise ServiceError(
                409, f"Cannot create index '{name}' because it already exists.", code="ResourceNameAlreadyInUse"
            )
        return self._create_index(definition, version)

    def put_index(
        self, name: str, body: Body, version: ApiVersion, conditions: Conditions, *, downtime_allowed: bool
    ) -> tuple[Stored, bool]:
        """Create or update an index; return whether it was created."""
        existing = self.indexes.get(name)
        if body.get("name", name) != name:
            raise invalid_request(f"index : The name in the URL, '{name}', is not the one in the body.")
        conditions.check(existing.etag if existing else None)
        body = written({**body, "name": name}, existing.definition if existing else None)
        definition = definitions.normalised(body, version)
        if existing is None:
            return self._create_index(definition, version), True
        definition = definitions.with_unknown_kept(definition, existing.definition, version)
        index_rules.check(definition, self.tier, self.resources["synonymmaps"])
        index_rules.check_update(existing.definition, definition, downtime_allowed=downtime_allowed)
        if not (self.setup.keeps_etags and definition == existing.definition):
            with self.database.transaction():
                existing.redefine(definition, self._etag())
                self._keep_index(existing)
            self._open(name, existing)
        return self.definition(name, version), False

    def delete_index(self, name: str, conditions: Conditions) -> None:
        """Delete an index that no alias points to."""
        existing = self.indexes.get(name)
        conditions.check(existing.etag if existing else None)
        index = self._existing_index(name)
        holders = [alias for alias, stored in self.resources["aliases"].items() if name in stored.body["indexes"]]
        if holders:
            raise ServiceError(
                400, f"The index '{name}' can't be deleted because it is in use by the aliases: {', '.join(holders)}."
            )
        with self.database.transaction():
            index.table.drop()
            self.database.delete_resource(_INDEXES, name)
        del self.indexes[name], self.readers[name]

    def resource(self, kind: str, name: str) -> Stored:
        """Return a definition as it is shown."""
        stored = self.resources[kind].get(name)
        if stored is None:
            noun = resources.KINDS[kind].noun
            raise ServiceError(404, f"No {noun} with the name '{name}' was found in service '{self.setup.name}'.")
        if self._is_to_renew(kind, name):
            self._keep(kind, Stored(self._etag(), stored.body))
        return Stored(stored.etag, redacted(stored.body))

    def create_resource(self, kind: str, body: Body, version: ApiVersion) -> Stored:
        """Create a definition that must not exist."""
        name = body.get("name")
        if isinstance(name, str) and name in self.resources[kind]:
            noun = resources.KINDS[kind].noun
            raise ServiceError(
                409, f"Cannot create {noun} '{name}' because it already exists.", code="ResourceNameAlreadyInUse"
            )
        return self._put(kind, body, None, version)

    def put_resource(
        self, kind: str, name: str, body: Body, version: ApiVersion, conditions: Conditions
    ) -> tuple[Stored, bool]:
        """Create or update a definition; return whether it was created."""
        existing = self.resources[kind].get(name)
        conditions.check(existing.etag if existing else None)
        if body.get("name", name) != name:
            raise invalid_request(f"The name in the URL, '{name}', is not the one in the body.")
        return self._put(kind, {**body, "name": name}, existing, version), existing is None

    def delete_resource(self, kind: str, name: str, conditions: Conditions) -> None:
        """Delete a definition."""
        existing = self.resources[kind].get(name)
        conditions.check(existing.etag if existing else None)
        self.resource(kind, name)
        del self.resources[kind][name]
        self.database.delete_resource(kind, name)

    def statistics(self, version: ApiVersion, lag: float) -> Body:
        """Return the service's counters and limits, with the counts of `lag` seconds ago."""
        now = time.monotonic()
        totals = [index.table.totals for index in self.indexes.values()]
        usage = {
            "aliasesCount": len(self.resources["aliases"]),
            "documentCount": sum(index.count(now, lag) for index in self.indexes.values()),
            "indexesCount": len(self.indexes),
            "indexersCount": len(self.resources["indexers"]),
            "dataSourcesCount": len(self.resources["datasources"]),
            "storageSize": sum(total.size for total in totals),
            "synonymMaps": len(self.resources["synonymmaps"]),
            "skillsetCount": len(self.resources["skillsets"]),
            "vectorIndexSize": sum(total.vectors for total in totals),
            "knowledgeSourcesCount": len(self.resources["knowledgesources"]),
            "knowledgeBasesCount": len(self.resources["knowledgebases"]),
        }
        return service_statistics(usage, self.tier, version)

    def check_room(self, added: int) -> None:
        """Refuse a batch that adds more documents than the tier has room for."""
        documents = self.tier.documents
        held = sum(one.table.totals.documents for one in self.indexes.values())
        if documents is not None and added > 0 and held + added > documents:
            raise ServiceError(
                429, f"The document quota has been exceeded for this service. Maximum number of documents: {documents}."
            )
        totals = [one.table.totals for one in self.indexes.values()]
        if sum(total.size for total in totals) > self.tier.storage:
            raise ServiceError(
                429,
                f"The storage quota has been exceeded for this service. Maximum storage: {self.tier.storage} bytes.",
            )
        vectors = self.tier.vectors
        if vectors is not None and sum(total.vectors for total in totals) > vectors:
            raise ServiceError(
                429, f"The vector index size quota has been exceeded for this service. Maximum size: {vectors} bytes."
            )

    def _put(self, kind: str, body: Body, existing: Stored | None, version: ApiVersion) -> Stored:
        rules = resources.KINDS[kind]
        complete = resources.completed(rules, body, self._names(), version)
        connection = (complete.get("credentials") or {}).get("connectionString")
        if kind == "datasources" and (connection is None or (connection == "<unchanged>" and existing is None)):
            raise invalid_request("dataSource : A data source needs credentials with a connectionString.")
        quota = rules.quota(self.tier)
        if existing is None and len(self.resources[kind]) >= quota:
            raise ServiceError(
                429,
                f"{rules.noun.capitalize()} quota has been exceeded for this service. You must either delete unused "
                f"ones first or upgrade the service for higher limits. Maximum allowed: {quota}",
            )
        complete = written(complete, existing.body if existing else None)
        if existing is None or not (self.setup.keeps_etags and complete == existing.body):
            self._keep(kind, Stored(self._etag(), complete))
        shown = self.resource(kind, complete["name"])
        if existing is None:
            self._to_renew.add((kind, complete["name"]))
        return shown

    def _keep(self, kind: str, stored: Stored) -> None:
        name = stored.body["name"]
        self.resources[kind][name] = stored
        self.database.put_resource(kind, name, stored.etag, msgspec.json.encode(stored.body))

    def _is_to_renew(self, kind: str, name: str) -> bool:
        """Return whether a definition that is shown gets another ETag after that, by the service itself."""
        is_new = (kind, name) in self._to_renew
        self._to_renew.discard((kind, name))
        return is_new and self.setup.renews_etags

    def _create_index(self, definition: Body, version: ApiVersion) -> Stored:
        name = definition["name"]
        index_rules.check(definition, self.tier, self.resources["synonymmaps"])
        if not self.setup.makes_classic_indexes:
            index_rules.check_similarity(definition)
        if name in self.resources["aliases"]:
            raise ServiceError(400, f"The index name '{name}' is already the name of an alias.")
        if len(self.indexes) >= self.tier.indexes:
            raise ServiceError(
                429,
                f"An index with the name '{name}' in service '{self.setup.name}' could not be created. Index quota has "
                "been exceeded for this service. You must either delete unused indexes first, add a delay between "
                "index creation requests, or upgrade the service for higher limits. Maximum number of indexes allowed: "
                f"{self.tier.indexes}",
            )
        with self.database.transaction():
            index = Index(definition, self._etag(), self.database)
            self._keep_index(index)
        self._open(name, index)
        shown = self.definition(name, version)
        self._to_renew.add((_INDEXES, name))
        return shown

    def _existing_index(self, name: str) -> Index:
        index = self.indexes.get(name)
        if index is None:
            raise ServiceError(404, f"No index with the name '{name}' was found in service '{self.setup.name}'.")
        return index

    def _open(self, name: str, index: Index) -> None:
        self.indexes[name] = index
        self.readers[name] = Reader(index.schema)

    def _keep_index(self, index: Index) -> None:
        body = msgspec.json.encode(index.definition)
        self.database.put_resource(_INDEXES, index.definition["name"], index.etag, body)

    def _names(self) -> dict[str, frozenset[str]]:
        return {_INDEXES: frozenset(self.indexes)} | {kind: frozenset(named) for kind, named in self.resources.items()}

    def _etag(self) -> str:
        return f'"0x8D{next(self._etags):014X}"'


def _bare(etag: str) -> str:
    return etag.removeprefix("W/").strip('"')
