"""`indexvault export`: a snapshot as a folder of plain files."""

from indexvault.cli.connect import clients
from indexvault.cli.contents import ExportRequest
from indexvault.cli.exit_codes import DONE, LOSSY
from indexvault.cli.formatting import count, size
from indexvault.cli.session import Session
from indexvault.snapshots.catalogue import read_manifest
from indexvault.snapshots.export import export_snapshot


async def run(session: Session, request: ExportRequest) -> int:
    """Write one snapshot to a folder."""
    async with clients(session) as opened:
        blobs = opened.reading_store(request.snapshot.service).snapshots
        manifest = await read_manifest(blobs, request.snapshot)
        with session.output.progress(f"{manifest.service}/{manifest.index}") as progress:
            progress.advance("export", expected=manifest.counts.documents)
            file = await export_snapshot(
                blobs,
                manifest,
                request.folder,
                progress=lambda chunk: progress.advance("export", documents=chunk.documents, bytes=chunk.bytes),
            )
    reference = f"{manifest.service}/{manifest.index}@{manifest.id}"
    session.output.result(
        "exported",
        {"reference": reference, "folder": str(request.folder), "documents": manifest.counts.documents},
        f"{reference}: {count(manifest.counts.documents, 'document')}, {size(manifest.bytes)}, in {file}",
    )
    return LOSSY if manifest.losses else DONE
