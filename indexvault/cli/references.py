"""How an operator names an index or a snapshot."""

from indexvault.errors import SettingsError
from indexvault.model import IndexName
from indexvault.snapshots.names import SnapshotReference

SNAPSHOT_HELP = "SERVICE/INDEX@latest, @<time> (newest at or before) or @<id>"


def place(text: str) -> tuple[str, str | None]:
    """Split SERVICE[/INDEX]. Raises SettingsError when it is neither."""
    service, slash, index = text.partition("/")
    if not service or (slash and not index) or "/" in index or "@" in text:
        raise SettingsError("this is not SERVICE or SERVICE/INDEX", on=repr(text), do="Write it as contoso-east/hotels")
    return service, index or None


def index_name(text: str) -> IndexName:
    """Read SERVICE/INDEX. Raises SettingsError when it is none."""
    service, index = place(text)
    if index is None:
        raise SettingsError("no index is named", on=repr(text), do="Write it as contoso-east/hotels")
    return IndexName(service, index)


def index_or_snapshot(text: str) -> IndexName | SnapshotReference:
    """Read SERVICE/INDEX, or a snapshot if there is an @ in it."""
    return SnapshotReference.parse(text) if "@" in text else index_name(text)
