"""Stored documents made to fit an index: fields it does not have are left out, and so are null collections.

A document that fits keeps its bytes. One that does not is taken apart only as deep as something in it has to go.
"""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from indexvault.search.schema import Field, Schema

type _Plan = Mapping[str, "_Part"]


class _Part(msgspec.Struct, frozen=True):
    """A field that stays: whether it is a collection, and the plan of what is inside it."""

    is_collection: bool
    inside: "dict[str, _Part] | None"


class Shape:
    """Fits documents of one schema into another that has the same fields or fewer."""

    def __init__(self, source: Schema, target: Schema) -> None:
        self._plan = _plan(target.fields)
        self._drops = _drops(source.fields, target.fields)
        names = {field.name for _path, field in target.walk() if field.is_collection}
        members = b"|".join(re.escape(msgspec.json.encode(name)) for name in sorted(names))
        self._null_collection = re.compile(rb"(?:%s)\s*:\s*null" % members) if members else None

    @property
    def keeps_bytes(self) -> bool:
        """Whether every field of a document stays."""
        return not self._drops

    def fit(self, line: bytes) -> bytes:
        """Return a document as the index takes it."""
        if not self._drops and (self._null_collection is None or not self._null_collection.search(line)):
            return line
        return msgspec.json.encode(_fit(msgspec.json.decode(line, type=dict[str, msgspec.Raw]), self._plan))


def readable(schema: Schema) -> Schema:
    """Return a schema without the fields that its service does not return."""
    return msgspec.structs.replace(schema, fields=_readable(schema.fields))


def _readable(fields: tuple[Field, ...]) -> tuple[Field, ...]:
    return tuple(msgspec.structs.replace(each, fields=_readable(each.fields)) for each in fields if each.is_readable)


def _plan(fields: tuple[Field, ...]) -> dict[str, _Part]:
    return {
        field.name: _Part(field.is_collection, _plan(field.fields) if field.is_complex else None) for field in fields
    }


def _drops(source: tuple[Field, ...], target: tuple[Field, ...]) -> bool:
    after = {field.name: field for field in target}
    return any(field.name not in after or _drops(field.fields, after[field.name].fields) for field in source)


def _fit(members: dict[str, msgspec.Raw], plan: _Plan) -> dict[str, Any]:
    fitted: dict[str, Any] = {}
    for name, value in members.items():
        part = plan.get(name)
        if part is None:
            continue
        if bytes(value) == b"null":
            if not part.is_collection:
                fitted[name] = value
        elif part.inside is None:
            fitted[name] = value
        elif part.is_collection:
            items = msgspec.json.decode(value, type=list[dict[str, msgspec.Raw]])
            fitted[name] = [_fit(item, part.inside) for item in items]
        else:
            fitted[name] = _fit(msgspec.json.decode(value, type=dict[str, msgspec.Raw]), part.inside)
    return fitted
