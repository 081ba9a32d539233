"""What a service counts and what its tier allows."""

import msgspec


class Counter(msgspec.Struct, frozen=True):
    """How much of something is used; `quota` is None where the service names no limit."""

    usage: int
    quota: int | None = None


class ServiceCounters(msgspec.Struct, frozen=True, rename="camel"):
    """Usage of a service. Bytes for `storage_size` and `vector_index_size`, else pieces."""

    document_count: Counter
    indexes_count: Counter
    storage_size: Counter
    indexers_count: Counter | None = None
    data_sources_count: Counter | None = None
    synonym_maps: Counter | None = None
    skillset_count: Counter | None = None
    aliases_count: Counter | None = None
    vector_index_size: Counter | None = None


class ServiceLimits(msgspec.Struct, frozen=True, rename="camel"):
    """Limits of one index on a service; None where the service names none."""

    max_fields_per_index: int | None = None
    max_field_nesting_depth_per_index: int | None = None
    max_complex_collection_fields_per_index: int | None = None
    max_complex_objects_in_collections_per_document: int | None = None
    max_storage_per_index: int | None = None


class ServiceStatistics(msgspec.Struct, frozen=True):
    """The answer to GET /servicestats."""

    counters: ServiceCounters
    limits: ServiceLimits


class IndexStatistics(msgspec.Struct, frozen=True, rename="camel"):
    """The answer to GET /indexes('name')/search.stats; sizes in bytes."""

    document_count: int
    storage_size: int = 0
    vector_index_size: int = 0
