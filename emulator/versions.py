"""The api-versions that the emulated service supports, and which members of a definition each knows.

Source: the REST specification and the official SDK, versions up to 12.0.0 (2026-04-01); members and counters of
2026-05-01-preview from the release notes of the Python SDK 12.1.0b1, 2026-05.
"""

from typing import Any

from emulator.failures import ServiceError, invalid_request

STABLE = ("2019-05-06", "2020-06-30", "2023-11-01", "2024-07-01", "2025-09-01", "2026-04-01")
PREVIEW = (
    "2019-05-06-preview",
    "2020-06-30-preview",
    "2021-04-30-preview",
    "2023-07-01-preview",
    "2023-10-01-preview",
    "2024-03-01-preview",
    "2024-05-01-preview",
    "2024-09-01-preview",
    "2024-11-01-preview",
    "2025-03-01-preview",
    "2025-05-01-preview",
    "2025-08-01-preview",
    "2025-11-01-preview",
    "2026-05-01-preview",
    "2026-08-01-preview",
)

_NEVER = "9999-99-99"

# member: (first stable version, first preview version)
INDEX_MEMBERS = {
    "normalizers": ("2024-07-01", "2020-06-30"),
    "similarity": ("2020-06-30", "2019-05-06"),
    "semantic": ("2023-11-01", "2021-04-30"),
    "vectorSearch": ("2023-11-01", "2023-07-01"),
    "description": ("2025-09-01", "2025-05-01"),
    "permissionFilterOption": (_NEVER, "2025-05-01"),
    "purviewEnabled": (_NEVER, "2025-11-01"),
    "sharePointConnectorAppRegistration": (_NEVER, "2026-05-01"),
}
FIELD_MEMBERS = {
    "normalizer": ("2024-07-01", "2020-06-30"),
    "dimensions": ("2023-11-01", "2023-07-01"),
    "vectorSearchProfile": ("2023-11-01", "2023-10-01"),
    "stored": ("2024-07-01", "2024-03-01"),
    "vectorEncoding": ("2024-07-01", "2024-05-01"),
    "permissionFilter": (_NEVER, "2025-05-01"),
    "sensitivityLabel": (_NEVER, "2025-11-01"),
    "sensitivityLabelId": (_NEVER, "2026-05-01"),
    "sensitivityLabelName": (_NEVER, "2026-05-01"),
    "sourceDocumentId": (_NEVER, "2026-05-01"),
    "sharepointSiteUrl": (_NEVER, "2026-05-01"),
}
SERVICE_KINDS = {
    "aliases": ("2026-04-01", "2021-04-30"),
    "knowledgesources": ("2026-04-01", "2025-08-01"),
    "knowledgebases": ("2026-04-01", "2025-11-01"),
}
ENCRYPTION_MEMBERS = {"isServiceLevelKey": (_NEVER, "2026-05-01")}
KNOWLEDGE_COUNTERS = (_NEVER, "2026-05-01")


class ApiVersion:
    """One api-version, as a request names it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.date = text[:10]
        self.preview = text.lower().endswith("-preview")

    def knows(self, since: tuple[str, str]) -> bool:
        """Return whether this version has a feature that came with these versions (stable, preview)."""
        stable, preview = since
        return stable <= self.date or (self.preview and preview <= self.date)

    def model(self) -> str:
        """Return the version as the service spells it in its type names."""
        return "V" + self.date.replace("-", "_") + ("_Preview" if self.preview else "")


def requested(text: str | None, *, previews: bool = True) -> ApiVersion:
    """Check the `api-version` of a request; `previews` says whether the service has the preview ones."""
    if not text:
        raise ServiceError(
            400, "The api-version query parameter is required. Set it to a supported version of the REST API."
        )
    known = STABLE + PREVIEW if previews else STABLE
    if text in STABLE or text.lower() in known:
        return ApiVersion(text)
    supported = ", ".join(known)
    raise ServiceError(
        400,
        f"Invalid or unsupported api-version query string parameter '{text}'. Supported versions: {supported}.",
        code="InvalidApiVersion",
    )


def require_members(
    members: dict[str, Any], allowed: frozenset[str], newer: dict[str, tuple[str, str]], version: ApiVersion, model: str
) -> None:
    """Refuse a member that this version's model lacks."""
    for name in members:
        if name in allowed or name.startswith("@odata."):
            continue
        if name in newer and version.knows(newer[name]):
            continue
        raise invalid_request(
            f"The property '{name}' does not exist on type 'Microsoft.Azure.Search.{version.model()}.{model}'. "
            "Make sure to only use property names that are defined by the type."
        )


def visible_members(members: dict[str, Any], newer: dict[str, tuple[str, str]], version: ApiVersion) -> dict[str, Any]:
    """Return the definition without members that this version's model lacks."""
    return {name: value for name, value in members.items() if name not in newer or version.knows(newer[name])}
