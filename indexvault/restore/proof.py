"""Prove the target: read it back and compare every document with the snapshot."""

import logging
from contextlib import aclosing

import msgspec

from indexvault.bounds import decode
from indexvault.restore.compare import ComparisonTally, deviations
from indexvault.restore.context import RestoreContext, open_context
from indexvault.restore.job import RestoreRun, Settled, Stretch
from indexvault.restore.load import load_part, refused_of
from indexvault.restore.not_compared import NotCompared, fields_not_compared
from indexvault.restore.projection import readable
from indexvault.restore.read_target import count_all
from indexvault.restore.report import MOST_NAMED, Proof, ProofInput, ProofReport, StretchCompared
from indexvault.restore.stretch_context import StretchContext, open_stretch
from indexvault.restore.stretch_source import read_source
from indexvault.search.schema import read_schema
from indexvault.snapshots.run_names import report_name
from indexvault.snapshots.store import RunBlobs
from indexvault.workflow.activity import Activity, ProgressUpdate, Resources
from indexvault.workflow.patience import TOLD_AFTER, Patience, in_minutes, settle_seconds
from indexvault.workflow.resume import altered

COMPARE_SECONDS = 20
"""How long a stretch is compared again, once the target's count agrees or is no longer waited for, before a difference
counts: replicas show new documents at different times."""
_LOG = logging.getLogger(__name__)
_PROOF_LIMIT = 1024 * 1024


async def settle(resources: Resources, run: RestoreRun) -> Settled:
    """Wait until the target counts all that was written, as long as the settings of its service say.

    The count proves nothing; it only tells when to compare. What it should be is not known if only some documents were
    restored.
    """
    context = await open_context(resources, run)
    expected = await _reachable(context)
    schema = read_schema((await context.target_index()).body, on=context.on)
    counted = await count_all(context.target, context.plan.written_index, schema)
    wait = Patience(settle_seconds(resources, run.target.service), resources.sleep)
    while expected is not None and counted not in expected and await wait():
        counted = await count_all(context.target, context.plan.written_index, schema)
    if wait.waited >= TOLD_AFTER:
        _LOG.warning("%s: waited %s for its count, which is %d now", context.on, in_minutes(wait.waited), counted)
    resources.report(ProgressUpdate(stage="compare", expected=context.plan.documents))
    return Settled(counted=counted, waited=wait.waited)


async def _reachable(context: RestoreContext) -> range | None:
    """Return the counts at which all that was written is searchable, or None if they can't be known.

    A new index lacks refused documents. An index that is synced may have them, as they were before.
    """
    if not context.selection.everything or context.plan.job.mode == "fill":
        return None
    parts = [load_part(start, end) for start, end in context.plan.stretches]
    refused = sum([len(await refused_of(context, part)) for part in parts])
    documents = context.plan.documents
    return range(documents - refused, (documents if context.plan.job.mode == "sync" else documents - refused) + 1)


async def compare_restored(resources: Resources, stretch: Stretch) -> StretchCompared:
    """Compare a stretch with the target: every document in it, and that there is no other between its keys."""
    context = await open_stretch(resources, stretch)
    refused = {each.key for each in await refused_of(context, load_part(stretch.start, stretch.end))}
    compared = await _compare(context, refused)
    wait = Patience(COMPARE_SECONDS, resources.sleep)
    while not _is_as_wanted(compared, context.plan.job.mode) and await wait():
        compared = await _compare(context, refused)
    resources.report(ProgressUpdate(stage="compare", documents=compared.identical + compared.equal))
    return compared


async def report_proof(resources: Resources, given: ProofInput) -> ProofReport:
    """Add the comparison up and write it to the runs container, whatever the result.

    It proves the target only if it accounts for every document of the snapshot's chunks, and compares every field that
    the snapshot has, less what the job's patch drops and what an existing index hides.
    """
    context = await open_context(resources, given.run)
    job, parts = context.plan.job, given.parts
    compared = sum(part.identical + part.equal + part.different + part.missing + part.refused for part in parts)
    accounted = compared + sum(part.unproved + part.passed_over for part in parts)
    uncounted = abs(given.stored - accounted)
    if job.keys and job.filter is None:
        uncounted = max(uncounted, abs(len(set(job.keys)) - compared - sum(part.unproved for part in parts)))
    uncompared, not_compared = await _fields_left_out(context)
    proof = Proof(
        snapshot=job.reference,
        target=f"{job.target_service}/{context.plan.written_index}",
        mode=job.mode,
        compared=compared,
        identical=sum(part.identical for part in parts),
        equal=sum(part.equal for part in parts),
        different=sum(part.different for part in parts),
        missing=sum(part.missing for part in parts),
        extra=sum(part.extra for part in parts),
        refused=sum(part.refused for part in parts),
        differences=[difference for part in parts for difference in part.differences][:MOST_NAMED],
        proved=all(_is_as_wanted(part, job.mode) for part in parts) and not uncounted and not uncompared,
        unproved=sum(part.unproved for part in parts),
        uncounted=uncounted,
        uncompared=uncompared,
        not_compared=msgspec.structs.replace(not_compared, selected=not context.selection.everything),
    )
    if proof.refused > given.refused:
        raise altered(
            f"{proof.refused} documents are noted as refused, and {given.refused} were refused while they were loaded",
            context.on,
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
    schema = read_schema((await context.target_index()).body, on=context.on)
    if schema.has_key_order or context.plan.job.mode not in {"create", "replace"}:
        return proof
    found = proof.identical + proof.equal + proof.different + proof.unproved
    wait = Patience(COMPARE_SECONDS, context.resources.sleep)
    while extra := max(0, await count_all(context.target, context.plan.written_index, schema) - found):
        if not await wait():
            break
    return msgspec.structs.replace(proof, extra=extra, proved=proof.proved and not extra)


async def _fields_left_out(context: RestoreContext) -> tuple[list[str], NotCompared]:
    """Return the fields that documents of the snapshot have and are not compared: without a reason, and with one."""
    source = await read_source(context.records, context.run.source, context.on)
    if source is None:
        return ["(all)"], NotCompared()
    wanted = read_schema(context.plan.definition.body, on=context.on)
    present = read_schema((await context.target_index()).body, on=context.on)
    wanted_fields = dict(wanted.walk())
    proved_before: set[str] = set()
    kept = {path for path, field in wanted_fields.items() if not field.is_complex and field.stored is not False}
    hidden = {path for path, field in present.walk() if not field.is_readable}
    if context.plan.job.mode in {"sync", "fill"}:
        # Documents are written with these fields and can't be read back; the restore's notes name them.
        kept -= hidden
    else:
        # What the definition hides was compared before it was hidden, which only this restore does.
        proved_before = {path for path in kept & hidden if not wanted_fields[path].is_readable}
        kept -= proved_before
    compared = {path for path, field in readable(present).walk() if not field.is_complex}
    has = [path for path, field in source.schema.walk() if field.is_readable and not field.is_complex]
    unexplained = [path for path in has if path in kept and path not in compared]
    left_out = fields_not_compared(source.schema, wanted, compared=compared, assumed=proved_before | set(unexplained))
    return unexplained, left_out


async def _compare(context: StretchContext, refused: set[str]) -> StretchCompared:
    comparison = await context.comparison()
    tally = ComparisonTally(differences=[])
    skipped = 0
    present = await context.present(unsplit=comparison.by_hash)
    async with (
        aclosing(context.stretch.batches()) as chunks,
        aclosing(deviations(chunks, context.documents_unless_gone, present, comparison, tally)) as found,
    ):
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
        passed_over=tally.passed_over,
    )


def _is_as_wanted(compared: StretchCompared, mode: str) -> bool:
    """Return whether a comparison is what the mode promises: a fill leaves different and extra documents alone."""
    return not compared.missing + compared.unproved and (mode == "fill" or not compared.different + compared.extra)


SETTLE = Activity("settle_target", RestoreRun, Settled, settle, lambda run: run.work)
COMPARE = Activity("compare_restored", Stretch, StretchCompared, compare_restored, lambda stretch: stretch.run.work)
REPORT = Activity("report_proof", ProofInput, ProofReport, report_proof, lambda given: given.run.work)
