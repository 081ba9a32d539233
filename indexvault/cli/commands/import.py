# ruff: noqa: N999 - the verb is called so, and only `verbs.load_command` imports this module
"""`indexvault import`: a folder of plain files as a snapshot."""

from argparse import ArgumentParser, Namespace
from dataclasses import dataclass
from pathlib import Path

import msgspec

from indexvault.backup.import_folder import Importer
from indexvault.backup.import_lines import ImportFindings
from indexvault.cli.command import Command
from indexvault.cli.exit_codes import DONE, LOSSY
from indexvault.cli.formatting import count, size
from indexvault.cli.references import index_name
from indexvault.cli.session import Session
from indexvault.model import IndexName
from indexvault.snapshots.summary import IMPORT_RUN


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportRequest:
    """Make a folder a snapshot of an index."""

    folder: Path
    index: IndexName
    lenient: bool = False


def add_arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("folder", metavar="FOLDER", type=Path, help="the folder")
    parser.add_argument(
        "--as", metavar="SERVICE/INDEX", required=True, dest="index", help="the index to make a snapshot of"
    )
    parser.add_argument(
        "--lenient",
        action="store_true",
        help="keep what no service would take, and list it, instead of refusing the folder",
    )


def read_request(arguments: Namespace) -> ImportRequest:
    """Return what the arguments ask for. Raises SettingsError for a name that can't be one."""
    return ImportRequest(folder=arguments.folder, index=index_name(arguments.index), lenient=arguments.lenient)


async def run(session: Session, request: ImportRequest) -> int:
    """Import one folder."""
    async with session.clients() as clients:
        store = clients.store_of(request.index.service)
        with session.output.progress(str(request.index)) as display:
            report = session.resources(clients, display).report
            importer = Importer(store, clock=session.clock, rng=session.rng, report=report)
            findings = ImportFindings() if request.lenient else None
            summary = await importer.import_folder(
                request.folder, request.index, run=session.new_run(IMPORT_RUN), findings=findings
            )
    reference = str(summary.reference)
    found = findings.first if findings is not None else []
    session.output.result(
        "imported",
        {
            "reference": reference,
            **msgspec.to_builtins(summary),
            "findings": found,
            "findings_count": findings.count if findings is not None else 0,
        },
        f"{reference}: {count(summary.documents, 'document')} in {count(summary.chunks, 'chunk')},"
        f" {size(summary.added_stored)} added; {summary.state}",
        *(f"no service would take: {each}" for each in found),
        *(
            [f"and {findings.count - len(found):,} more"]
            if findings is not None and findings.count > len(found)
            else []
        ),
    )
    return LOSSY if summary.losses or summary.unsettled else DONE


COMMAND = Command(
    description="Make a snapshot of a folder with a definition.json and documents in *.jsonl files, in any order: an"
    " exported one, or a dump made elsewhere.",
    add_arguments=add_arguments,
    read_request=read_request,
    run=run,
)
