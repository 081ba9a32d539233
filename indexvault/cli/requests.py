"""What an operator can ask for, as the command line understood it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from indexvault.cli.contents import ContentsRequest
from indexvault.cli.deployments import DeploymentRequest
from indexvault.cli.upkeep import UpkeepRequest
from indexvault.model import IndexName
from indexvault.settings.model import HiddenFields
from indexvault.snapshots.names import SnapshotReference
from indexvault.snapshots.slices import Slice


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupRequest:
    """Back up indexes of a service; none named means all of them, and the service's other objects.

    With `dry_run` only the plans are made and shown.
    """

    service: str
    indexes: tuple[str, ...]
    parallel: int
    hidden_fields: HiddenFields = "report"
    dry_run: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class HealRequest:
    """Hide again the fields that backups which died have left revealed: of every service, of one, or of an index."""

    service: str | None
    index: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class UnlockRequest:
    """Take the lock of one index from whoever has it."""

    service: str
    index: str


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
    """Read one snapshot back and prove it, or all of an index.

    `part` limits which chunks are read, `sizes` lets none be read whose size is right. `store` is another store than
    the service's own.
    """

    target: SnapshotReference | IndexName
    parallel: int
    part: Slice | None = None
    sizes: bool = False
    store: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreRequest:
    """Restore one snapshot; to an index named like the old one where `index` is None.

    `options` are the further members of a `restore.job.RestoreJob`; with `dry_run` it is only checked.
    """

    snapshot: SnapshotReference
    service: str
    index: str | None
    options: Mapping[str, Any]
    dry_run: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreServiceRequest:
    """Restore a whole service; `options` are the further members of a `restore.service.job.ServiceRestoreJob`."""

    snapshot: SnapshotReference
    service: str
    options: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveRequest:
    """Move one index; to one named like it where `target_index` is None.

    `snapshot` is one made earlier, None a fresh one; `options` are the further members of a `move.job.MoveJob`; with
    `dry_run` it is only checked.
    """

    service: str
    index: str
    target_service: str
    target_index: str | None
    snapshot: SnapshotReference | None
    options: Mapping[str, Any]
    dry_run: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckRequest:
    """Try every service and store."""


type Request = (
    BackupRequest
    | HealRequest
    | UnlockRequest
    | SnapshotsRequest
    | ShowRequest
    | VerifyRequest
    | RestoreRequest
    | RestoreServiceRequest
    | MoveRequest
    | CheckRequest
    | UpkeepRequest
    | ContentsRequest
    | DeploymentRequest
)
