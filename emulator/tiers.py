"""What each tier allows.

Source: service limits in Microsoft's documentation and the tier table of GET /servicestats, 2026-09.
"""

from collections.abc import Mapping

import msgspec

GIGABYTE = 1024**3
MEGABYTE = 1024**2
TERABYTE = 1024**4


class Tier(msgspec.Struct, frozen=True):
    """The quotas of one tier with one partition; None means no limit, sizes are in bytes."""

    indexes: int
    fields_per_index: int
    storage: int
    vectors: int | None
    indexers: int
    synonym_maps: int
    aliases: int
    documents: int | None = None
    index_storage: int | None = None
    """Bytes of one index, where that is less than all storage."""


TIERS: Mapping[str, Tier] = {
    "free": Tier(3, 1000, 50 * MEGABYTE, None, 3, 3, 6),
    "basic": Tier(15, 100, 15 * GIGABYTE, 5 * GIGABYTE, 15, 3, 30),
    "standard": Tier(50, 1000, 160 * GIGABYTE, 35 * GIGABYTE, 50, 5, 100),
    "standard2": Tier(200, 1000, 512 * GIGABYTE, 150 * GIGABYTE, 200, 10, 400),
    "standard3": Tier(200, 1000, TERABYTE, 300 * GIGABYTE, 200, 20, 400),
    "standard3hd": Tier(1000, 1000, TERABYTE, 300 * GIGABYTE, 0, 20, 2000),
    "storage_optimized_l1": Tier(10, 1000, 2 * TERABYTE, 150 * GIGABYTE, 10, 10, 20),
    "storage_optimized_l2": Tier(10, 1000, 4 * TERABYTE, 300 * GIGABYTE, 10, 10, 20),
    # In preview. Only the limits of indexes are announced, 30 of 1 GB each; the others are assumptions.
    "serverless_developer": Tier(30, 1000, 30 * GIGABYTE, None, 30, 30, 60, index_storage=GIGABYTE),
}

MAX_FIELD_DEPTH = 10
MAX_COMPLEX_COLLECTIONS = 40
MAX_COMPLEX_ELEMENTS = 3000
MAX_DIMENSIONS = 4096
MAX_SCORING_PROFILES = 100
MAX_TERM_BYTES = 32766
MAX_KEY_LENGTH = 1024
MAX_ACTIONS = 1000
MAX_BODY = 16 * MEGABYTE
MAX_URL = 8192
MAX_SKIP = 100_000
MAX_PAGE = 1000
DEFAULT_PAGE = 50
MAX_FILTER_CLAUSES = 500
