"""Decide whether a caller may read all documents of an index, which lists or labels may protect.

Source: document-level access control and elevated read, 2026-09.
"""

from indexvault.errors import ForbiddenError, RefusedError, UnauthorizedError, UnreadableIndexError
from indexvault.search.client import SearchService
from indexvault.search.page import PageReader
from indexvault.search.query import DocumentQuery
from indexvault.search.schema import Schema


def require_reader(service: SearchService, schema: Schema, *, on: str) -> None:
    """Raise UnreadableIndexError for an index under Purview if the service is queried with a key, not an identity."""
    if schema.purview_enabled and service.by_key:
        raise UnreadableIndexError(
            "its documents are under Purview's sensitivity labels, and a key can't read them",
            on=on,
            do="Take api_key out of the service's settings and give an Entra identity the roles",
        )


async def may_read_elevated(service: SearchService, index: str, schema: Schema) -> bool:
    """Return whether documents are protected and this caller may read them regardless."""
    if not schema.is_protected:
        return False
    try:
        await service.documents(
            index, DocumentQuery(select=schema.key.name, top=1), PageReader(schema.key.name), elevated=True
        )
    except (ForbiddenError, UnauthorizedError, RefusedError):
        return False
    return True
