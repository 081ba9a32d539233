"""Which members the settings have, for error messages."""

from typing import Any

import msgspec


def members_at(kind: type, path: str) -> list[str]:
    """Return the names of the members that an object has at a path such as `$.pressure` below a type."""
    found: Any = msgspec.inspect.type_info(kind)
    for name in path.removeprefix("$").split(".")[1:]:
        fields = {field.encode_name: field.type for field in _fields(found)}
        if name not in fields:
            return []
        found = fields[name]
    return [field.encode_name for field in _fields(found)]


def _fields(kind: Any) -> tuple[msgspec.inspect.Field, ...]:
    """Return the fields of an object, or of the object that a member may be."""
    for each in kind.types if isinstance(kind, msgspec.inspect.UnionType) else (kind,):
        if isinstance(each, msgspec.inspect.StructType):
            return each.fields
    return ()
