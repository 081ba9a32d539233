"""Access control: admin keys, query keys, and keys or bearer tokens limited to roles."""

from collections.abc import Mapping
from enum import StrEnum

from emulator.failures import ServiceError


class Permission(StrEnum):
    """What an operation needs."""

    READ_DOCUMENTS = "read documents"
    WRITE_DOCUMENTS = "write documents"
    READ_DEFINITIONS = "read definitions"
    WRITE_DEFINITIONS = "write definitions"
    READ_ELEVATED = "read elevated"


_ALL = frozenset(Permission)
# `elevated-reader` stands for a custom role. Newer documentation lets Search Index Data Contributor read elevated too,
# older one only a custom role. Source: Query-time ACL and RBAC enforcement in Azure AI Search, 2025-12 and 2026.
ROLES: Mapping[str, frozenset[Permission]] = {
    "admin": _ALL,
    "query": frozenset({Permission.READ_DOCUMENTS}),
    "data-reader": frozenset({Permission.READ_DOCUMENTS}),
    "data-contributor": frozenset({Permission.READ_DOCUMENTS, Permission.WRITE_DOCUMENTS, Permission.READ_ELEVATED}),
    "elevated-reader": frozenset({Permission.READ_DOCUMENTS, Permission.READ_ELEVATED}),
    "service-contributor": frozenset({Permission.READ_DEFINITIONS, Permission.WRITE_DEFINITIONS}),
    "reader": frozenset({Permission.READ_DEFINITIONS}),
}


def permissions_of(roles: str) -> frozenset[Permission]:
    """Return the permissions of roles joined by `+`. Raises ValueError for an unknown role."""
    found: set[Permission] = set()
    for role in roles.split("+"):
        if role not in ROLES:
            raise ValueError(f"unknown role {role!r}; known: {', '.join(ROLES)}")
        found |= ROLES[role]
    return frozenset(found)


class Caller:
    """Who sent a request."""

    def __init__(self, permissions: frozenset[Permission], *, by_key: bool) -> None:
        self.permissions = permissions
        self.by_key = by_key

    def require(self, permission: Permission) -> None:
        """Refuse a caller whose roles don't allow this."""
        if permission not in self.permissions:
            raise forbidden()


def forbidden() -> ServiceError:
    """Refuse a known caller or a wrong key; the service answers both alike."""
    return ServiceError(
        403,
        "The request is not authorized: the api-key is invalid or the caller has no role that allows this operation.",
        code="Forbidden",
    )


class Guard:
    """The keys and tokens of one service."""

    def __init__(self, admin_key: str, query_key: str, role_keys: Mapping[str, str]) -> None:
        self._keys = {admin_key: _ALL, query_key: ROLES["query"]}
        self._keys |= {key: permissions_of(roles) for key, roles in role_keys.items()}

    def caller(self, headers: Mapping[str, str]) -> Caller:
        """Return the caller of a request; an api-key wins over a token, as on the service."""
        key = headers.get("api-key")
        if key is not None:
            if key not in self._keys:
                raise forbidden()
            return Caller(self._keys[key], by_key=True)
        scheme, _, token = headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer" and token in self._keys:
            return Caller(self._keys[token], by_key=False)
        raise ServiceError(401, "Authentication is required: send an api-key or a bearer token.", code="Unauthorized")
