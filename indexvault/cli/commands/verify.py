"""`indexvault verify`: snapshots read back and proved."""

from collections.abc import Sequence

import msgspec
from rich.text import Text

from indexvault.cli.connect import clients
from indexvault.cli.exit_codes import DONE
from indexvault.cli.formatting import count, size
from indexvault.cli.requests import VerifyRequest
from indexvault.cli.session import Session
from indexvault.model import IndexName
from indexvault.snapshots.audit import WHOLE, AuditReport, audit_index
from indexvault.snapshots.catalogue import resolve


async def run(session: Session, request: VerifyRequest) -> int:
    """Verify. Raises IntegrityError naming each damaged blob and its snapshots, after all have been read."""
    async with clients(session) as opened:
        target = request.target
        store = opened.store(request.store) if request.store is not None else opened.store_of(target.service)
        summary = None if isinstance(target, IndexName) else await resolve(store.snapshots, target)
        with session.output.progress(f"{target.service}/{target.index}") as progress:
            if summary is not None:
                progress.advance("verify", expected=summary.documents)
            report = await audit_index(
                store.snapshots,
                target.service,
                target.index,
                only=None if summary is None else [summary.id],
                depth="sizes" if request.sizes else "content",
                part=request.part or WHOLE,
                progress=lambda chunk: progress.advance("verify", documents=chunk.documents, bytes=chunk.bytes),
                concurrency=request.parallel,
            )
    reference = str(target) if summary is None else str(summary.reference)
    session.output.result(
        "verify",
        {"reference": reference, **msgspec.to_builtins(report), "damage": msgspec.to_builtins(report.damage)},
        *_told(reference, request, report),
    )
    report.raise_for_damage()
    return DONE


def _told(reference: str, request: VerifyRequest, report: AuditReport) -> Sequence[Text]:
    """Return what is said of what is sound; damage is told as an error."""
    lines = [
        Text.assemble(("foreign", "yellow"), f"  {finding.blob}: {finding.what}")
        for finding in report.findings
        if finding.kind == "foreign"
    ]
    if report.unnamed:
        unnamed = f"{count(report.unnamed, 'chunk')} ({size(report.unnamed_bytes or 0)})"
        lines.append(
            Text(f"{unnamed} that no snapshot names: left by a backup that failed, or by a removal", style="yellow")
        )
    if report.damage:
        return lines
    if request.sizes:
        what = "is there and as large as it was written"
    elif request.part is not None:
        what = f"is there, and in slice {request.part} every checksum, key and count is as it was written"
    else:
        what = "is there: every checksum, key and count is as it was written"
    snapshots = f"{count(report.snapshots, 'snapshot')}: " if report.snapshots != 1 else ""
    return [
        *lines,
        Text.assemble(("sound", "green"), "  ", (reference, "bold")),
        Text(
            f"  {snapshots}{count(report.documents, 'document')} in {count(report.chunks, 'chunk')} checked of"
            f" {report.chunks_named:,}, {size(report.bytes)}: each chunk {what}"
        ),
    ]
