"""What each tier allows, for limits that a service does not report itself.

Source: Service limits in Azure AI Search, 2026-09. Older services have smaller quotas, so what `servicestats` reports
takes precedence.
"""

from collections.abc import Mapping

import msgspec

MEGABYTE = 1000**2
GIGABYTE = 1000**3
TERABYTE = 1000**4


class TierLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Limits of a tier. Sizes are in bytes and for one partition, since a service may have no more.

    None means that the tier names no limit. `indexers` also limits data sources and skillsets, `index_storage` is for
    one index.
    """

    indexes: int
    storage: int | None
    vectors: int | None
    indexers: int | None
    synonym_maps: int | None
    aliases: int | None
    fields: int = 1000
    index_storage: int | None = None


MOST_COMPLEX_COLLECTIONS = 40
MOST_DEPTH = 10
MOST_DIMENSIONS = 4096

TIER_LIMITS: Mapping[str, TierLimits] = {
    "free": TierLimits(indexes=3, storage=50 * MEGABYTE, vectors=None, indexers=3, synonym_maps=3, aliases=6),
    "basic": TierLimits(
        indexes=15,
        storage=15 * GIGABYTE,
        vectors=5 * GIGABYTE,
        indexers=15,
        synonym_maps=3,
        aliases=30,
        fields=100,
    ),
    "standard": TierLimits(
        indexes=50, storage=160 * GIGABYTE, vectors=35 * GIGABYTE, indexers=50, synonym_maps=5, aliases=100
    ),
    "standard2": TierLimits(
        indexes=200, storage=512 * GIGABYTE, vectors=150 * GIGABYTE, indexers=200, synonym_maps=10, aliases=400
    ),
    "standard3": TierLimits(
        indexes=200, storage=TERABYTE, vectors=300 * GIGABYTE, indexers=200, synonym_maps=20, aliases=400
    ),
    "standard3hd": TierLimits(
        indexes=1000, storage=TERABYTE, vectors=300 * GIGABYTE, indexers=0, synonym_maps=20, aliases=2000
    ),
    "storage_optimized_l1": TierLimits(
        indexes=10, storage=2 * TERABYTE, vectors=150 * GIGABYTE, indexers=10, synonym_maps=10, aliases=20
    ),
    "storage_optimized_l2": TierLimits(
        indexes=10, storage=4 * TERABYTE, vectors=300 * GIGABYTE, indexers=10, synonym_maps=10, aliases=20
    ),
    # In preview, 2026-06: other limits are only in what the service reports.
    "serverless_developer": TierLimits(
        indexes=30,
        storage=None,
        vectors=None,
        indexers=None,
        synonym_maps=None,
        aliases=None,
        index_storage=GIGABYTE,
    ),
}
