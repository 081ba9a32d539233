"""`indexvault verify`: a snapshot read back and proved."""

from collections.abc import Sequence

import msgspec
from rich.text import Text

from cli.contact import connections
from cli.exit_codes import DONE
from cli.requests import VerifyRequest
from cli.session import Session
from cli.wording import count, size
from snapshots.catalogue import read_manifest, resolve
from snapshots.verify import VerifyReport, verify_snapshot


async def run(session: Session, request: VerifyRequest) -> int:
    """Verify one snapshot. Raises IntegrityError naming each damaged blob, after all have been read."""
    async with connections(session) as opened:
        blobs = opened.store_of(request.snapshot.service).snapshots
        summary = await resolve(blobs, request.snapshot)
        manifest = await read_manifest(blobs, summary)
        with session.output.progress(f"{summary.service}/{summary.index}") as progress:
            progress.advance("verify", expected=manifest.counts.documents)
            report = await verify_snapshot(
                blobs,
                manifest,
                progress=lambda chunk: progress.advance("verify", documents=chunk.documents, bytes=chunk.bytes),
                concurrency=request.parallel,
            )
    reference = str(summary.reference)
    members = msgspec.to_builtins(report) | {"snapshot": summary.id}
    session.output.result(
        "verify",
        {"reference": reference, "service": summary.service, "index": summary.index, **members},
        *_told(reference, report),
    )
    report.raise_for_damage()
    return DONE


def _told(reference: str, report: VerifyReport) -> Sequence[Text]:
    """Give what is said of a sound snapshot; damage is told as an error."""
    if report.damage:
        return []
    return [
        Text.assemble(("sound", "green"), "  ", (reference, "bold")),
        Text(
            f"  {count(report.documents, 'document')} in {count(report.chunks, 'chunk')}, {size(report.bytes)}: every"
            " checksum, key and count is as it was written"
        ),
    ]
