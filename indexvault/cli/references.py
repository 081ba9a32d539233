"""How an operator names an index or a snapshot."""

from collections.abc import Iterable
from dataclasses import dataclass

from indexvault.errors import NotFoundError, SettingsError
from indexvault.model import IndexName
from indexvault.settings.load import service_settings
from indexvault.settings.model import Settings
from indexvault.settings.patterns import check_patterns, select
from indexvault.snapshots.names import SERVICE_OBJECTS, SnapshotReference, parse_segment, service_prefix
from indexvault.snapshots.store import Store
from indexvault.suggestions import suggestion

PLACE = "SERVICE[/INDEX]"
PLACE_HELP = "whose snapshots: of a service, or of an index of it, which may be a pattern such as 'hotels-*'"


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotSet:
    """Snapshots that an operator names: all of a service, of an index or of those that a pattern fits, or a single one.

    `index` is a name or a pattern, `snapshot` set for a single one.
    """

    service: str
    index: str | None = None
    snapshot: SnapshotReference | None = None

    def __str__(self) -> str:
        """As a person writes it."""
        return str(self.snapshot) if self.snapshot else "/".join(filter(None, (self.service, self.index)))


def service_and_index(text: str) -> tuple[str, str | None]:
    """Split SERVICE[/INDEX]. Raises SettingsError when it is neither."""
    service, slash, index = text.partition("/")
    if not service or (slash and not index) or "/" in index or "@" in text:
        raise SettingsError("this is not SERVICE or SERVICE/INDEX", on=repr(text), do="Write it as contoso-east/hotels")
    return service, index or None


def optional_service_and_index(text: str | None) -> tuple[str | None, str | None]:
    """Split SERVICE[/INDEX] where both may be left out. Raises SettingsError when it is neither."""
    return (None, None) if text is None else service_and_index(text)


def index_name(text: str) -> IndexName:
    """Read SERVICE/INDEX. Raises SettingsError when it is something else."""
    service, index = service_and_index(text)
    if index is None:
        raise SettingsError("no index is named", on=repr(text), do="Write it as contoso-east/hotels")
    return IndexName(service, index)


def index_or_snapshot(text: str) -> IndexName | SnapshotReference:
    """Read SERVICE/INDEX, or a snapshot if there is an @ in it. Raises SettingsError when it is neither."""
    return SnapshotReference.parse(text) if "@" in text else index_name(text)


def snapshot_set(text: str) -> SnapshotSet:
    """Read SERVICE, SERVICE/INDEX, SERVICE/PATTERN or a snapshot. Raises SettingsError when it is none of them."""
    if "@" in text:
        snapshot = SnapshotReference.parse(text)
        return SnapshotSet(service=snapshot.service, index=snapshot.index, snapshot=snapshot)
    service, index = service_and_index(text)
    if is_pattern(index):
        check_patterns([index or ""], on=repr(text))
    return SnapshotSet(service=service, index=index)


def snapshot_place(text: str) -> tuple[str, str | None]:
    """Split SERVICE[/INDEX], where the index may be a pattern. Raises SettingsError when it is neither."""
    named = snapshot_set(text)
    if named.snapshot is not None:
        raise SettingsError(
            "this takes all snapshots of an index", on=repr(text), do="Leave out the @ and what follows"
        )
    return named.service, named.index


def is_pattern(index: str | None) -> bool:
    """Return whether the name of an index is a pattern, which may fit several."""
    return index is not None and "*" in index


def fitting(names: Iterable[str], index: str | None) -> list[str]:
    """Return the names that an index, or a pattern, means, in their order; all of them for None.

    A pattern fits indexes only, and not a service's other objects.
    """
    if index is None or not is_pattern(index):
        return [name for name in names if index in {None, name}]
    known = [name for name in names if name != SERVICE_OBJECTS]
    chosen = set(select(known, [index]).found)
    return [name for name in known if name in chosen]


async def store_indexes(store: Store, service: str) -> list[str]:
    """Return the indexes of a service that have a folder in a store, `$service` among them."""
    names = [parse_segment(segment) async for segment in store.snapshots.folders(service_prefix(service))]
    return [name for name in names if name is not None]


async def indexes_with_snapshots(settings: Settings, store: Store, service: str, index: str | None) -> list[str]:
    """Return the indexes of a service that have snapshots in a store, `$service` among them, or only those named.

    Raises NotFoundError for an unknown service, and when there are no snapshots.
    """
    service_settings(settings, service)
    names = await store_indexes(store, service)
    found = fitting(names, index)
    if not found:
        raise no_snapshots(service, index, names)
    return found


def no_snapshots(service: str, index: str | None, known: Iterable[str]) -> NotFoundError:
    """Return the error for a service, index or pattern that has no snapshots; `known` are the indexes that have."""
    names = list(known)
    return NotFoundError(
        "there are no snapshots of it",
        on=service if index is None else f"{service}/{index}",
        do=f"There are: {', '.join(names) or 'none at all'}{suggestion(index or '', names)}",
    )
