"""`indexvault import`: a folder of plain files as a snapshot."""  # noqa: N999 - named like its verb

import msgspec

from backup.importing import Importer
from cli.contact import connections
from cli.contents import ImportRequest
from cli.exit_codes import DONE, LOSSY
from cli.session import Session
from cli.surroundings import resources
from cli.wording import count, size
from cli.workflows import run_name


async def run(session: Session, request: ImportRequest) -> int:
    """Import one folder."""
    async with connections(session) as opened:
        store = opened.store_of(request.index.service)
        with session.output.progress(str(request.index)) as progress:
            around = resources(session, opened, progress)
            importer = Importer(store, clock=around.clock, chance=around.chance, report=around.report)
            summary = await importer.import_folder(request.folder, request.index, run=run_name(session, "import"))
    reference = str(summary.reference)
    session.output.result(
        "imported",
        {"reference": reference, **msgspec.to_builtins(summary)},
        f"{reference}: {count(summary.documents, 'document')} in {count(summary.chunks, 'chunk')},"
        f" {size(summary.added_stored)} added; {summary.state}",
    )
    return LOSSY if summary.losses else DONE
