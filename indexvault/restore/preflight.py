"""Check whether a restore can work, before anything is touched. Pure: `gather_facts` gathers the facts.

To add a preflight check, write a function of the facts that yields `Check`s, and put it into `_TARGET_CHECKS`. A check
that fails stops the restore.
"""

import math
from collections.abc import Callable, Iterator

import msgspec

from indexvault.restore.checks import Check
from indexvault.restore.compatibility import existing_checks, feature_checks, patch_checks, synonym_map_checks
from indexvault.restore.creation import creation_checks, deletion_checks
from indexvault.restore.limits import Demand, limit_checks
from indexvault.restore.patch import MOST_BYTES as MOST_PATCH_BYTES
from indexvault.restore.regions import region_check
from indexvault.restore.target_facts import TargetFacts
from indexvault.restore.target_name import alias_checks, name_checks
from indexvault.search.batch import MOST_ACTIONS
from indexvault.workflow.payload_size import shortened

SECONDS_PER_REQUEST = 1.0
"""A guess for batches of a thousand documents and pages of as many; only for telling minutes from hours."""
_BATCH_BYTES = 8_000_000
_PAGE_BYTES = 4_000_000


class Estimate(msgspec.Struct, frozen=True):
    """Requests to the target, and a rough guess of the seconds that they take."""

    requests: int
    seconds: float


def checks(facts: TargetFacts) -> list[Check]:
    """Return every check, in the order in which an operator reads them."""
    manifest = Check("manifest", "ok", f"{facts.job.reference} is {facts.manifest.format}, its checksum right")
    return [manifest, *_authenticity_checks(facts), *target_checks(facts)]


def target_checks(facts: TargetFacts) -> list[Check]:
    """Return the checks of the target, which also hold for a snapshot that is not made yet."""
    return [_bounded(found) for check in _TARGET_CHECKS for found in check(facts)]


def _bounded(check: Check) -> Check:
    """Return a check that names no more than a payload may hold, and no patch that is too large to be given."""
    patch = check.patch if check.patch is None or len(msgspec.json.encode(check.patch)) <= MOST_PATCH_BYTES else None
    return msgspec.structs.replace(check, what=shortened(check.what), do=shortened(check.do), patch=patch)


def estimate(documents: int, size: int, parallel: int) -> Estimate:
    """Estimate the requests that loading and reading back take. `size` is in bytes."""
    loading = max(math.ceil(documents / MOST_ACTIONS), math.ceil(size / _BATCH_BYTES))
    reading = max(math.ceil(documents / MOST_ACTIONS), math.ceil(size / _PAGE_BYTES)) + 1
    return Estimate(
        requests=loading + reading, seconds=math.ceil((loading + reading) / max(1, parallel)) * SECONDS_PER_REQUEST
    )


def _authenticity_checks(facts: TargetFacts) -> Iterator[Check]:
    match facts.manifest.authenticity:
        case "authentic":
            yield Check("authenticity", "ok", "a record key has signed it")
        case "accepted":
            yield Check("authenticity", "ok", "no record key has signed it, and an operator has accepted it")
        case "unauthentic":
            what = "no record key has signed the snapshot, and nobody has accepted it: anybody may have written it"
            if facts.job.accept_unauthentic:
                yield Check("authenticity", "warning", what, "Look at what it brings before others use it")
            else:
                do = "If you know where it is from: `indexvault accept`, or restore with --accept-unauthentic"
                yield Check("authenticity", "failed", what, do, "UnauthenticError")


def _loss_checks(facts: TargetFacts) -> Iterator[Check]:
    lost = facts.manifest.losses
    if not lost:
        yield Check("losses", "ok", "no field is lacking")
        return
    lacks = f"the snapshot lacks {', '.join(loss.field for loss in lost)}"
    if not facts.job.accept_loss:
        yield Check(
            "losses",
            "failed",
            lacks,
            "Restore with --accept-loss if the index is of use without them",
            "LossNotAcceptedError",
        )
    elif facts.job.mode == "sync":
        yield Check("losses", "warning", f"{lacks}: documents that are uploaded lose them in the target too")
    else:
        yield Check("losses", "warning", lacks, "Fill these fields from where they came from")


def _unsettled_checks(facts: TargetFacts) -> Iterator[Check]:
    unsettled = facts.manifest.unsettled
    if unsettled is None:
        yield Check("unsettled", "ok", "every document was accounted for")
        return
    lacks = f"the snapshot may lack {unsettled.documents:,} documents: {'; '.join(unsettled.words)}"
    if not facts.job.accept_unsettled:
        yield Check(
            "unsettled",
            "failed",
            lacks,
            "Restore with --accept-unsettled if the index is of use without them, or an earlier snapshot by its id",
            "LossNotAcceptedError",
        )
    else:
        yield Check("unsettled", "warning", lacks, "Compare the index with where its documents came from")


def _presumption_checks(facts: TargetFacts) -> Iterator[Check]:
    presumption = facts.manifest.presumption
    if presumption is not None:
        yield Check("presumed", "ok", presumption.words)


def _region_checks(facts: TargetFacts) -> Iterator[Check]:
    yield region_check(facts.regions, allowed=facts.allow_cross_region)


def _role_checks(facts: TargetFacts) -> Iterator[Check]:
    if facts.denied is None:
        yield Check("roles", "ok", "definitions and documents of the target may be written")
    else:
        yield Check("roles", "failed", facts.denied.what, facts.denied.do, facts.denied.kind)


def _name_checks(facts: TargetFacts) -> Iterator[Check]:
    yield from name_checks(facts.job, facts.resolved)
    yield from alias_checks(facts.job, facts.resolved_alias)


def _limit_checks(facts: TargetFacts) -> Iterator[Check]:
    yield from limit_checks(facts.schema, _demand(facts), facts.tier, facts.statistics)


def _estimate_checks(facts: TargetFacts) -> Iterator[Check]:
    guess = estimate(facts.documents, facts.bytes, facts.job.parallel)
    yield Check(
        "estimate",
        "ok",
        f"{facts.documents:,} documents, {facts.bytes:,} bytes, about {guess.requests:,} requests and"
        f" {max(1, math.ceil(guess.seconds / 60))} min at {SECONDS_PER_REQUEST:g} s a request",
    )


def _demand(facts: TargetFacts) -> Demand:
    job = facts.job
    is_new = job.mode in {"create", "replace"}
    adds_alias = job.alias is not None and facts.resolved_alias is not None and facts.resolved_alias.kind == "absent"
    documents, size = facts.documents, facts.bytes
    if job.keys:
        size = size * documents // max(1, facts.manifest.counts.documents)
    if job.filter is not None or (job.keys and not is_new):
        # How many documents will be added is not known before they are looked for.
        documents = size = 0
    if facts.held is not None:
        documents = max(0, documents - facts.held.document_count)
        size = max(0, size - facts.held.storage_size)
    return Demand(
        # Also in place: the definition is tried on an empty index beside the old one.
        indexes=int(is_new),
        aliases=int(adds_alias),
        synonym_maps=len(facts.missing_maps),
        documents=documents,
        bytes=size,
    )


_TARGET_CHECKS: tuple[Callable[[TargetFacts], Iterator[Check]], ...] = (
    _loss_checks,
    _unsettled_checks,
    _presumption_checks,
    _region_checks,
    _role_checks,
    _name_checks,
    patch_checks,
    existing_checks,
    synonym_map_checks,
    _limit_checks,
    creation_checks,
    deletion_checks,
    feature_checks,
    _estimate_checks,
)
"""In the order in which an operator reads them."""
