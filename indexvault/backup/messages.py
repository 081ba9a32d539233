"""The texts that explain a plan to people, or why there is none."""

from indexvault.backup.partitioning import Partitioning
from indexvault.search.schema import Schema
from indexvault.snapshots.manifest import Definition, Withheld

_NAMED = 5
"""Partitioners that a reason names at most."""
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


def undeclared(documents: int, field: str) -> str:
    """Return the note that counts showed documents which a field did not name."""
    return (
        f"{documents:,} documents were found where counts differed, and not by {field}: they were added while the index"
        f" was read, or by a writer that does not set {field}; what such a writer changes is missed until the next full"
        " reading"
    )


def found_in(partitioning: Partitioning) -> str:
    """Return how many partitions an index was divided into."""
    largest = max((partition.documents for partition in partitioning.partitions), default=0)
    overlap = "" if partitioning.exact else ", which may overlap"
    return f"{len(partitioning.partitions):,} parts{overlap}, the largest of {largest:,} documents"


def beyond_reach(partitioning: Partitioning) -> str:
    """Return what to add to the reason of a plan if nothing makes some parts small enough; empty if there are none."""
    if not partitioning.out_of_reach:
        return ""
    documents = sum(partition.documents for partition in partitioning.out_of_reach)
    conditions = [condition for partition in partitioning.out_of_reach for condition in partition.conditions]
    fields = dict.fromkeys(condition.field for condition in conditions)
    where = f"in parts that share values of {', '.join(fields)}" if fields else "in one part that no field divides"
    tried = [*partitioning.used, *partitioning.tried][:_NAMED]
    return (
        f". {documents:,} of them are {where}, of which $skip reaches the first and the last only. Tried:"
        f" {', '.join(tried) or 'nothing, no field can be filtered or sorted'}. {REMEDY}"
    )


def in_newer_version(definition: Definition) -> str:
    """Return what to add to the reason of a plan if the stable api-version refuses the index; empty if it does not."""
    if not definition.needs_preview:
        return ""
    return f"; read in api-version {definition.stable.api_version}, since the stable one refuses this index"
