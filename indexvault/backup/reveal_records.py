"""Fields made retrievable for a backup: the durable record of that, and the change to the definition.

The record is written before the first change and removed after the last one. It holds the original definition, so that
after a crash in between a later run or `indexvault heal` can restore it.
"""

from collections.abc import AsyncIterator, Collection
from datetime import datetime

import msgspec

from indexvault.errors import UNDECODABLE, IntegrityError
from indexvault.snapshots.manifest import Definition
from indexvault.snapshots.records import RecordStore
from indexvault.snapshots.run_names import REVEALS_PREFIX, reveal_name
from indexvault.snapshots.store import RunBlobs

_RECORD_LIMIT = 64 * 1024 * 1024
_REDACTED, _UNCHANGED = b'"<redacted>"', b'"<unchanged>"'
_ANNOTATIONS = ("@odata.context", "@odata.etag")


class Reveal(msgspec.Struct, frozen=True, kw_only=True):
    """A run that makes fields retrievable. `definition` and `etag` are those of the index before the change."""

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
        self._records = RecordStore(
            runs,
            Reveal,
            what="this record of revealed fields can't be read",
            do="Compare the index's definition with its last snapshot, hide its fields again and delete the record",
            limit=_RECORD_LIMIT,
        )

    async def read(self, service: str, index: str) -> Reveal | None:
        """Return the record of an index, or None. Raises IntegrityError if it can't be read."""
        return await self._records.read(reveal_name(service, index))

    async def write(self, reveal: Reveal) -> None:
        """Write the record of an index."""
        await self._records.write(reveal_name(reveal.service, reveal.index), reveal)

    async def remove(self, service: str, index: str) -> None:
        """Remove the record of an index."""
        await self._records.remove(reveal_name(service, index))

    async def all(self) -> AsyncIterator[Reveal]:
        """Yield every record. Raises IntegrityError at the first one that can't be read."""
        async for _, reveal in self._records.list(REVEALS_PREFIX):
            yield reveal


def with_retrievable(definition: bytes, paths: Collection[str], *, retrievable: bool) -> bytes:
    """Return a definition with the fields of these paths made retrievable or hidden, and nothing else changed.

    The service returns secrets as `<redacted>` or null; they are written back as `<unchanged>`, since anything else
    would remove them. Raises IntegrityError if it is no index definition.
    Source: update index, REST reference, 2026-09.
    """
    try:
        return _with_retrievable(definition, set(paths), retrievable=retrievable)
    except (*UNDECODABLE, KeyError):
        raise IntegrityError(
            "it is no index definition", on="definition of an index", do="Compare it with the index's last snapshot"
        ) from None


def _with_retrievable(definition: bytes, paths: set[str], *, retrievable: bool) -> bytes:
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
    fields = _changed_fields(members["fields"], "", paths, retrievable=retrievable)
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
