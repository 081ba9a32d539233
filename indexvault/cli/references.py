"""How an operator names an index or a snapshot."""

import re

from indexvault.errors import SettingsError
from indexvault.maintenance.targets import SnapshotSet, is_pattern
from indexvault.model import IndexName
from indexvault.settings.patterns import check_patterns
from indexvault.snapshots.names import SnapshotReference

_PLACE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*/[A-Za-z0-9$][A-Za-z0-9_-]*")
PLACE = "SERVICE[/INDEX]"
PLACE_HELP = "whose snapshots: of a service, or of an index of it, which may be a pattern such as 'hotels-*'"


def snapshot_reference(text: str) -> SnapshotReference:
    """Read SERVICE/INDEX@... Raises SettingsError, saying what lists the snapshots, when it is something else."""
    try:
        return SnapshotReference.parse(text)
    except SettingsError as error:
        service, _, index = text.partition("@")[0].partition("/")
        place = f" {service}/{index}" if _PLACE.fullmatch(f"{service}/{index}") else ""
        raise SettingsError(
            error.what, on=error.on, do=f"{error.do}; `indexvault snapshots{place}` lists {'them' if place else 'all'}"
        ) from None


def service_and_index(text: str) -> tuple[str, str | None]:
    """Split SERVICE[/INDEX]. Raises SettingsError when it is neither."""
    service, slash, index = text.partition("/")
    if "@" in text and _PLACE.fullmatch(text.partition("@")[0]):
        place = text.partition("@")[0]
        raise SettingsError(
            "this is not SERVICE or SERVICE/INDEX but a snapshot",
            on=repr(text),
            do=f"Leave out the @ and what follows: {place}; `indexvault show {text}` shows that snapshot",
        )
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
    return snapshot_reference(text) if "@" in text else index_name(text)


def snapshot_set(text: str) -> SnapshotSet:
    """Read SERVICE, SERVICE/INDEX, SERVICE/PATTERN or a snapshot. Raises SettingsError when it is none of them."""
    if "@" in text:
        snapshot = snapshot_reference(text)
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
