"""Small records in the run container, kept for the snapshots of one index and read back by their ids."""

from collections.abc import AsyncIterator

import msgspec

from indexvault.errors import IntegrityError
from indexvault.snapshots.store import RunBlobs

RECORD_LIMIT = 256 * 1024 * 1024
"""Bytes of the largest record that is read: the chunks of a very large snapshot."""


async def read_record[Kind](runs: RunBlobs, name: str, kind: type[Kind]) -> Kind | None:
    """Return a record, or None when there is none. Raises IntegrityError when it can't be read."""
    blob = await runs.read(name, RECORD_LIMIT)
    if blob is None:
        return None
    return decode_record(blob.data, name, kind)


async def read_records[Kind](runs: RunBlobs, prefix: str, kind: type[Kind]) -> AsyncIterator[tuple[str, Kind]]:
    """Return the records under a prefix, each with the snapshot's id that its name ends with."""
    async for blob in runs.list(prefix):
        record = await read_record(runs, blob.name, kind)
        if record is not None:
            yield blob.name.removeprefix(prefix).removesuffix(".json"), record


def decode_record[Kind](data: bytes, name: str, kind: type[Kind]) -> Kind:
    """Decode a record. Raises IntegrityError, naming the blob, when it is none."""
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.MsgspecError as error:
        raise IntegrityError(
            "this record can't be read", on=name, do="Find out who wrote it; if it was nobody, delete it"
        ) from error
