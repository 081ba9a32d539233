"""What the emulated services hold and held, taken from their storage and not by query.

Every write to a table is recorded with the number of the event, so that a check can ask which documents were there
throughout a stretch of events, and in which versions.
"""

import weakref
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from emulator.index import Index
from emulator.routes import Operation
from emulator.service import Service
from emulator.storage import Row

type Document = dict[str, Any]
type Dump = dict[str, Document]
type Version = tuple[int, bytes | None, bytes | None]
"""The event, the visible half and the hidden half of a document; no visible half where it was deleted."""


@dataclass
class Ledger:
    """The documents of all indexes that ever had one name on one service."""

    versions: dict[str, list[Version]] = field(default_factory=dict)

    def note(self, event: int, key: str, visible: bytes | None, hidden: bytes | None) -> None:
        """Record that a document is written, or deleted."""
        self.versions.setdefault(key, []).append((event, visible, hidden))

    def held(self, since: int, until: int) -> dict[str, tuple[bool, list[Document]]]:
        """Return each document that was there at some time after the one event and up to the other.

        With each: whether it was there throughout, and its versions.
        """
        found: dict[str, tuple[bool, list[Document]]] = {}
        for key, versions in self.versions.items():
            before = [version for version in versions if version[0] <= since][-1:]
            alive = [*before, *(version for version in versions if since < version[0] <= until)]
            documents = [_document(version) for version in alive if version[1] is not None]
            if documents:
                found[key] = (bool(before) and len(documents) == len(alive), documents)
        return found


class Truth:
    """Everything that happened to the indexes of all services."""

    def __init__(self) -> None:
        self.now = 0
        self.ledgers: dict[tuple[str, str], Ledger] = {}
        self.deleting: list[Callable[[str, str], None]] = []
        self._known: dict[tuple[str, str], weakref.ref[Index]] = {}

    def ledger(self, service: str, index: str) -> Ledger:
        """Return the ledger of an index."""
        return self.ledgers.setdefault((service, index), Ledger())

    def changing(self, service: Service, found: Operation, method: str) -> None:
        """Tell the observers that an index is about to be deleted."""
        if method == "DELETE" and found.kind == "indexes" and found.resource in service.indexes:
            for observe in self.deleting:
                observe(service.setup.name, found.resource)

    def adopt(self, service: Service) -> None:
        """Record the indexes that are new or gone since the last call, and watch the new ones."""
        name = service.setup.name
        for (where, index), known in list(self._known.items()):
            if where == name and service.indexes.get(index) is not known():
                self._drop(where, index)
        for index, present in service.indexes.items():
            if (name, index) not in self._known:
                self._known[name, index] = weakref.ref(present)
                self._watch(name, index, present)

    def _drop(self, service: str, index: str) -> None:
        self.now += 1
        ledger = self.ledger(service, index)
        for key, versions in ledger.versions.items():
            if versions[-1][1] is not None:
                ledger.note(self.now, key, None, None)
        del self._known[service, index]

    def _watch(self, service: str, name: str, index: Index) -> None:
        ledger = self.ledger(service, name)
        write = index.table.write

        def watched(rows: Iterable[Row], deleted: Sequence[str]) -> None:
            written = list(rows)
            write(written, deleted)
            self.now += 1
            for key in deleted:
                ledger.note(self.now, key, None, None)
            for row in written:
                ledger.note(self.now, row.key, row.visible, row.hidden)

        index.table.write = watched  # type: ignore[method-assign]  # the storage is watched from outside


def dump(service: Service, index: str) -> Dump | None:
    """Return every document of an index with all that is stored of it, or None if there is no such index."""
    present = service.indexes.get(index)
    if present is None:
        return None
    rows = present.table.database.connection.execute(f"SELECT key, visible, hidden FROM {present.table.name}")  # noqa: S608 - the emulator's own name
    return {key: _document((0, visible, hidden)) for key, visible, hidden in rows}


def keys_of(service: Service, index: str) -> list[str] | None:
    """Return the keys of an index in order, or None if there is no such index."""
    present = service.indexes.get(index)
    if present is None:
        return None
    rows = present.table.database.connection.execute(f"SELECT key FROM {present.table.name} ORDER BY key")  # noqa: S608 - as above
    return [key for (key,) in rows]


def as_shown(stored: Any, like: Any) -> Any:
    """Return a stored value with only those members that another one has, at every level."""
    if isinstance(stored, dict) and isinstance(like, dict):
        return {name: as_shown(stored[name], value) for name, value in like.items() if name in stored}
    if isinstance(stored, list) and isinstance(like, list) and len(stored) == len(like):
        return [as_shown(one, other) for one, other in zip(stored, like, strict=True)]
    return stored


def _document(version: Version) -> Document:
    _event, visible, hidden = version
    document: Document = orjson.loads(b"{" + (visible or b"}"))
    return document | orjson.loads(hidden) if hidden else document
