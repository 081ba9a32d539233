"""Find the secrets that a definition lacks, and supply them from an overlay: no snapshot holds secrets.

A request names an overlay, which is read from the settings when a definition is sent. No record holds its values.
"""

from collections.abc import Iterator
from typing import Any

import msgspec

from indexvault.restore.definition import TargetDefinition
from indexvault.restore.job import RestoreJob
from indexvault.restore.patch import patched
from indexvault.search.secret_scan import REDACTED, SHOWN_AS_NULL, WITHHELD
from indexvault.workflow.activity import Resources


def supplied(resources: Resources, job: RestoreJob, definition: TargetDefinition) -> TargetDefinition:
    """Return a definition with what the job's overlay has for the index. Send it, and write it nowhere.

    Raises NotFoundError for an overlay that is not configured, SettingsError for a secret that is not set.
    """
    if job.overlay is None:
        return definition
    patch = resources.clients.overlay(job.overlay, f"indexes/{job.index}")
    return definition if patch is None else TargetDefinition(patched(definition.body, patch), definition.preview)


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
