"""Tell whether a snapshot is authentic: made by somebody who has a record key.

A checksum tells damage; whoever writes to a store can make a manifest whose checksum is right. So with a record key, a
manifest is signed as it is committed, in its own bytes, which replicas copy as they are; and so is the summary in its
metadata, so that a listing needs no further request. What was made without the key, by an earlier version or by others,
is `unauthentic` until an operator accepts it: then a signed record in the runs container names its digest, since a
manifest is never written again.
"""

import hashlib
import json
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from indexvault.errors import ConflictError, IntegrityError, NotFoundError, RemoteError
from indexvault.model import Authenticity, Clock
from indexvault.snapshots.checksum import TRAILER_LENGTH, with_checksum
from indexvault.snapshots.record_keys import NO_KEYS, RecordKeys
from indexvault.snapshots.records import RecordStore
from indexvault.snapshots.run_names import accepted_name
from indexvault.snapshots.store import RunBlobs, SnapshotReader

SIGNATURE = "signature"
"""The name of the metadata that holds the signature of a manifest's summary."""

_MEMBER = b',"signature":"%s"'
_MEMBER_LENGTH = len(_MEMBER % b"") + 8 + 1 + 64
_REMEMBERED_FOR = timedelta(seconds=30)
_ATTEMPTS = 5
_LOG = logging.getLogger(__name__)


class Accepted(msgspec.Struct, frozen=True):
    """A snapshot that an operator accepted though no key has signed it: the digests of its manifest and its summary."""

    manifest: str
    summary: str
    when: datetime


class AcceptedSnapshots(msgspec.Struct, frozen=True):
    """The accepted snapshots of one index by their ids."""

    snapshots: dict[str, Accepted] = {}


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Authority:
    """Signs and judges the manifests of a store, or of several that hold the same snapshots.

    `runs` are their run halves, which hold what operators accepted. Without keys nothing is signed, and nothing is
    judged: the answer is None.
    """

    def __init__(self, keys: RecordKeys = NO_KEYS, runs: Sequence[RunBlobs] = (), clock: Clock = _utc_now) -> None:
        self._keys = keys
        self.runs = runs
        self._clock = clock
        self._remembered: dict[tuple[str, str], tuple[datetime, Mapping[str, Accepted]]] = {}

    def __bool__(self) -> bool:
        """Return whether there are keys to judge with."""
        return bool(self._keys)

    def joined(self, others: Sequence["Authority"]) -> "Authority":
        """Return the authority of several stores: this one's keys, and what was accepted in any of them."""
        runs = [each for authority in (self, *others) for each in authority.runs]
        return Authority(self._keys, tuple(dict.fromkeys(runs)), self._clock)

    def sealed(self, body: bytes) -> bytes:
        """Return a manifest's JSON with its signature, if there is a key, and its checksum."""
        if self._keys:
            unsigned = body.removesuffix(b"}")
            body = unsigned + _MEMBER % self._keys.sign("manifest", unsigned).encode() + b"}"
        return with_checksum(body)

    def has_signed(self, data: bytes) -> bool:
        """Return whether one of the keys has signed the bytes of a manifest."""
        end = len(data) - TRAILER_LENGTH
        start = end - _MEMBER_LENGTH
        member = data[max(0, start) : max(0, end)]
        signature = member.removeprefix(_MEMBER.partition(b"%s")[0]).removesuffix(b'"')
        if not self._keys or start < 0 or member != _MEMBER % signature or not signature.isascii():
            return False
        return self._keys.verify(signature.decode(), "manifest", memoryview(data)[:start])

    def signed_metadata(self, name: str, data: bytes, summary: Mapping[str, str]) -> dict[str, str]:
        """Return the metadata of a manifest's blob: its summary, and that signed if the manifest is."""
        metadata = dict(summary)
        if self.has_signed(data):
            metadata[SIGNATURE] = self._keys.sign("summary", name.encode(), _canonical(summary))
        return metadata

    async def of_listed(
        self, service: str, index: str, snapshot: str, *, name: str, signature: str, summary: Mapping[str, str]
    ) -> Authenticity | None:
        """Judge a snapshot by the summary in its manifest's metadata. `signature` stands there too, or is empty."""
        if not self._keys:
            return None
        if self._keys.verify(signature, "summary", name.encode(), _canonical(summary)):
            return "authentic"
        found = (await self._accepted(service, index)).get(snapshot)
        return "accepted" if found is not None and found.summary == _digest(_canonical(summary)) else "unauthentic"

    async def of_manifest(self, service: str, index: str, snapshot: str, data: bytes) -> Authenticity | None:
        """Judge a snapshot by the bytes of its manifest, which the caller has found to be that snapshot's."""
        if not self._keys:
            return None
        if self.has_signed(data):
            return "authentic"
        found = (await self._accepted(service, index)).get(snapshot)
        return "accepted" if found is not None and found.manifest == _digest(data) else "unauthentic"

    async def accept(self, service: str, index: str, snapshot: str, data: bytes, summary: Mapping[str, str]) -> None:
        """Accept a snapshot as it is now, by its manifest's bytes and its summary, in all stores.

        Raises ConflictError if the record keeps changing, RemoteError if a store can't be written to.
        """
        accepted = Accepted(manifest=_digest(data), summary=_digest(_canonical(summary)), when=self._clock())
        for runs in self.runs:
            await _add(runs, accepted_name(service, index), snapshot, accepted)
        self._remembered.clear()

    async def _accepted(self, service: str, index: str) -> Mapping[str, Accepted]:
        now = self._clock()
        since, known = self._remembered.get((service, index), (None, {}))
        if since is not None and timedelta(0) <= now - since < _REMEMBERED_FOR:
            return known
        found: dict[str, Accepted] = {}
        for runs in self.runs:
            try:
                record = await RecordStore(runs, AcceptedSnapshots).read(accepted_name(service, index))
            except (RemoteError, NotFoundError, IntegrityError) as error:
                _LOG.warning("which snapshots of %s/%s were accepted is not known: %s", service, index, error)
                continue
            found |= record.snapshots if record is not None else {}
        self._remembered[service, index] = (now, found)
        return found


NO_AUTHORITY = Authority()


async def first_trusted[Found](
    blobs: SnapshotReader,
    read: Callable[[SnapshotReader], Awaitable[Found]],
    authenticity_of: Callable[[Found], Authenticity | None],
) -> Found:
    """Return the first sound copy that is trusted, or else the first sound one. Raises as `first_sound` does."""
    untrusted: list[Found] = []

    async def read_trusted(one: SnapshotReader) -> Found:
        found = await read(one)
        if authenticity_of(found) == "unauthentic":
            untrusted.append(found)
            raise IntegrityError("a manifest is not authentic", on="a store", do="Look for a copy in another store")
        return found

    try:
        return await blobs.first_sound(read_trusted)
    except (IntegrityError, NotFoundError, RemoteError):
        if untrusted:
            return untrusted[0]
        raise


async def _add(runs: RunBlobs, name: str, snapshot: str, accepted: Accepted) -> None:
    records = RecordStore(runs, AcceptedSnapshots)
    for _ in range(_ATTEMPTS):
        version = await records.read_version(name)
        known = version.record.snapshots if version is not None else {}
        record = AcceptedSnapshots({**known, snapshot: accepted})
        try:
            await records.write(
                name, record, if_match=version.etag if version is not None else None, if_absent=version is None
            )
        except ConflictError:
            continue
        return
    raise ConflictError("the record of accepted snapshots keeps changing", on=name, do="Try again")


def _canonical(summary: Mapping[str, str]) -> bytes:
    return json.dumps(dict(summary), sort_keys=True, separators=(",", ":")).encode()


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
