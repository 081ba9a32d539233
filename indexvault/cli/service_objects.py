"""What belongs to a whole service, backed up and shown."""

import msgspec
from rich.table import Table
from rich.text import Text

from indexvault.backup.service_objects import BACK_UP_SERVICE, ServiceJob, ServiceReport
from indexvault.cli.connect import clients
from indexvault.cli.exit_codes import DONE, LOSSY
from indexvault.cli.formatting import count, instant
from indexvault.cli.notes import shortcomings
from indexvault.cli.output import Output
from indexvault.cli.session import Session
from indexvault.cli.workflows import Workflows, run_name
from indexvault.errors import IndexvaultError
from indexvault.snapshots.catalogue import resolve
from indexvault.snapshots.names import SERVICE_OBJECTS, SnapshotReference
from indexvault.snapshots.service_manifest import ServiceManifest, read_service_manifest


async def back_up_objects(session: Session, workflows: Workflows, service: str) -> int:
    """Make a snapshot of a service's objects, and say what became of it."""
    job = ServiceJob(service=service, run=run_name(session, "objects"))
    try:
        with session.output.progress(f"{service}/{SERVICE_OBJECTS}") as progress:
            report = await workflows.run(BACK_UP_SERVICE, job, run=job.run, progress=progress)
    except IndexvaultError as error:
        return session.output.error(error)
    return tell_objects(session.output, report)


def tell_objects(output: Output, report: ServiceReport) -> int:
    """Return a finished snapshot of a service's objects as a result, and the exit code for it."""
    reference = str(SnapshotReference(service=report.service, index=SERVICE_OBJECTS, id=report.snapshot))
    kept = ", ".join(f"{number} {kind}" for kind, number in report.objects.items() if number) or "none is there"
    lossy = report.state == "lossy"
    output.result(
        "service_objects",
        {"reference": reference, **msgspec.to_builtins(report)},
        Text.assemble((report.state, "yellow" if lossy else "green"), "  ", (reference, "bold")),
        Text(f"  {kept}"),
        *(Text(f"  withheld: {each}", style="yellow") for each in report.withheld),
        *(Text(f"  skipped: {each}") for each in report.skipped),
        *shortcomings([], report.notes),
    )
    return LOSSY if lossy else DONE


async def show_objects(session: Session, reference: SnapshotReference) -> int:
    """Show a snapshot of a service's objects."""
    async with clients(session) as opened:
        blobs = opened.store_of(reference.service).snapshots
        manifest = await read_service_manifest(blobs, (await resolve(blobs, reference)).reference)
    session.output.result(
        "service_manifest",
        {
            "reference": str(manifest.reference),
            "state": manifest.state,
            "created": manifest.created,
            "objects": [{"kind": each.kind, "name": each.name} for each in manifest.objects],
            "withheld": msgspec.to_builtins(manifest.withheld),
            "skipped": msgspec.to_builtins(manifest.skipped),
        },
        _table(manifest),
    )
    return DONE


def _table(manifest: ServiceManifest) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row("snapshot", str(manifest.reference))
    table.add_row("state", Text(manifest.state, style="yellow" if manifest.state == "lossy" else "green"))
    table.add_row("taken", instant(manifest.created))
    table.add_row("objects", count(len(manifest.objects), "object"))
    for each in manifest.objects:
        table.add_row(each.kind, each.name)
    for withheld in manifest.withheld:
        what = f"{withheld.kind} {withheld.name}: {withheld.path} looks like a secret"
        table.add_row("withheld", Text(what, style="yellow"))
    for skipped in manifest.skipped:
        table.add_row("skipped", f"{skipped.kind} (api-version {skipped.api_version}): {skipped.reason}")
    table.add_row("made by", f"{manifest.tool}, run {manifest.run}")
    return table
