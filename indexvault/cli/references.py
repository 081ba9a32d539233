"""How an operator names an index or a snapshot."""

from indexvault.errors import NotFoundError, SettingsError
from indexvault.model import IndexName
from indexvault.settings.load import service_settings
from indexvault.settings.model import Settings
from indexvault.snapshots.names import SnapshotReference, parse_segment, service_prefix
from indexvault.snapshots.store import Store


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


async def indexes_with_snapshots(settings: Settings, store: Store, service: str, index: str | None) -> list[str]:
    """Return the indexes of a service that have snapshots in a store, `$service` among them, or only the one named.

    Raises NotFoundError for an unknown service, and when there are no snapshots.
    """
    service_settings(settings, service)
    names = [parse_segment(segment) async for segment in store.snapshots.folders(service_prefix(service))]
    found = [name for name in names if name is not None and index in {None, name}]
    if not found:
        known = ", ".join(name for name in names if name is not None) or "none at all"
        raise NotFoundError(
            "there are no snapshots of it",
            on=service if index is None else f"{service}/{index}",
            do=f"There are: {known}",
        )
    return found
