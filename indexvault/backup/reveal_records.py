"""Fields that are made retrievable for a backup: the durable record of it, and the change to the definition.

The record is written before the first change and removed after the last. It holds the definition as it was, so that
whatever dies in between, a later run or `indexvault heal` can put it back.
"""

from collections.abc import AsyncIterator, Collection
from datetime import datetime

import msgspec

from indexvault.errors import IntegrityError
from indexvault.snapshots.manifest import Definition
from indexvault.snapshots.names import REVEALS_PREFIX, reveal_name
from indexvault.snapshots.store import RunBlobs

_RECORD_LIMIT = 64 * 1024 * 1024
_REDACTED, _UNCHANGED = b'"<redacted>"', b'"<unchanged>"'
_ANNOTATIONS = ("@odata.context", "@odata.etag")


class Reveal(msgspec.Struct, frozen=True, kw_only=True):
    """That a run makes fields retrievable. `definition` and `etag` are those from before."""

    service: str
    index: str
    run: str
    fields: list[str]
    definition: Definition
    etag: str
    started: datetime


class RevealRecords:
    """The records of revealed fields in one store, one an index."""

    def __init__(self, runs: RunBlobs) -> None:
        self._runs = runs

    async def read(self, service: str, index: str) -> Reveal | None:
        """Return the record of an index, or None. Raises IntegrityError if it can't be read."""
        return await self._read(reveal_name(service, index))

    async def write(self, reveal: Reveal) -> None:
        """Write the record of an index."""
        await self._runs.put(reveal_name(reveal.service, reveal.index), msgspec.json.encode(reveal))

    async def remove(self, service: str, index: str) -> None:
        """Remove the record of an index."""
        await self._runs.delete(reveal_name(service, index))

    async def all(self) -> AsyncIterator[Reveal]:
        """Return every record."""
        async for blob in self._runs.list(REVEALS_PREFIX):
            found = await self._read(blob.name)
            if found is not None:
                yield found

    async def _read(self, name: str) -> Reveal | None:
        blob = await self._runs.read(name, _RECORD_LIMIT)
        if blob is None:
            return None
        try:
            return msgspec.json.decode(blob.data, type=Reveal)
        except msgspec.MsgspecError:
            raise IntegrityError(
                "this record of revealed fields can't be read",
                on=name,
                do="Compare the index's definition with its last snapshot, hide its fields again and delete the record",
            ) from None


def with_retrievable(definition: bytes, paths: Collection[str], *, retrievable: bool) -> bytes:
    """Return a definition in which the fields of these paths are, or are not, retrievable; all else as it was.

    Secrets are read as `<redacted>` or null, and written back as `<unchanged>`: anything else would remove them.
    Source: update index, REST reference, 2026-09.
    """
    members = msgspec.json.decode(definition, type=dict[str, msgspec.Raw])
    for annotation in _ANNOTATIONS:
        members.pop(annotation, None)
    changed = {
        name: msgspec.Raw(bytes(value).replace(_REDACTED, _UNCHANGED))
        for name, value in members.items()
        if name != "fields"
    }
    if "encryptionKey" in changed:
        changed["encryptionKey"] = _with_secret_kept(changed["encryptionKey"])
    fields = _changed_fields(members["fields"], "", set(paths), retrievable=retrievable)
    return msgspec.json.encode({name: fields if name == "fields" else changed[name] for name in members})


def _changed_fields(raw: msgspec.Raw, parent: str, paths: set[str], *, retrievable: bool) -> list[msgspec.Raw]:
    changed = []
    for field in msgspec.json.decode(raw, type=list[dict[str, msgspec.Raw]]):
        path = parent + msgspec.json.decode(field["name"], type=str)
        if path in paths:
            field["retrievable"] = msgspec.Raw(b"true" if retrievable else b"false")
        if "fields" in field and bytes(field["fields"]) != b"null":
            inner = _changed_fields(field["fields"], f"{path}/", paths, retrievable=retrievable)
            field["fields"] = msgspec.Raw(msgspec.json.encode(inner))
        changed.append(msgspec.Raw(msgspec.json.encode(field)))
    return changed


def _with_secret_kept(raw: msgspec.Raw) -> msgspec.Raw:
    key = msgspec.json.decode(raw)
    if isinstance(key, dict) and isinstance(key.get("accessCredentials"), dict):
        key["accessCredentials"]["applicationSecret"] = "<unchanged>"
    return msgspec.Raw(msgspec.json.encode(key))
