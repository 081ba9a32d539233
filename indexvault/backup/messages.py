"""How a plan is explained to people, and how it is refused."""

from indexvault.backup.partitioning import Partitioning
from indexvault.errors import UnreadableIndexError
from indexvault.search.schema import Schema
from indexvault.snapshots.manifest import Withheld

_NAMED = 5
REMEDY = (
    "Add a field that is filterable and sortable and has many different values, such as an Edm.DateTimeOffset (a new"
    " field needs no rebuild) and fill it in all documents; or rebuild the index with a filterable and sortable key"
)


def without_key_order(schema: Schema) -> str:
    """Say why an index is not read in key order."""
    return f"the key field {schema.key.name} is {schema.no_key_order_reason}"


def to_supply(withheld: Withheld) -> str:
    """Say that a secret was not kept, and how a restore gets it."""
    return (
        f"{withheld.path} of {withheld.kind}/{withheld.name} looks like a secret and was not kept: a restore takes it"
        " from an overlay"
    )


def found_in(partitioning: Partitioning) -> str:
    """Say how many parts an index was cut into."""
    alone = max((part.documents for part in partitioning.parts), default=0)
    exactly = "" if partitioning.exact else ", which may overlap"
    return f"{len(partitioning.parts):,} parts{exactly}, the largest of {alone:,} documents"


def refusal(schema: Schema, partitioning: Partitioning, documents: int, *, on: str) -> UnreadableIndexError:
    """Say that an index can't be read whole, what was tried, and what would make it readable."""
    lacking = sum(part.documents for part in partitioning.out_of_reach)
    fields = dict.fromkeys(condition.field for part in partitioning.out_of_reach for condition in part.conditions)
    where = f"in parts that share values of {', '.join(fields)}" if fields else "in one part that nothing can cut"
    tried = [*partitioning.used, *partitioning.tried][:_NAMED]
    return UnreadableIndexError(
        f"{lacking:,} of its {documents:,} documents are out of reach, {where}: {without_key_order(schema)}, and $skip"
        f" does not reach them. Tried: {', '.join(tried) or 'nothing, no field can be filtered or sorted'}",
        on=on,
        do=REMEDY,
    )


def incomplete(documents: int, found: int, method: str, *, on: str) -> UnreadableIndexError:
    """Say that a reading which could only be tried did not cover the index."""
    return UnreadableIndexError(
        f"{max(0, found - documents):,} of its {found:,} documents are out of reach: {documents:,} unique keys were"
        f" read by {method}",
        on=on,
        do=REMEDY,
    )
