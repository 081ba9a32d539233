"""What of an index its service does not give out."""

from errors import UnreadableIndexError
from search.schema import Schema
from snapshots.manifest import Loss


def losses(schema: Schema) -> list[Loss]:
    """Give each field that documents come back without, and why, in the schema's order.

    Source: field attributes `retrievable` and `stored`, REST reference, 2026-09.
    """
    return [
        Loss(
            field=path,
            reason="stored is false: the service keeps no copy of this vector that it could return"
            if field.stored is False
            else "retrievable is false: the service returns documents without this field",
        )
        for path, field in schema.walk()
        if not field.is_readable
    ]


def require_key_order(schema: Schema, *, on: str) -> None:
    """Raise UnreadableIndexError unless documents can be read in the order of their keys.

    A normalizer changes how keys sort and compare, so that a key with one gives no order to rely on.
    """
    key = schema.key
    missing = [name for name, value in (("filterable", key.filterable), ("sortable", key.sortable)) if value is False]
    if missing:
        raise UnreadableIndexError(
            f"its key field {key.name} is not {' and not '.join(missing)}, so its documents can't be read in key order",
            on=on,
            do="Rebuild the index with a filterable and sortable key; other ways of reading are not supported yet",
        )
    if key.normalizer:
        raise UnreadableIndexError(
            f"its key field {key.name} has a normalizer, which changes the order of keys",
            on=on,
            do="Rebuild the index with a key that has no normalizer",
        )


def require_open_documents(schema: Schema, *, on: str) -> None:
    """Raise UnreadableIndexError if the service would leave protected documents out in silence."""
    protected = (schema.permission_filter_option or "").lower() == "enabled" or schema.purview_enabled
    if protected:
        raise UnreadableIndexError(
            "documents in it are protected one by one, and protected ones are left out of answers without a word",
            on=on,
            do="Back it up with a version of indexvault that reads with elevated rights",
        )
