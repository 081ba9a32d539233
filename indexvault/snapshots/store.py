"""The store as a contract. Each implementation passes tests/snapshots/test_store_contract.py.

A store has two halves. In the snapshot half, blobs are written once: they are created, never changed, and only removed
by `delete`, which an immutability policy may refuse. The run half holds what changes: leases, checkpoints, pins,
tombstones.

For both halves:
- Every method may be called by many tasks at the same time, and again after any failure.
- What one call has written, every later call sees: reads, properties and listings alike.
- A blob exists whole or not at all, however a write ends.
- Names are those of `names` and `run_names`. Prefixes are plain text, so callers end them with a slash.
- Sizes are in bytes, times are aware and in UTC.
- A call ends within the timeouts that its store was opened with, whatever the store does. Transient failures are
  retried within a limit; then UnreachableError or OverloadedError is raised.
- Errors name the store, the account, the container and the blob; never a key, never a signature.
  UnauthorizedError: a wrong key or no identity. ForbiddenError: an identity without the role.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Protocol, Self

import msgspec

if TYPE_CHECKING:
    from indexvault.snapshots.authority import Authority


class BlobProperties(msgspec.Struct, frozen=True):
    """What a store knows about a blob without reading it.

    `content_md5` is the MD5 of the stored bytes if the store keeps one. Metadata names are in lower case. `etag` is
    there for blobs of the run half.
    """

    name: str
    size: int
    modified: datetime
    content_md5: bytes | None = None
    metadata: dict[str, str] = {}
    etag: str = ""


class RunBlob(msgspec.Struct, frozen=True):
    """A mutable blob as it was read: its bytes, and the ETag to change exactly that version with.

    `modified` is when it was last written, by the store's clock.
    """

    data: bytes
    etag: str
    metadata: dict[str, str] = {}
    modified: datetime | None = None


class ReadGrant(msgspec.Struct, frozen=True):
    """What another account needs to read one blob: its address and a header. Both are secrets; never log them."""

    url: str
    authorization: str | None = None


class Protection(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of blobs that are deleted.

    `container`: an immutability policy or legal hold of the container refuses the deletion. `version`: the deletion
    succeeds, and leaves a version that stays and is billed, since policies hold for versions. `none`: no policy is
    known of; an account with versioning keeps versions all the same. `versions` and `bytes` count the versions that
    are not current under a prefix. A policy keeps them until `until` at the latest (None: no policy keeps any), a legal
    hold keeps `held` of them for good.
    """

    kind: Literal["none", "container", "version"] = "none"
    versions: int = 0
    bytes: int = 0
    until: datetime | None = None
    held: int = 0


class SnapshotReader(Protocol):
    """The half that is written once, for code that only reads. Several stores can stand behind one reader."""

    @property
    def authority(self) -> "Authority":
        """What signs and judges manifests here: without a record key, it does neither."""
        ...

    async def read(self, name: str, limit: int) -> bytes:
        """Return a blob's bytes. NotFoundError if there is none, IntegrityError if it is larger than `limit` bytes."""
        ...

    async def read_range(self, name: str, offset: int, length: int) -> bytes:
        """Return `length` bytes of a blob, one at least, from `offset`.

        NotFoundError if there is none, IntegrityError if the blob ends before that. The bytes are not proved: compare
        them with a checksum of their own.
        """
        ...

    async def first_sound[Found](self, read: Callable[["SnapshotReader"], Awaitable[Found]]) -> Found:
        """Call `read` with each store that holds a copy, in order, until one raises nothing, and return its result.

        `read` raises IntegrityError for a damaged copy. With a single store this is just a call.
        """
        ...

    async def properties(self, name: str) -> BlobProperties | None:
        """Return a blob's properties, or None if there is no such blob."""
        ...

    def list(self, prefix: str) -> AsyncIterator[BlobProperties]:
        """Yield the properties, with metadata, of every blob whose name begins with the prefix, in order of names."""
        ...

    def folders(self, prefix: str) -> AsyncIterator[str]:
        """Yield the distinct names between the prefix and the next slash, in order: services under an empty prefix."""
        ...


class SnapshotWriter(SnapshotReader, Protocol):
    """The half that is written once, of one store."""

    async def create(
        self, name: str, data: bytes, *, metadata: Mapping[str, str] | None = None, content_type: str = ...
    ) -> bool:
        """Store a blob under a free name; return False, and change nothing, if a blob of that name exists.

        False can also follow a first attempt whose answer was lost, so it does not say who stored the blob: compare.
        Metadata names are lower-case ASCII identifiers and values printable ASCII, not empty. The bytes are protected
        on the way by a checksum.
        """
        ...

    async def delete(self, name: str) -> bool:
        """Remove a blob; return False if there is none.

        ConflictError if an immutability policy or a legal hold refuses it: the blob is still there.
        """
        ...

    async def protection(self, prefix: str) -> Protection:
        """Return what becomes of blobs that are deleted, and what became of those under a prefix that were."""
        ...

    async def grant(self, name: str) -> ReadGrant | None:
        """Return what another account needs to copy this blob by itself, or None if this store has no such thing."""
        ...

    async def copy(self, name: str, grant: ReadGrant) -> bool:
        """Have this store copy a blob of another one under the same name, with its metadata; False if it is there.

        The bytes don't come here. RefusedError if this store can't read the other one.
        """
        ...


class RunBlobs(Protocol):
    """The half that changes.

    If a condition does not hold, or another lease is active, ConflictError is raised and nothing changes. It can also
    follow a first attempt whose answer was lost: read and compare if it matters who wrote.
    """

    async def put(
        self,
        name: str,
        data: bytes,
        *,
        if_match: str | None = None,
        if_absent: bool = False,
        lease: str | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> str:
        """Write a whole blob and return its new ETag.

        `if_match` requires that the blob still has this ETag, or with `*` that there is one, `if_absent` that there is
        no such blob. A leased blob can be written only with its lease. Metadata is as for `SnapshotWriter.create`; it
        replaces that of the blob before.
        """
        ...

    async def read(self, name: str, limit: int) -> RunBlob | None:
        """Return a blob, or None if there is none. IntegrityError if it is larger than `limit` bytes."""
        ...

    def list(self, prefix: str) -> AsyncIterator[BlobProperties]:
        """Yield the properties of every blob whose name begins with the prefix, in order of names."""
        ...

    async def delete(self, name: str, *, if_match: str | None = None, lease: str | None = None) -> bool:
        """Remove a blob; return False if there is none. A leased blob can be removed only with its lease."""
        ...

    async def acquire(self, name: str, lease: str, seconds: int) -> None:
        """Lease an existing blob for 15 to 60 seconds under an id (a UUID) of the caller's choosing.

        Again with the same id it starts the time anew, so a step that is run twice gets its lease twice.
        NotFoundError when there is no such blob, ConflictError while another lease of it runs.
        """
        ...

    async def renew(self, name: str, lease: str) -> None:
        """Make the lease run its whole time from now. ConflictError when it is no longer the blob's."""
        ...

    async def release(self, name: str, lease: str) -> None:
        """End the lease at once. ConflictError when another's runs; an ended or broken one may pass in silence."""
        ...

    async def break_lease(self, name: str) -> None:
        """End whatever lease the blob has, at once and whoever holds it; nothing happens when there is none."""
        ...


class StoreReader(Protocol):
    """A configured store whose snapshots are only read, or several stores that hold the same snapshots."""

    @property
    def name(self) -> str:
        """The store's name in the settings."""
        ...

    @property
    def snapshots(self) -> SnapshotReader:
        """The half that is written once."""
        ...

    @property
    def runs(self) -> RunBlobs:
        """The half that changes."""
        ...

    async def prepare(self) -> None:
        """Create the containers that are missing. Call it before the first write; calling it again changes nothing."""
        ...

    async def close(self) -> None:
        """Close the clients."""
        ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Store(StoreReader, Protocol):
    """One configured store, to read and to write."""

    @property
    def snapshots(self) -> SnapshotWriter:
        """The half that is written once."""
        ...
