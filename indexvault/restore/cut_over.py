"""The switch from the old index to the proved one, and what becomes of the old one."""

from indexvault.errors import ConflictError, NotFoundError, UnexpectedAnswerError
from indexvault.restore.context import RestoreContext, open_context
from indexvault.restore.definition import renamed, same_content, same_when_shown, with_fields_shown
from indexvault.restore.job import RestoreRun
from indexvault.restore.report import CutOver
from indexvault.restore.secrets import supplied
from indexvault.restore.state import HIDING, MADE, Hiding, Made, require
from indexvault.search.client import SearchService
from indexvault.search.page import PageReader
from indexvault.search.query import DocumentQuery
from indexvault.workflow.activity import Activity, Resources

ALIAS_SECONDS = 10
"""How long a swapped alias may still lead to the old index. Source: index aliases, 2026-09."""


async def cut_over(resources: Resources, run: RestoreRun) -> CutOver:
    """Hide again what was shown while it was compared, then point the alias at the index, and let the old one go.

    The alias is swapped only if it is still what it was when the restore began, and the old index is deleted only if
    that was asked for, the new one answers, and the old one's ETag and count are unchanged. Raises ConflictError
    otherwise, with the new index left complete.
    """
    context = await open_context(resources, run)
    await _finish(context)
    order = context.plan
    if order.alias is not None:
        await swap_alias(context.target, order.alias, order.into, before=order.alias_etag, resources=resources)
    await require_health(context.target, order.alias or order.into, order.into, context.manifest.key_field)
    deleted = False
    if order.old_index not in {None, order.into} and order.job.delete_old:
        await _delete_old(context)
        deleted = True
    notes = []
    if order.old_index not in {None, order.into} and not deleted:
        notes.append(f"the index before it, {order.old_index}, is kept: delete it when it is no longer needed")
    return CutOver(
        alias=order.alias,
        old_index=order.old_index if order.old_index != order.into else None,
        old_deleted=deleted,
        notes=notes,
    )


async def swap_alias(
    service: SearchService, alias: str, index: str, *, before: str | None, resources: Resources
) -> None:
    """Point an alias at an index, unless it points there, and wait until every query goes there.

    `before` is its ETag at the beginning, None where there was no such alias. Raises ConflictError if it was changed.
    """
    present = await service.alias(alias)
    if present is not None and present.index == index:
        await resources.sleep(ALIAS_SECONDS)
        return
    if (present.etag if present is not None else None) != before:
        raise ConflictError(
            "somebody else has changed it since the restore began; the new index is complete",
            on=f"{service.name} alias {alias}",
            do=f"Point it at {index} yourself if that is what you want",
        )
    await resources.fence()
    await service.point_alias(alias, index, etag=before)
    await resources.sleep(ALIAS_SECONDS)


async def require_health(service: SearchService, name: str, index: str, key_field: str) -> None:
    """Ask a query of an index under the name its users have. Raises UnexpectedAnswerError if it does not answer.

    An index with documents must give one.
    """
    page = await service.documents(name, DocumentQuery(top=1, select=key_field), PageReader(key_field))
    if not page.documents and await service.count(index):
        raise UnexpectedAnswerError(
            "it answers a query without any document", on=f"{service.name} {name}", do="Look at the new index"
        )


async def _finish(context: RestoreContext) -> None:
    """Return the new index its final definition, where it was made with fields shown that are to be hidden."""
    order = context.plan
    if order.job.mode not in {"create", "replace"}:
        return
    made = await require(context.records, MADE, Made, context.on)
    final = renamed(order.definition, order.into)
    present = await context.target.index_definition(order.into, preview=final.preview)
    if present.etag != made.etag:
        # An attempt that was killed may have hidden them without having heard so.
        is_hiding = await context.records.read(HIDING, Hiding) is not None
        if is_hiding and same_when_shown(present.body, made.body):
            return
        raise ConflictError(
            "its definition was changed by somebody else while it was restored",
            on=context.on,
            do="Look at what changed, then restore again with --discard-unfinished",
        )
    if not _has_hidden_fields(context):
        return
    await context.records.write(HIDING, Hiding())
    sent = supplied(context.resources, order.job, final)
    await context.target.update_index(order.into, bytes(sent.body), etag=present.etag, preview=final.preview)


def _has_hidden_fields(context: RestoreContext) -> bool:
    return not same_content(with_fields_shown(context.plan.definition).body, context.plan.definition.body)


async def _delete_old(context: RestoreContext) -> None:
    order, old = context.plan, context.plan.old_index or ""
    try:
        present = await context.target.index_definition(old)
    except NotFoundError:
        return
    if present.etag != order.old_etag or await context.target.count(old) != order.old_count:
        raise ConflictError(
            "it was changed since the restore began, so it is kept; the new index is complete and in use",
            on=f"{context.target.name} index {old}",
            do="Look at what was written to it meanwhile, then delete it yourself",
        )
    await context.resources.fence()
    await context.target.delete_index(old, etag=present.etag)


CUT_OVER = Activity("cut_over", RestoreRun, CutOver, cut_over, lambda run: run.work)
