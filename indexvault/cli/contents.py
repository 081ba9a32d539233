"""What the command line takes about what is in snapshots: diff, find, export, import."""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from indexvault.cli.references import SNAPSHOT_HELP, index_name, index_or_snapshot
from indexvault.cli.upkeep import AddVerb
from indexvault.model import IndexName
from indexvault.snapshots.names import SnapshotReference


@dataclass(frozen=True, slots=True, kw_only=True)
class DiffRequest:
    """Say what changed from a snapshot to another one, or to a live index; `fields` asks for the fields too."""

    before: SnapshotReference
    after: SnapshotReference | IndexName
    fields: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class FindRequest:
    """Follow one document through the snapshots of an index; `show` asks for its versions."""

    index: IndexName
    key: str
    show: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportRequest:
    """Write a snapshot to a folder."""

    snapshot: SnapshotReference
    folder: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportRequest:
    """Make a folder a snapshot of an index."""

    folder: Path
    index: IndexName


type ContentsRequest = DiffRequest | FindRequest | ExportRequest | ImportRequest


def add_contents_verbs(add_verb: AddVerb) -> None:
    """Add the verbs."""
    diff = add_verb(
        "diff",
        "say what changed between two snapshots, or since one",
        "Name the documents that were added, removed or changed from the first to the second, and what differs in the"
        " definitions. Chunks that both have are not read.",
    )
    diff.add_argument("before", metavar="SNAPSHOT", help=SNAPSHOT_HELP)
    diff.add_argument("after", metavar="SNAPSHOT|SERVICE/INDEX", help="another snapshot, or an index as it is now")
    diff.add_argument("--fields", action="store_true", help="name the fields that changed, too")

    find = add_verb(
        "find",
        "follow one document through the snapshots",
        "Say in which snapshots of an index a document appeared, changed and vanished.",
    )
    find.add_argument("index", metavar="SERVICE/INDEX", help="whose snapshots")
    find.add_argument("key", metavar="KEY", help="the document's key")
    find.add_argument("--show", action="store_true", help="print each version of the document")

    export = add_verb(
        "export",
        "write a snapshot to a folder of plain files",
        "Write the documents as JSON Lines, the definition and the synonym maps to a folder, for any other tool.",
    )
    export.add_argument("snapshot", metavar="SNAPSHOT", help=SNAPSHOT_HELP)
    export.add_argument("folder", metavar="FOLDER", type=Path, help="a new or an empty folder")

    bring = add_verb(
        "import",
        "make a folder of plain files a snapshot",
        "Make a snapshot of a folder with a definition.json and documents in *.jsonl files, in any order: an exported"
        " one, or a dump made elsewhere.",
    )
    bring.add_argument("folder", metavar="FOLDER", type=Path, help="the folder")
    bring.add_argument(
        "--as", metavar="SERVICE/INDEX", required=True, dest="index", help="the index that it becomes a snapshot of"
    )


def _diff(given: argparse.Namespace) -> ContentsRequest:
    return DiffRequest(
        before=SnapshotReference.parse(given.before), after=index_or_snapshot(given.after), fields=given.fields
    )


def _find(given: argparse.Namespace) -> ContentsRequest:
    return FindRequest(index=index_name(given.index), key=given.key, show=given.show)


def _export(given: argparse.Namespace) -> ContentsRequest:
    return ExportRequest(snapshot=SnapshotReference.parse(given.snapshot), folder=given.folder)


def _import(given: argparse.Namespace) -> ContentsRequest:
    return ImportRequest(folder=given.folder, index=index_name(given.index))


CONTENTS_REQUESTS: dict[str, Callable[[argparse.Namespace], ContentsRequest]] = {
    "diff": _diff,
    "find": _find,
    "export": _export,
    "import": _import,
}
