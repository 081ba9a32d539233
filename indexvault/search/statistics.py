"""What a service counts, and what its tier allows."""

import msgspec


class Counter(msgspec.Struct, frozen=True):
    """How much of something is used. `quota` is None if the service reports no limit."""

    usage: int
    quota: int | None = None


class ServiceCounters(msgspec.Struct, frozen=True, rename="camel"):
    """Usage of a service: bytes for `storage_size` and `vector_index_size`, else numbers of objects."""

    document_count: Counter
    indexes_count: Counter
    storage_size: Counter
    synonym_maps: Counter | None = None
    aliases_count: Counter | None = None
    vector_index_size: Counter | None = None
    indexers_count: Counter | None = None
    data_sources_count: Counter | None = None
    skillset_count: Counter | None = None
    knowledge_sources_count: Counter | None = None
    knowledge_bases_count: Counter | None = None

    def of_kind(self, kind: str) -> Counter | None:
        """Return the counter of a collection such as `skillsets`, or None if the service has none for it."""
        name = _COUNTERS.get(kind)
        found: Counter | None = getattr(self, name) if name is not None else None
        return found


_COUNTERS = {
    "indexes": "indexes_count",
    "synonymmaps": "synonym_maps",
    "aliases": "aliases_count",
    "datasources": "data_sources_count",
    "skillsets": "skillset_count",
    "indexers": "indexers_count",
    "knowledgesources": "knowledge_sources_count",
    "knowledgebases": "knowledge_bases_count",
}
"""The counters of collections. Those of knowledge bases and sources are in preview versions only. Source: Get Service
Statistics (REST API), 2026-05-01-preview."""


class ServiceLimits(msgspec.Struct, frozen=True, rename="camel"):
    """Limits of one index on a service. None means that the service reports no limit."""

    max_fields_per_index: int | None = None
    max_field_nesting_depth_per_index: int | None = None
    max_complex_collection_fields_per_index: int | None = None
    max_storage_per_index: int | None = None


class ServiceStatistics(msgspec.Struct, frozen=True):
    """The answer to GET /servicestats."""

    counters: ServiceCounters
    limits: ServiceLimits


class IndexStatistics(msgspec.Struct, frozen=True, rename="camel"):
    """The answer to GET /indexes('name')/search.stats; sizes are in bytes."""

    document_count: int
    storage_size: int = 0
    vector_index_size: int = 0
