"""The texts that explain a plan to people, or why there is none."""

from indexvault.backup.partitioning import Partitioning
from indexvault.errors import UnreadableIndexError
from indexvault.search.schema import Schema
from indexvault.snapshots.manifest import Definition, Withheld

_NAMED = 5
"""Partitioners that a refusal names at most."""
REMEDY = (
    "Add a field that is filterable and sortable and has many different values, such as an Edm.DateTimeOffset (a new"
    " field needs no rebuild) and fill it in all documents; or rebuild the index with a filterable and sortable key"
)


def without_key_order(schema: Schema) -> str:
    """Return why an index is not read in key order."""
    return f"the key field {schema.key.name} is {schema.no_key_order_reason}"


def to_supply(withheld: Withheld) -> str:
    """Return the note that a secret was not kept, and how a restore gets it."""
    return (
        f"{withheld.path} of {withheld.kind}/{withheld.name} looks like a secret and was not kept: a restore takes it"
        " from an overlay"
    )


def found_in(partitioning: Partitioning) -> str:
    """Return how many partitions an index was divided into."""
    largest = max((partition.documents for partition in partitioning.partitions), default=0)
    overlap = "" if partitioning.exact else ", which may overlap"
    return f"{len(partitioning.partitions):,} parts{overlap}, the largest of {largest:,} documents"


def refusal(schema: Schema, partitioning: Partitioning, documents: int, *, on: str) -> UnreadableIndexError:
    """Return the error for an index that can't be read completely, with what was tried and what would help."""
    lacking = sum(partition.documents for partition in partitioning.out_of_reach)
    conditions = [condition for partition in partitioning.out_of_reach for condition in partition.conditions]
    fields = dict.fromkeys(condition.field for condition in conditions)
    where = (
        f"in partitions that share values of {', '.join(fields)}"
        if fields
        else "in one partition that no field divides"
    )
    tried = [*partitioning.used, *partitioning.tried][:_NAMED]
    return UnreadableIndexError(
        f"{lacking:,} of its {documents:,} documents are out of reach, {where}: {without_key_order(schema)}, and $skip"
        f" does not reach them. Tried: {', '.join(tried) or 'nothing, no field can be filtered or sorted'}",
        on=on,
        do=REMEDY,
    )


def incomplete(documents: int, found: int, method: str, *, on: str) -> UnreadableIndexError:
    """Return the error for partitions that turned out not to cover the index."""
    return UnreadableIndexError(
        f"{max(0, found - documents):,} of its {found:,} documents are out of reach: {documents:,} unique keys were"
        f" read by {method}",
        on=on,
        do=REMEDY,
    )


def in_newer_version(definition: Definition) -> str:
    """Return what to add to the reason of a plan if the stable api-version refuses the index; empty if it does not."""
    if not definition.needs_preview:
        return ""
    return f"; read in api-version {definition.stable.api_version}, since the stable one refuses this index"
