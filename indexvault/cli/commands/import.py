"""`indexvault import`: a folder of plain files as a snapshot."""

import msgspec

from indexvault.backup.import_folder import Importer
from indexvault.cli.connect import clients
from indexvault.cli.contents import ImportRequest
from indexvault.cli.exit_codes import DONE, LOSSY
from indexvault.cli.formatting import count, size
from indexvault.cli.resources import resources
from indexvault.cli.session import Session
from indexvault.cli.workflows import run_name


async def run(session: Session, request: ImportRequest) -> int:
    """Import one folder."""
    async with clients(session) as opened:
        store = opened.store_of(request.index.service)
        with session.output.progress(str(request.index)) as progress:
            around = resources(session, opened, progress)
            importer = Importer(store, clock=around.clock, rng=around.rng, report=around.report)
            summary = await importer.import_folder(request.folder, request.index, run=run_name(session, "import"))
    reference = str(summary.reference)
    session.output.result(
        "imported",
        {"reference": reference, **msgspec.to_builtins(summary)},
        f"{reference}: {count(summary.documents, 'document')} in {count(summary.chunks, 'chunk')},"
        f" {size(summary.added_stored)} added; {summary.state}",
    )
    return LOSSY if summary.losses else DONE
