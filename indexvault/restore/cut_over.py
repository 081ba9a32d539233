"""Cut over from the old index to the proved one, and delete the old one if that was asked for."""

from indexvault.errors import ConflictError, NotFoundError, UnexpectedAnswerError
from indexvault.restore.context import RestoreContext, open_context
from indexvault.restore.definition import renamed, same_when_shown, with_fields_shown
from indexvault.restore.job import RestoreRun
from indexvault.restore.replaced_index import require_replaced_index
from indexvault.restore.report import CutOver
from indexvault.restore.secrets import supplied
from indexvault.restore.state import HIDING, Hiding, TargetIndex
from indexvault.search.client import SearchService
from indexvault.search.definition_content import same_content
from indexvault.search.definitions import Alias
from indexvault.search.page import PageReader
from indexvault.search.query import DocumentQuery
from indexvault.search.schema import read_schema
from indexvault.workflow.activity import Activity, Resources

ALIAS_SECONDS = 10
"""How long a swapped alias may still lead to the old index. Source: index aliases, 2026-09."""


async def cut_over(resources: Resources, run: RestoreRun) -> CutOver:
    """Hide the fields that were shown for the comparison, point the alias at the index, and delete the old index.

    The alias is swapped only if it is unchanged since the restore began. The old index is deleted only if that was
    asked for, the new one answers, and the old one's ETag and count are unchanged. Raises ConflictError otherwise, with
    the new index complete.
    """
    context = await open_context(resources, run)
    target_index = await context.target_index()
    await _hide_fields(context, target_index)
    plan = context.plan
    if plan.alias is not None:
        await swap_alias(context.target, plan.alias, plan.written_index, before=plan.alias_before, resources=resources)
    key_field = read_schema(target_index.body, on=context.on).key.name
    await require_health(context.target, plan.alias or plan.written_index, plan.written_index, key_field)
    deleted = False
    if plan.old_index not in {None, plan.written_index} and plan.job.delete_old:
        await _delete_old(context)
        deleted = True
    notes = []
    if plan.old_index not in {None, plan.written_index} and not deleted:
        notes.append(f"the index before it, {plan.old_index}, is kept: delete it when it is no longer needed")
    return CutOver(
        alias=plan.alias,
        old_index=plan.old_index if plan.old_index != plan.written_index else None,
        old_deleted=deleted,
        notes=notes,
    )


async def swap_alias(
    service: SearchService, alias: str, index: str, *, before: Alias | None, resources: Resources
) -> None:
    """Point an alias at an index, unless it already does, and wait until every query goes there.

    `before` is the alias at the beginning, None if there was none. Raises ConflictError if it leads elsewhere by now.
    """
    present = await service.alias(alias)
    if present is not None and present.index == index:
        await resources.sleep(ALIAS_SECONDS)
        return
    if present is not before and (present is None or not present.is_same(before)):
        raise ConflictError(
            "another client has changed it since the restore began; the new index is complete",
            on=f"{service.name} alias {alias}",
            do=f"Point it at {index} by hand if that is intended",
        )
    await resources.fence()
    await service.point_alias(alias, index, before=present)
    await resources.sleep(ALIAS_SECONDS)


async def require_health(service: SearchService, name: str, index: str, key_field: str) -> None:
    """Query an index under the name that its users have.

    Raises UnexpectedAnswerError if an index with documents returns none.
    """
    page = await service.documents(name, DocumentQuery(top=1, select=key_field), PageReader(key_field))
    if not page.documents and await service.count(index):
        raise UnexpectedAnswerError(
            "it answers a query without any document", on=f"{service.name} {name}", do="Look at the new index"
        )


async def _hide_fields(context: RestoreContext, target_index: TargetIndex) -> None:
    """Send the new index its final definition if it was created with fields shown that are to be hidden."""
    plan = context.plan
    if plan.job.mode not in {"create", "replace"}:
        return
    final = renamed(plan.definition, plan.written_index)
    present = await context.target.index_definition(plan.written_index, preview=final.preview)
    if present.etag != target_index.etag and not same_content(present.body, target_index.body):
        # An interrupted attempt may have hidden them before it got the answer.
        is_hiding = await context.records.read(HIDING, Hiding) is not None
        if is_hiding and same_when_shown(present.body, target_index.body):
            return
        raise ConflictError(
            "its definition was changed by another client while it was restored",
            on=context.on,
            do="Look at what changed, then restore again with --discard-unfinished",
        )
    if not _has_hidden_fields(context):
        return
    await context.records.write(HIDING, Hiding())
    sent = supplied(context.resources, plan.job, final)
    await context.target.update_index(plan.written_index, bytes(sent.body), before=present, preview=final.preview)


def _has_hidden_fields(context: RestoreContext) -> bool:
    return not same_content(with_fields_shown(context.plan.definition).body, context.plan.definition.body)


async def _delete_old(context: RestoreContext) -> None:
    plan, old = context.plan, context.plan.old_index or ""
    try:
        present = await context.target.index_definition(old)
    except NotFoundError:
        return
    by_hand = "Look at what was written to it meanwhile, then delete it by hand"
    await require_replaced_index(context.target, plan, present, by_hand)
    await context.resources.fence()
    await context.target.delete_index(old, before=present)


CUT_OVER = Activity("cut_over", RestoreRun, CutOver, cut_over, lambda run: run.work)
