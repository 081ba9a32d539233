"""What an operator can ask for, as the command line understood it."""

from dataclasses import dataclass

from snapshots.names import SnapshotReference


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupRequest:
    """Back up indexes of a service; none named means all of them."""

    service: str
    indexes: tuple[str, ...]
    parallel: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotsRequest:
    """List snapshots: of every store, of a service, or of one index."""

    service: str | None
    index: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowRequest:
    """Tell what one snapshot holds."""

    snapshot: SnapshotReference


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyRequest:
    """Read one snapshot back and prove it."""

    snapshot: SnapshotReference
    parallel: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreRequest:
    """Restore one snapshot as a new index, named like the old one where `index` is None."""

    snapshot: SnapshotReference
    service: str
    index: str | None
    accept_loss: bool
    parallel: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckRequest:
    """Try every service and store."""


type Request = BackupRequest | SnapshotsRequest | ShowRequest | VerifyRequest | RestoreRequest | CheckRequest
