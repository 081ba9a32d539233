"""Hold the plan of an unfinished restore against what was asked, and against what follows from it.

The plan lies in the runs container, beside what others may have written there. So a restore that resumes carries out
its own job and not the plan's, and everything in the plan that can be derived again is derived again: the names from
the job, the old index from the alias, definition, stretches and counts from the snapshot's manifest.

What can't be derived is what the target was like when the restore began: the alias's ETag, the old index's ETag and
count, and, once the alias has been swapped, which index was behind it.
"""

from itertools import pairwise

import msgspec

from indexvault.errors import ConflictError, IntegrityError, LossNotAcceptedError, UnauthenticError
from indexvault.restore.context import beside
from indexvault.restore.definition import target_definition
from indexvault.restore.job import RestoreJob
from indexvault.restore.plan import plan_stretches
from indexvault.restore.regions import Regions, region_check
from indexvault.restore.selection import Selection
from indexvault.restore.state import RestorePlan
from indexvault.search.client import SearchService
from indexvault.settings.load import service_settings
from indexvault.settings.model import Settings
from indexvault.settings.policies import reading_order
from indexvault.settings.residency import residencies
from indexvault.snapshots.manifest import Manifest
from indexvault.snapshots.store import SnapshotReader
from indexvault.workflow.resume import altered

_TOLD_AGAIN = {"in_place": "--replace-in-place", "delete_old": "--delete-old", "overlay": "--overlay"}
"""What `--resume` doesn't take from a record: it deletes an index, or hands out secrets. Each with its flag."""


def require_plan_of(job: RestoreJob, plan: RestorePlan, behind: str | None) -> None:
    """Raise IntegrityError unless a plan is the asked restore's and its names follow from the job.

    `behind` is the index that the plan's alias leads to now. With `resume` the plan may be of another job for the same
    target and index; ConflictError says what must be asked for again.
    """
    if job.resume:
        _require_resumable(job, plan)
    elif plan.job.fingerprint != job.fingerprint:
        raise _other(job, plan)
    asked = plan.job
    swaps = asked.mode == "replace" and not asked.in_place
    if plan.alias != (asked.target_index if swaps else asked.alias):
        raise _unfounded("the alias", job)
    written = beside(asked.target_index, plan.started) if swaps else asked.target_index
    # An index behind an alias is compared with what the alias leads to, once its locks are taken.
    if asked.mode not in {"sync", "fill"} and plan.written_index != written:
        raise _unfounded("the index that is written", job)
    if asked.delete_old and plan.old_index not in _old_indexes(plan, behind):
        raise _unfounded("the index to be deleted", job)
    if asked.in_place and plan.old_index != plan.written_index:
        raise _unfounded("the index that is replaced", job)


def require_allowed(settings: Settings, job: RestoreJob, plan: RestorePlan) -> None:
    """Raise IntegrityError if a plan reads from a store, or to a region, that the job and the settings don't allow."""
    there = service_settings(settings, job.target_service).region
    stores = {job.store} if job.store is not None else set(reading_order(settings, job.service, near=there))
    if plan.job.store != job.store and not job.resume:
        raise _other(job, plan)
    if plan.store not in stores | ({plan.job.store} if job.resume else set()):
        raise _unfounded("the store", job)
    home = settings.services.get(job.service)
    regions = Regions(
        source=home.region if home is not None else None,
        store=settings.stores[plan.store].region if plan.store in settings.stores else None,
        target=there,
        kept=residencies(settings, job.service, job.index),
    )
    allowed = plan.job.allow_cross_region or settings.allow_cross_region
    if region_check(regions, allowed=allowed).outcome == "failed":
        raise _unfounded("the store's region", job)


async def require_follows(
    plan: RestorePlan, manifest: Manifest, blobs: SnapshotReader, *, accept_unsettled: bool
) -> None:
    """Check that definition, stretches and counts follow from the manifest, its tree and the plan's job.

    Raises IntegrityError unless they do, LossNotAcceptedError if the job does not accept what the snapshot lacks,
    UnauthenticError if it does not accept that nobody has signed it.
    """
    job = plan.job
    if manifest.authenticity == "unauthentic" and not job.accept_unauthentic:
        raise UnauthenticError(
            "no record key has signed the snapshot, and nobody has accepted it; nothing was touched",
            on=job.reference,
            do="If you know where it is from: `indexvault accept`, or restore with --accept-unauthentic",
        )
    if manifest.losses and not job.accept_loss:
        raise _unaccepted(job, "fields", "--accept-loss")
    if manifest.unsettled is not None and not accept_unsettled:
        raise _unaccepted(job, "documents", "--accept-unsettled")
    wanted = target_definition(manifest.definition, job.target_index, job.patch)
    if plan.definition.preview != wanted.preview or not _same_json(plan.definition.body, wanted.body):
        raise _unfounded("the definition", job)
    selection = Selection(job.keys, job.filter)
    if not await covers(plan.stretches, manifest, blobs, selection):
        raise _unfounded("the division into stretches", job)
    documents = len(job.keys) if job.keys else manifest.counts.documents
    if (plan.documents, plan.bytes) != (documents, manifest.bytes):
        raise _unfounded("the number of documents", job)


async def covers(
    stretches: list[tuple[int, int]], manifest: Manifest, blobs: SnapshotReader, selection: Selection
) -> bool:
    """Return whether stretches hold each chunk that is to be restored exactly once, and no other."""
    if selection.keys:
        return stretches == await plan_stretches(blobs, manifest, selection)
    end = manifest.tree.count
    if not end:
        return stretches == [(0, 0)]
    return (
        bool(stretches)
        and stretches[0][0] == 0
        and stretches[-1][1] == end
        and all(first < last for first, last in stretches)
        and all(one[1] == other[0] for one, other in pairwise(stretches))
    )


async def behind_alias(target: SearchService, plan: RestorePlan) -> str | None:
    """Return the index that a plan's alias leads to, if the plan is to delete the one it led to."""
    if plan.alias is None or not plan.job.delete_old:
        return None
    return await target.alias_target(plan.alias)


def _require_resumable(job: RestoreJob, plan: RestorePlan) -> None:
    asked = plan.job
    names = {asked.target_index, plan.written_index}
    if (asked.service, asked.index, asked.target_service) != (job.service, job.index, job.target_service) or (
        asked.mode not in {"sync", "fill"} and job.target_index not in names
    ):
        raise _other(job, plan)
    # An overlay's secrets go where the patched definition says.
    told = _TOLD_AGAIN | ({"patch": "--patch"} if asked.overlay is not None else {})
    for member, flag in told.items():
        if getattr(asked, member) not in {None, False, getattr(job, member)}:
            raise ConflictError(
                f"the record of the unfinished restore asks for {flag}, which was not asked for now in the same way,"
                " and a record alone is not obeyed in that; nothing was touched",
                on=str(job.target),
                do=f"If that is what you want, give {flag} together with --resume; if not, find out who wrote it",
            )


def _old_indexes(plan: RestorePlan, behind: str | None) -> set[str | None]:
    """Return which indexes may be deleted after the cut-over: once the alias leads to the new index, it can't tell."""
    if plan.job.in_place:
        return {plan.written_index}
    return {plan.old_index, None} if behind == plan.written_index else {behind}


def _same_json(one: msgspec.Raw, other: msgspec.Raw) -> bool:
    return bool(msgspec.json.decode(one) == msgspec.json.decode(other))


def _other(job: RestoreJob, plan: RestorePlan) -> IntegrityError:
    return altered(
        f"the plan of the unfinished restore, run {plan.job.run}, is of another restore than this", str(job.target)
    )


def _unfounded(what: str, job: RestoreJob) -> IntegrityError:
    return altered(
        f"in the plan of the unfinished restore, {what} does not follow from what was asked", str(job.target)
    )


def _unaccepted(job: RestoreJob, what: str, flag: str) -> LossNotAcceptedError:
    return LossNotAcceptedError(
        f"the snapshot lacks {what}, and this does not follow from what was asked; nothing was touched",
        on=job.reference,
        do=f"Restore with {flag} if the index is of use without them",
    )
