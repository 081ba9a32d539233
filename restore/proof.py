"""The proof: the target is read back and every document compared with the snapshot."""

from contextlib import aclosing

import msgspec

from engine.step import Progress, Resources, Step
from restore.compare import MOST_NAMED, Tally, deviations
from restore.job import RestoreRun, Settled, Stretch
from restore.reading import has_key_order
from restore.report import Proof, ProofOrder, ProofReport, StretchCompared
from restore.scene import Scene, open_scene
from restore.undertaking import MADE, Made, require
from restore.write import progress_part, refused_of
from search.schema import read_schema
from snapshots.names import report_name
from snapshots.store import RunBlobs

SETTLE_SECONDS = 120
"""How long written documents may take to be searchable before they count as missing."""
SETTLE_POLL_SECONDS = 2
_PROOF_LIMIT = 1024 * 1024
COMPARISONS = 3
"""How often a stretch is compared before a difference is believed: replicas show new documents at different times."""


async def settle(resources: Resources, run: RestoreRun) -> Settled:
    """Wait until the target counts as many documents as it can, or long enough.

    The count proves nothing either way; it only tells when comparing makes sense. What it should be is not known
    where only some documents were brought back.
    """
    scene = await open_scene(resources, run)
    expected = await _reachable(scene)
    counted = await scene.target.count(scene.order.into)
    for _ in range(SETTLE_SECONDS // SETTLE_POLL_SECONDS):
        if expected is None or counted in expected:
            break
        await resources.sleep(SETTLE_POLL_SECONDS)
        counted = await scene.target.count(scene.order.into)
    resources.report(Progress(stage="compare", expected=scene.order.documents))
    return Settled(counted=counted)


async def _reachable(scene: Scene) -> range | None:
    """Give the counts at which all that was written is there; None where they can't be known.

    Documents that were refused are in no new index. In one that was synced they may be, as they were before.
    """
    if not scene.selection.everything or scene.order.job.mode == "fill":
        return None
    parts = [progress_part(Stretch(scene.run, start, end)) for start, end in scene.order.stretches]
    refused = sum([len(await refused_of(scene, part)) for part in parts])
    held = scene.manifest.counts.documents
    return range(held - refused, (held if scene.order.job.mode == "sync" else held - refused) + 1)


async def compare_restored(resources: Resources, stretch: Stretch) -> StretchCompared:
    """Compare a stretch with the target: every document in it, and that there is no other between its keys."""
    scene = await open_scene(resources, stretch.run)
    refused = {each.key for each in await refused_of(scene, progress_part(stretch))}
    compared = await _compare(scene, stretch, refused)
    for _ in range(COMPARISONS - 1):
        if _is_as_wanted(compared, scene.order.job.mode):
            break
        await resources.sleep(SETTLE_POLL_SECONDS)
        compared = await _compare(scene, stretch, refused)
    resources.report(Progress(stage="compare", documents=compared.identical + compared.equal))
    return compared


async def report_proof(resources: Resources, order: ProofOrder) -> ProofReport:
    """Put the comparison together and leave it in the runs container, however it ended."""
    scene = await open_scene(resources, order.run)
    job, parts = scene.order.job, order.parts
    proof = Proof(
        snapshot=job.reference,
        target=f"{job.target_service}/{scene.order.into}",
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
    )
    proof = await _with_extras_by_count(scene, proof)
    blob = report_name(order.run.records, "proof")
    await scene.runs.put(blob, msgspec.json.encode(proof))
    return ProofReport(proof=proof, blob=blob)


async def read_proof(runs: RunBlobs, run: str) -> Proof | None:
    """Give the proof that a restore, by the run that its records are named by, has left; None if it came to none."""
    blob = await runs.read(report_name(run, "proof"), _PROOF_LIMIT)
    return None if blob is None else msgspec.json.decode(blob.data, type=Proof)


async def _with_extras_by_count(scene: Scene, proof: Proof) -> Proof:
    """Where documents could only be looked up by the snapshot's keys, count those that have another key."""
    made = await require(scene.records, MADE, Made, scene.on)
    if has_key_order(read_schema(made.body, on=scene.on)) or scene.order.job.mode not in {"create", "replace"}:
        return proof
    found = proof.identical + proof.equal + proof.different
    extra = max(0, await scene.target.count(scene.order.into) - found)
    return msgspec.structs.replace(proof, extra=extra, proved=proof.proved and not extra)


async def _compare(scene: Scene, stretch: Stretch, refused: set[str]) -> StretchCompared:
    by = await scene.comparison()
    tally = Tally(differences=[])
    skipped = 0
    present = await scene.present(stretch)
    async with aclosing(deviations(scene.chunks(stretch), scene.read, present, by, tally)) as found:
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
    )


def _is_as_wanted(compared: StretchCompared, mode: str) -> bool:
    """Tell whether a comparison is what the mode promises: a fill leaves what differs, and what is extra, alone."""
    return not compared.missing and (mode == "fill" or not compared.different + compared.extra)


SETTLE = Step("settle_target", RestoreRun, Settled, settle, lambda run: run.work)
COMPARE = Step("compare_restored", Stretch, StretchCompared, compare_restored, lambda stretch: stretch.run.work)
REPORT = Step("report_proof", ProofOrder, ProofReport, report_proof, lambda order: order.run.work)
