"""Check whether an index fits the target's tier and what is left of its quotas. Pure.

What the service reports takes precedence over the table of tiers: its limits, and its counters, of which one without a
quota is no limit.
"""

from collections.abc import Iterator

import msgspec

from indexvault.restore.checks import Check
from indexvault.search.limits import MOST_COMPLEX_COLLECTIONS, MOST_DEPTH, MOST_DIMENSIONS, TIER_LIMITS
from indexvault.search.schema import Schema
from indexvault.search.statistics import Counter, ServiceStatistics

_BYTES_OF = {"Edm.Single": 4, "Edm.Half": 2, "Edm.Int16": 2, "Edm.SByte": 1, "Edm.Byte": 1}
_SINGULAR = {"indexes": "index", "aliases": "alias"}
_CERTAIN = 4
"""An index may take less space than its documents as JSON, but at least a quarter of it."""


class Demand(msgspec.Struct, frozen=True, kw_only=True):
    """What a restore would add to a service: counts, and bytes of JSON."""

    indexes: int
    aliases: int
    synonym_maps: int
    documents: int
    bytes: int


def limit_checks(schema: Schema, demand: Demand, tier: str, statistics: ServiceStatistics) -> Iterator[Check]:
    """Yield a check for each limit of an index and each quota of the service."""
    table = TIER_LIMITS[tier]
    limits, counters = statistics.limits, statistics.counters
    fields = list(schema.walk())
    yield at_most(
        "fields",
        "fields, those inside complex fields counted too",
        len(fields),
        _first_known(limits.max_fields_per_index, table.fields),
        tier,
    )
    yield at_most(
        "depth",
        "levels of complex fields",
        max(path.count("/") for path, _field in fields) if fields else 0,
        _first_known(limits.max_field_nesting_depth_per_index, MOST_DEPTH),
        tier,
    )
    yield at_most(
        "complex_collections",
        "collections of complex fields",
        sum(field.is_complex and field.is_collection for _path, field in fields),
        _first_known(limits.max_complex_collection_fields_per_index, MOST_COMPLEX_COLLECTIONS),
        tier,
    )
    widest = max((field.dimensions or 0 for _path, field in fields), default=0)
    if widest:
        yield at_most("dimensions", "dimensions of a vector", widest, MOST_DIMENSIONS, tier)
    yield room("indexes", "indexes", demand.indexes, counters.indexes_count, table.indexes)
    yield room("aliases", "aliases", demand.aliases, counters.aliases_count, table.aliases)
    yield room("synonym_maps", "synonym maps", demand.synonym_maps, counters.synonym_maps, table.synonym_maps)
    yield room("documents", "documents", demand.documents, counters.document_count, None)
    yield _space("storage", "bytes of storage", demand.bytes, counters.storage_size, table.storage)
    of_index = _first_known(limits.max_storage_per_index, table.index_storage)
    if of_index is not None and (counters.storage_size.quota is None or of_index < counters.storage_size.quota):
        yield _space("index_storage", "bytes of storage in one index", demand.bytes, Counter(0, of_index), None)
    vectors = vector_bytes(schema, demand.documents)
    if vectors:
        yield _space("vectors", "bytes of vector index", vectors, counters.vector_index_size, table.vectors)


def _first_known[Limit](told: int | None, table: Limit) -> int | Limit:
    """Return the limit that the service tells, else the table's."""
    return table if told is None else told


def at_most(name: str, what: str, has: int, limit: int, tier: str) -> Check:
    """Check a limit of one index."""
    if has <= limit:
        return Check(name, "ok", f"{has} {what}, at most {limit}")
    return Check(
        name,
        "failed",
        f"the index has {has} {what}, and the target ({tier}) takes at most {limit}",
        "Choose a target of a larger tier, or drop fields with a patch",
        "QuotaError",
    )


def room(name: str, what: str, needed: int, counter: Counter | None, table: int | None) -> Check:
    """Check a quota that counts objects."""
    usage = counter.usage if counter is not None else 0
    quota = counter.quota if counter is not None else table
    if quota is None:
        return Check(name, "ok", f"{_more(needed, what)}; the service names no limit")
    if needed <= max(0, quota - usage):
        return Check(name, "ok", f"{_more(needed, what)}, {usage:,} of {quota:,} used")
    return Check(
        name,
        "failed",
        f"{_more(needed, what)} {'is' if needed == 1 else 'are'} needed, and {usage:,} of {quota:,} are used",
        "Delete what is no longer needed on the target, or choose a larger tier",
        "QuotaError",
    )


def _more(needed: int, what: str) -> str:
    """Return `1 more index` or `20,000 more documents`; `what` is the plural."""
    return f"{needed:,} more {_SINGULAR.get(what, what.removesuffix('s')) if needed == 1 else what}"


def vector_bytes(schema: Schema, documents: int) -> int:
    """Return the bytes that the vectors of so many documents take uncompressed, if each document has all of them."""
    return documents * sum(
        (field.dimensions or 0) * _BYTES_OF.get(field.item_type, 4) for _path, field in schema.walk() if field.is_vector
    )


def _space(name: str, what: str, needed: int, counter: Counter | None, table: int | None) -> Check:
    usage = counter.usage if counter is not None else 0
    quota = counter.quota if counter is not None else table
    if quota is None:
        return Check(name, "ok", f"about {needed:,} {what}; the service names no limit")
    left = max(0, quota - usage)
    if left * _CERTAIN < needed:
        return Check(
            name,
            "failed",
            f"about {needed:,} {what} are needed, and {left:,} of {quota:,} are left",
            "Choose a target with more partitions or of a larger tier",
            "QuotaError",
        )
    if left < needed:
        return Check(
            name,
            "warning",
            f"up to {needed:,} {what} may be needed, and {left:,} of {quota:,} are left",
            "Watch the service's storage; the restore can be resumed after making room",
        )
    return Check(name, "ok", f"about {needed:,} {what}, {left:,} of {quota:,} left")
