"""What each tier allows, for where a service does not say it itself.

Source: service limits, 2026-09. Services made earlier have smaller quotas, so what `servicestats` says goes first.
"""

from collections.abc import Mapping

import msgspec

MEGABYTE = 1000**2
GIGABYTE = 1000**3
TERABYTE = 1000**4


class Tier(msgspec.Struct, frozen=True, kw_only=True):
    """Limits of a tier; sizes in bytes and for one partition, since a service may have no more.

    None is a limit that the tier does not name. `indexers` goes for data sources and skillsets too.
    """

    indexes: int
    storage: int
    vectors: int | None
    indexers: int
    synonym_maps: int
    aliases: int
    fields: int = 1000


MOST_COMPLEX_COLLECTIONS = 40
MOST_DEPTH = 10
MOST_SUGGESTERS = 1
MOST_SCORING_PROFILES = 100
MOST_DIMENSIONS = 4096

TIERS: Mapping[str, Tier] = {
    "free": Tier(indexes=3, storage=50 * MEGABYTE, vectors=None, indexers=3, synonym_maps=3, aliases=6),
    "basic": Tier(
        indexes=15,
        storage=15 * GIGABYTE,
        vectors=5 * GIGABYTE,
        indexers=15,
        synonym_maps=3,
        aliases=30,
        fields=100,
    ),
    "standard": Tier(
        indexes=50, storage=160 * GIGABYTE, vectors=35 * GIGABYTE, indexers=50, synonym_maps=5, aliases=100
    ),
    "standard2": Tier(
        indexes=200, storage=512 * GIGABYTE, vectors=150 * GIGABYTE, indexers=200, synonym_maps=10, aliases=400
    ),
    "standard3": Tier(
        indexes=200, storage=TERABYTE, vectors=300 * GIGABYTE, indexers=200, synonym_maps=20, aliases=400
    ),
    "standard3hd": Tier(
        indexes=1000, storage=TERABYTE, vectors=300 * GIGABYTE, indexers=0, synonym_maps=20, aliases=2000
    ),
    "storage_optimized_l1": Tier(
        indexes=10, storage=2 * TERABYTE, vectors=150 * GIGABYTE, indexers=10, synonym_maps=10, aliases=20
    ),
    "storage_optimized_l2": Tier(
        indexes=10, storage=4 * TERABYTE, vectors=300 * GIGABYTE, indexers=10, synonym_maps=10, aliases=20
    ),
}
