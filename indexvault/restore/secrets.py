"""Secrets that a definition needs and no snapshot holds: which are missing, and those that an overlay gives.

An overlay is named in a request and read from the settings when a definition is sent. What it gives is in no record.
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
    """Return a definition with what the job's overlay has for the index. To be sent, and written nowhere.

    Raises NotFoundError for an overlay that is not configured, SettingsError for a secret that is not set.
    """
    if job.overlay is None:
        return definition
    patch = resources.clients.overlay(job.overlay, f"indexes/{job.index}")
    return definition if patch is None else TargetDefinition(patched(definition.body, patch), definition.preview)


def missing_secrets(definition: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Return the paths of members whose secret is not in a definition, and what stands there.

    The service shows `<redacted>`, or null; the backup has put `<withheld>` where it took one out. The secret of the
    application that reads an encryption key is one only where there is such an application.
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
    """Return the paths of all secrets that are missing."""
    return [path for path, _shown in missing_secrets(msgspec.json.decode(definition))]


def needed_paths(definition: bytes | msgspec.Raw) -> list[str]:
    """Return the paths of those without which no index can be made of it.

    Where the service itself shows `<redacted>` it also takes that, for nothing; anywhere else the word would become the
    value. An encryption key can't be given later. Source: vectorizers and encryption, REST reference, 2026-09.
    """
    found = missing_secrets(msgspec.json.decode(definition))
    return [path for path, shown in found if shown == WITHHELD or path.endswith("applicationSecret")]
