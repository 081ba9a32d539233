"""The fields that two schemas can be compared by."""

import msgspec

from indexvault.restore.projection import readable
from indexvault.search.schema import Field, Schema


def common_schema(one: Schema, other: Schema) -> Schema:
    """Return the first schema with only those fields that both services return, at every level."""
    return msgspec.structs.replace(one, fields=_common(readable(one).fields, readable(other).fields))


def _common(one: tuple[Field, ...], other: tuple[Field, ...]) -> tuple[Field, ...]:
    there = {field.name: field for field in other}
    found = []
    for field in one:
        match = there.get(field.name)
        if match is None or match.type != field.type:
            continue
        found.append(msgspec.structs.replace(field, fields=_common(field.fields, match.fields)))
    return tuple(found)
