"""One index: its definition, its documents, and when writes become visible."""

import math
from collections.abc import Sequence
from typing import Any

import msgspec
import orjson

from emulator.schema import Field, Schema
from emulator.storage import Database, DocumentTable, Row
from emulator.values import comparable, empty

type Document = dict[str, Any]

_EVERYONE = "all"
_HISTORY = 10_000
"""Counts kept for lagging answers."""


class _Pending(msgspec.Struct, frozen=True):
    """An accepted batch that is not visible yet."""

    due: float
    upserts: dict[str, Document]
    deleted: frozenset[str]


class Index:
    """An index and its documents."""

    def __init__(self, definition: dict[str, Any], etag: str, database: Database) -> None:
        self.definition = definition
        self.etag = etag
        self.schema = Schema.of(definition)
        self.table = DocumentTable(database, definition["name"], self.schema)
        self._pending: list[_Pending] = []
        self._counts: list[tuple[float, int]] = [(-math.inf, self.table.totals.documents)]

    def redefine(self, definition: dict[str, Any], etag: str) -> None:
        """Adopt a changed definition; old rows are rendered anew when they are read."""
        schema = Schema.of(definition)
        if schema.fields != self.schema.fields:
            self.table.outdate()
        self.definition, self.etag, self.schema = definition, etag, schema
        self.table.adopt(schema)

    @property
    def protected(self) -> bool:
        """Whether documents have access lists or sensitivity labels that queries obey."""
        return self._has_lists or self._has_labels

    @property
    def _has_lists(self) -> bool:
        return self.definition["permissionFilterOption"] == "enabled" and bool(self.schema.permission_fields)

    @property
    def _has_labels(self) -> bool:
        return bool(self.definition["purviewEnabled"]) and bool(self.schema.label_fields)

    def shows(self, document: Document) -> bool:
        """Return whether a caller without a user's token finds a document, unless it reads elevated.

        One of the access lists must let everyone read it; an empty list and `none` let nobody. A sensitivity label
        keeps it from such a caller. Source: Indexing ACLs and RBAC using the push API, 2026-05; Query-time Microsoft
        Purview sensitivity label enforcement in Azure AI Search, 2026-06.
        """
        if self._has_labels and any(document.get(field.name) for field in self.schema.label_fields):
            return False
        if not self._has_lists:
            return True
        lists = [document.get(field.name) for field in self.schema.permission_fields]
        return any(_EVERYONE in (value if isinstance(value, list) else [value]) for value in lists)

    @property
    def whole_rows(self) -> bool:
        """Whether a row's visible bytes are exactly what a reader of all fields gets."""
        return self.table.current

    def settle(self, now: float) -> None:
        """Make due batches visible."""
        while self._pending and self._pending[0].due <= now:
            batch = self._pending.pop(0)
            self._store(batch.upserts, batch.deleted, batch.due)

    def write(self, upserts: dict[str, Document], deleted: set[str], now: float, lag: float) -> None:
        """Accept a batch, to become visible in `lag` seconds."""
        if lag <= 0 and not self._pending:
            self._store(upserts, deleted, now)
            return
        due = max([now + lag, *(batch.due for batch in self._pending)])
        self._pending.append(_Pending(due, upserts, frozenset(deleted)))

    def existing(self, keys: Sequence[str]) -> set[str]:
        """Return the keys that were accepted, visible or not."""
        found = self.table.existing(keys)
        for batch in self._pending:
            found = (found | (batch.upserts.keys() & set(keys))) - batch.deleted
        return found

    def documents(self, keys: Sequence[str]) -> dict[str, Document]:
        """Return the full documents of the keys that were accepted."""
        wanted = frozenset(keys)
        found = {key: self.full(*halves) for key, halves in self.table.bodies(keys).items()}
        for batch in self._pending:
            found |= {key: document for key, document in batch.upserts.items() if key in wanted}
            found = {key: document for key, document in found.items() if key not in batch.deleted}
        return found

    def count(self, now: float, lag: float) -> int:
        """Return the number of documents as it was `lag` seconds ago."""
        if lag <= 0:
            return self.table.totals.documents
        earlier = [documents for at, documents in self._counts if at <= now - lag]
        return earlier[-1] if earlier else self._counts[0][1]

    def full(self, visible: bytes, hidden: bytes | None) -> Document:
        """Return a row's two halves as one document: every stored field, in any order."""
        document: Document = orjson.loads(b"{" + visible)
        return document | orjson.loads(hidden) if hidden else document

    def _store(self, upserts: dict[str, Document], deleted: frozenset[str] | set[str], now: float) -> None:
        self.table.write([self._row(key, document) for key, document in upserts.items()], sorted(deleted))
        self._counts = [*self._counts[-_HISTORY:], (now, self.table.totals.documents)]

    def _row(self, key: str, document: Document) -> Row:
        fields = self.schema.fields
        hidden = None
        shown = document
        if self.schema.hides:
            kept = {
                field.name: without_unstored(document[field.name], field)
                for field in fields
                if field.hides and field.stored
            }
            hidden = orjson.dumps(kept) if kept else None
            shown = project(document, fields)
        vectors = sum(_vector_bytes(document.get(field.name), field) for field in fields)
        values = tuple(comparable(field, at_path(document, field)) for field in self.table.columns)
        return Row(key, orjson.dumps(shown)[1:], hidden, vectors, values)


def at_path(document: Document, field: Field) -> Any:
    """Return a document's value of a field that is not inside a collection."""
    value: Any = document
    for name in field.path.split("/"):
        value = None if value is None else value.get(name)
    return value


def project(document: Document, fields: Sequence[Field], chosen: frozenset[str] | None = None) -> Document:
    """Return what a reader may see of a document, complete and in schema order.

    `chosen` are the paths of a `$select`, None for everything.
    """
    shown: Document = {}
    for field in fields:
        if chosen is not None and not _wanted(field, chosen):
            continue
        if field.complex:
            inner = None if chosen is None or field.path in chosen else chosen
            shown[field.name] = _project_complex(document.get(field.name), field, inner)
        elif field.retrievable and field.stored:
            value = document.get(field.name)
            shown[field.name] = empty(field) if value is None else value
    return shown


def without_unstored(value: Any, field: Field) -> Any:
    """Remove vectors that are not stored from a complex value."""
    if not field.complex or value is None:
        return value
    if field.collection:
        single = msgspec.structs.replace(field, collection=False)
        return [without_unstored(item, single) for item in value]
    return {child.name: without_unstored(value.get(child.name), child) for child in field.fields if child.stored}


def _project_complex(value: Any, field: Field, chosen: frozenset[str] | None) -> Any:
    if field.collection:
        return [project(item, field.fields, chosen) for item in value or ()]
    return None if value is None else project(value, field.fields, chosen)


def _wanted(field: Field, chosen: frozenset[str]) -> bool:
    below = f"{field.path}/"
    return field.path in chosen or any(path.startswith(below) for path in chosen)


def _vector_bytes(value: Any, field: Field) -> int:
    sizes = {"Edm.Single": 4, "Edm.Half": 2, "Edm.Int16": 2, "Edm.SByte": 1, "Edm.Byte": 1}
    return len(value) * sizes[field.type] if field.vector and value is not None else 0
