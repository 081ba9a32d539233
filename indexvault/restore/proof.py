"""Prove the target: read it back and compare every document with the snapshot."""

from contextlib import aclosing

import msgspec

from indexvault.bounds import decode
from indexvault.restore.compare import MOST_NAMED, ComparisonTally, deviations
from indexvault.restore.context import RestoreContext, open_context
from indexvault.restore.job import RestoreRun, Settled, Stretch
from indexvault.restore.load import load_part, refused_of
from indexvault.restore.report import Proof, ProofInput, ProofReport, StretchCompared
from indexvault.restore.state import TARGET_INDEX, TargetIndex, require
from indexvault.restore.stretch_context import StretchContext, open_stretch
from indexvault.search.schema import read_schema
from indexvault.snapshots.run_names import report_name
from indexvault.snapshots.store import RunBlobs
from indexvault.workflow.activity import Activity, ProgressUpdate, Resources

SETTLE_SECONDS = 120
"""How long written documents may take to become searchable before they count as missing."""
SETTLE_POLL_SECONDS = 2
_PROOF_LIMIT = 1024 * 1024
COMPARISONS = 3
"""How often a stretch is compared before a difference counts: replicas show new documents at different times."""


async def settle(resources: Resources, run: RestoreRun) -> Settled:
    """Wait until the target counts all that was written, at most SETTLE_SECONDS.

    The count proves nothing; it only tells when to compare. What it should be is not known if only some documents were
    restored.
    """
    context = await open_context(resources, run)
    expected = await _reachable(context)
    counted = await context.target.count(context.plan.written_index)
    for _ in range(SETTLE_SECONDS // SETTLE_POLL_SECONDS):
        if expected is None or counted in expected:
            break
        await resources.sleep(SETTLE_POLL_SECONDS)
        counted = await context.target.count(context.plan.written_index)
    resources.report(ProgressUpdate(stage="compare", expected=context.plan.documents))
    return Settled(counted=counted)


async def _reachable(context: RestoreContext) -> range | None:
    """Return the counts at which all that was written is searchable, or None if they can't be known.

    A new index lacks refused documents. An index that is synced may have them, as they were before.
    """
    if not context.selection.everything or context.plan.job.mode == "fill":
        return None
    parts = [load_part(Stretch(context.run, start, end)) for start, end in context.plan.stretches]
    refused = sum([len(await refused_of(context, part)) for part in parts])
    documents = context.plan.documents
    return range(documents - refused, (documents if context.plan.job.mode == "sync" else documents - refused) + 1)


async def compare_restored(resources: Resources, stretch: Stretch) -> StretchCompared:
    """Compare a stretch with the target: every document in it, and that there is no other between its keys."""
    context = await open_stretch(resources, stretch)
    refused = {each.key for each in await refused_of(context, load_part(stretch))}
    compared = await _compare(context, refused)
    for _ in range(COMPARISONS - 1):
        if _is_as_wanted(compared, context.plan.job.mode):
            break
        await resources.sleep(SETTLE_POLL_SECONDS)
        compared = await _compare(context, refused)
    resources.report(ProgressUpdate(stage="compare", documents=compared.identical + compared.equal))
    return compared


async def report_proof(resources: Resources, given: ProofInput) -> ProofReport:
    """Add the comparison up and write it to the runs container, whatever the result."""
    context = await open_context(resources, given.run)
    job, parts = context.plan.job, given.parts
    proof = Proof(
        snapshot=job.reference,
        target=f"{job.target_service}/{context.plan.written_index}",
        mode=job.mode,
        compared=sum(part.identical + part.equal + part.different + part.missing + part.refused for part in parts),
        identical=sum(part.identical for part in parts),
        equal=sum(part.equal for part in parts),
        different=sum(part.different for part in parts),
        missing=sum(part.missing for part in parts),
        extra=sum(part.extra for part in parts),
        refused=sum(part.refused for part in parts),
        differences=[difference for part in parts for difference in part.differences][:MOST_NAMED],
        proved=all(_is_as_wanted(part, job.mode) for part in parts),
        unproved=sum(part.unproved for part in parts),
    )
    proof = await _with_extras_by_count(context, proof)
    blob = report_name(given.run.records, "proof")
    await context.runs.put(blob, msgspec.json.encode(proof))
    return ProofReport(proof=proof, blob=blob)


async def read_proof(runs: RunBlobs, run: str) -> Proof | None:
    """Return the proof that a restore has written under the run's name, or None if there is no proof."""
    blob = await runs.read(report_name(run, "proof"), _PROOF_LIMIT)
    return None if blob is None else decode(blob.data, Proof)


async def _with_extras_by_count(context: RestoreContext, proof: Proof) -> Proof:
    """Count extra documents by the index's count if documents could only be looked up by the snapshot's keys."""
    target_index = await require(context.records, TARGET_INDEX, TargetIndex, context.on)
    if read_schema(target_index.body, on=context.on).has_key_order or context.plan.job.mode not in {
        "create",
        "replace",
    }:
        return proof
    found = proof.identical + proof.equal + proof.different + proof.unproved
    extra = max(0, await context.target.count(context.plan.written_index) - found)
    return msgspec.structs.replace(proof, extra=extra, proved=proof.proved and not extra)


async def _compare(context: StretchContext, refused: set[str]) -> StretchCompared:
    comparison = await context.comparison()
    tally = ComparisonTally(differences=[])
    skipped = 0
    present = await context.present()
    async with aclosing(deviations(context.chunks, context.read_unless_gone, present, comparison, tally)) as found:
        async for deviation in found:
            if deviation.kind == "missing" and deviation.key in refused:
                skipped += 1
    return StretchCompared(
        identical=tally.identical,
        equal=tally.equal,
        different=tally.different,
        missing=tally.missing - skipped,
        extra=tally.extra,
        differences=[each for each in tally.differences if each.kind != "missing" or each.key not in refused],
        refused=skipped,
        untouched=tally.untouched,
        unproved=tally.unproved,
    )


def _is_as_wanted(compared: StretchCompared, mode: str) -> bool:
    """Return whether a comparison is what the mode promises: a fill leaves different and extra documents alone."""
    return not compared.missing + compared.unproved and (mode == "fill" or not compared.different + compared.extra)


SETTLE = Activity("settle_target", RestoreRun, Settled, settle, lambda run: run.work)
COMPARE = Activity("compare_restored", Stretch, StretchCompared, compare_restored, lambda stretch: stretch.run.work)
REPORT = Activity("report_proof", ProofInput, ProofReport, report_proof, lambda given: given.run.work)
