"""Stored documents as an index takes them: without the fields that it lacks, and without null collections.

A document that the index takes as it is keeps its bytes. Any other is decoded only as deep as something has to go.
"""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from indexvault.errors import UNDECODABLE
from indexvault.search.schema import Field, Schema

type _Plan = Mapping[str, "_FieldPlan"]


class _FieldPlan(msgspec.Struct, frozen=True):
    """A field that stays: whether it is a collection, and the plan of the fields inside it."""

    is_collection: bool
    inside: "dict[str, _FieldPlan] | None"


class Projection:
    """Projects documents of one schema onto another that has the same fields or fewer."""

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

    def keeps(self, lines: bytes) -> bool:
        """Return whether a document, or each of several, stays as it is. In doubt return False."""
        return not self._drops and (self._null_collection is None or not self._null_collection.search(lines))

    def project(self, line: bytes) -> bytes:
        """Return a document as the index takes it. One whose values don't fit their fields stays as it is."""
        if self.keeps(line):
            return line
        try:
            return msgspec.json.encode(_project(msgspec.json.decode(line, type=dict[str, msgspec.Raw]), self._plan))
        except UNDECODABLE:
            return line


def readable(schema: Schema) -> Schema:
    """Return a schema without the fields that its service does not return."""
    return msgspec.structs.replace(schema, fields=_readable(schema.fields))


def _readable(fields: tuple[Field, ...]) -> tuple[Field, ...]:
    return tuple(msgspec.structs.replace(each, fields=_readable(each.fields)) for each in fields if each.is_readable)


def _plan(fields: tuple[Field, ...]) -> dict[str, _FieldPlan]:
    return {
        field.name: _FieldPlan(field.is_collection, _plan(field.fields) if field.is_complex else None)
        for field in fields
    }


def _drops(source: tuple[Field, ...], target: tuple[Field, ...]) -> bool:
    after = {field.name: field for field in target}
    return any(field.name not in after or _drops(field.fields, after[field.name].fields) for field in source)


def _project(members: dict[str, msgspec.Raw], plan: _Plan) -> dict[str, Any]:
    projected: dict[str, Any] = {}
    for name, value in members.items():
        field = plan.get(name)
        if field is None:
            continue
        if bytes(value) == b"null":
            if not field.is_collection:
                projected[name] = value
        elif field.inside is None:
            projected[name] = value
        elif field.is_collection:
            items = msgspec.json.decode(value, type=list[dict[str, msgspec.Raw]])
            projected[name] = [_project(item, field.inside) for item in items]
        else:
            projected[name] = _project(msgspec.json.decode(value, type=dict[str, msgspec.Raw]), field.inside)
    return projected
