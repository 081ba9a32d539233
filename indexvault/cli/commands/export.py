"""`indexvault export`: a snapshot as a folder of plain files."""

from argparse import ArgumentParser, Namespace
from dataclasses import dataclass
from pathlib import Path

from indexvault.cli.command import Command
from indexvault.cli.exit_codes import DONE, LOSSY
from indexvault.cli.formatting import count, size
from indexvault.cli.options import add_snapshot
from indexvault.cli.references import snapshot_reference
from indexvault.cli.session import Session
from indexvault.snapshots.catalogue import resolve_manifest
from indexvault.snapshots.export import export_snapshot
from indexvault.snapshots.names import SnapshotReference


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportRequest:
    """Write a snapshot to a folder."""

    snapshot: SnapshotReference
    folder: Path


def add_arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    add_snapshot(parser)
    parser.add_argument("folder", metavar="FOLDER", type=Path, help="a new or an empty folder")


def read_request(arguments: Namespace) -> ExportRequest:
    """Return what the arguments ask for. Raises SettingsError for what is no snapshot."""
    return ExportRequest(snapshot=snapshot_reference(arguments.snapshot), folder=arguments.folder)


async def run(session: Session, request: ExportRequest) -> int:
    """Write one snapshot to a folder."""
    async with session.clients() as clients:
        blobs = clients.reading_store(request.snapshot.service).snapshots
        manifest = await resolve_manifest(blobs, request.snapshot, now=session.clock())
        with session.output.progress(f"{manifest.service}/{manifest.index}") as display:
            display.advance("export", expected=manifest.counts.documents)
            file = await export_snapshot(
                blobs,
                manifest,
                request.folder,
                progress=lambda chunk: display.advance("export", documents=chunk.documents, bytes=chunk.bytes),
            )
    reference = f"{manifest.service}/{manifest.index}@{manifest.id}"
    session.output.result(
        "exported",
        {"reference": reference, "folder": str(request.folder), "documents": manifest.counts.documents},
        f"{reference}: {count(manifest.counts.documents, 'document')}, {size(manifest.bytes)}, in {file}",
    )
    return LOSSY if manifest.lacks else DONE


COMMAND = Command(
    description="Write the documents as JSON Lines, the definition and the synonym maps to a folder, for any other"
    " tool.",
    add_arguments=add_arguments,
    read_request=read_request,
    run=run,
)
