"""Check, before it is deleted, that an index is still the one that the restore's plan replaces."""

from indexvault.errors import ConflictError
from indexvault.restore.state import RestorePlan
from indexvault.search.client import SearchService
from indexvault.search.definition_content import content_digest
from indexvault.search.definitions import FetchedDefinition


async def require_replaced_index(target: SearchService, plan: RestorePlan, old: FetchedDefinition, do: str) -> None:
    """Raise ConflictError unless the index to delete is the one that the plan replaces.

    A new ETag alone is no change, but an index that was made anew has one too: then the definition and the storage must
    be as they were. A document that was overwritten since shows in neither ETag nor count.
    """
    index = plan.old_index or ""
    on = f"{target.name} index {index}"
    kept = "it was not deleted" if index == plan.written_index else "it is kept; the new index is complete and in use"
    if old.etag != plan.old_etag:
        is_same = content_digest(old.body) == plan.old_content
        if not is_same or (await target.index_statistics(index)).storage_size != plan.old_size:
            raise ConflictError(f"it was changed or made anew since the restore began; {kept}", on=on, do=do)
    count = await target.count(index)
    if count != plan.old_count:
        raise ConflictError(
            f"it has {count} documents now and had {plan.old_count} when the restore began: somebody writes to it;"
            f" {kept}",
            on=on,
            do=do,
        )
