"""Find the secrets that a definition lacks, and supply them from an overlay: no snapshot holds secrets.

A request names an overlay, which is read from the settings when a definition is sent. No record holds its values.
"""

from collections.abc import Iterator
from typing import Any

import msgspec

from indexvault.errors import SettingsError
from indexvault.restore.definition import TargetDefinition
from indexvault.restore.job import RestoreJob
from indexvault.restore.patch import patched
from indexvault.restore.secret_hosts import misdirected
from indexvault.search.secret_scan import REDACTED, SHOWN_AS_NULL, WITHHELD
from indexvault.settings.overlays import OverlayEntry
from indexvault.workflow.activity import Resources

REDIRECT = "If the address is right, name its host in the overlay; else set the address in the overlay too"
"""What to do about a secret that would go to another host than its own."""
_UNCHANGED = "<unchanged>"
"""What a definition that is sent has in place of a secret that the service shall keep. Source: Update Skillset and
Update Data Source (REST API), 2026-09."""


class Completed(msgspec.Struct, frozen=True):
    """A definition with what an overlay has for it, to be sent and written nowhere.

    `misdirected` says in words which secrets would go to another host than their own; then the definition has none of
    the overlay's secrets, and must not be sent.
    """

    body: msgspec.Raw
    misdirected: list[str]


def completed(body: msgspec.Raw, entry: OverlayEntry | None) -> Completed:
    """Return a definition with what an overlay has for it."""
    marked = body if entry is None else patched(body, entry.marked)
    told = [
        f"{path} would have the service keep a secret of its own, whatever address stands beside it"
        for path in _kept_paths(msgspec.json.decode(marked))
    ]
    if entry is not None:
        told += misdirected(marked, entry)
    return Completed(marked if told or entry is None else patched(body, entry.filled), told)


def completed_for(resources: Resources, job: RestoreJob, definition: TargetDefinition) -> Completed:
    """Return a definition with what the job's overlay has for the index.

    Raises NotFoundError for an overlay that is not configured, SettingsError for a secret that is not set.
    """
    entry = None if job.overlay is None else resources.clients.overlay(job.overlay, f"indexes/{job.index}")
    return completed(definition.body, entry)


def supplied(resources: Resources, job: RestoreJob, definition: TargetDefinition) -> TargetDefinition:
    """Return a definition with what the job's overlay has for the index. Send it, and write it nowhere.

    Raises NotFoundError for an overlay that is not configured, SettingsError for a secret that is not set, or would go
    to another host than the overlay names.
    """
    found = completed_for(resources, job, definition)
    if found.misdirected:
        raise SettingsError("; ".join(found.misdirected), on=f"overlay {job.overlay or '(none)'}", do=REDIRECT)
    return TargetDefinition(found.body, definition.preview)


def missing_secrets(definition: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the paths of members whose secret a definition lacks, and what stands in its place.

    The service shows `<redacted>` or null; the backup puts `<withheld>` where it took a secret out. The application
    secret for an encryption key counts only if the definition names the application.
    """
    match definition:
        case dict():
            for name, inner in definition.items():
                below = f"{path}.{name}" if path else name
                is_unused = name == "applicationSecret" and definition.get("applicationId") is None
                if inner is None and name in SHOWN_AS_NULL and not is_unused:
                    yield below, inner
                else:
                    yield from missing_secrets(inner, below)
        case list():
            for position, inner in enumerate(definition):
                yield from missing_secrets(inner, f"{path}[{position}]")
        case str() if definition in {REDACTED, WITHHELD}:
            yield path, definition


def _kept_paths(definition: Any, path: str = "") -> Iterator[str]:
    """Yield the paths of members that have the service keep the secret it holds. No service shows such a value."""
    match definition:
        case dict():
            for name, inner in definition.items():
                yield from _kept_paths(inner, f"{path}.{name}" if path else name)
        case list():
            for position, inner in enumerate(definition):
                yield from _kept_paths(inner, f"{path}[{position}]")
        case str() if definition == _UNCHANGED:
            yield path


def missing_paths(definition: bytes | msgspec.Raw) -> list[str]:
    """Return the paths of all missing secrets."""
    return [path for path, _shown in missing_secrets(msgspec.json.decode(definition))]


def needed_paths(definition: bytes | msgspec.Raw) -> list[str]:
    """Return the paths of the missing secrets without which the index can't be created.

    Where the service itself shows `<redacted>` it also accepts that word and ignores it; anywhere else the word would
    become the value. An encryption key can't be added later. Source: vectorizers and encryption, REST reference,
    2026-09.
    """
    found = missing_secrets(msgspec.json.decode(definition))
    return [path for path, shown in found if shown == WITHHELD or path.endswith("applicationSecret")]
