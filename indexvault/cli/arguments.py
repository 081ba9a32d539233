"""The command line's grammar, and its help."""

import argparse
from collections.abc import Sequence
from functools import partial
from typing import Any, NoReturn

from indexvault.cli.contents import CONTENTS_REQUESTS, add_contents_verbs
from indexvault.cli.deployments import DEPLOYMENT_REQUESTS, add_deployment_verbs, add_key, add_url
from indexvault.cli.references import SNAPSHOT_HELP, index_or_snapshot, place
from indexvault.cli.requests import (
    BackupRequest,
    CheckRequest,
    HealRequest,
    MoveRequest,
    Request,
    RestoreRequest,
    RestoreServiceRequest,
    ShowRequest,
    SnapshotsRequest,
    UnlockRequest,
    VerifyRequest,
)
from indexvault.cli.restore_arguments import (
    add_move_options,
    add_restore_options,
    move_options,
    restore_options,
    service_options,
)
from indexvault.cli.upkeep import UPKEEP_REQUESTS, add_upkeep_verbs
from indexvault.errors import SettingsError
from indexvault.snapshots.names import SERVICE_OBJECTS, SnapshotReference
from indexvault.snapshots.slices import Slice
from indexvault.version import VERSION

LOG_LEVELS = ("debug", "info", "warning", "error")
PARALLEL = 4
MOST_PARALLEL = 32

_ABOUT = "Back up Azure AI Search indexes to Blob Storage, and restore them to any service, region or tier."
_NOTES = """\
a SNAPSHOT is written
  SERVICE/INDEX@latest              the newest
  SERVICE/INDEX@2026-11-20T02:30Z   the newest at or before that time
  SERVICE/INDEX@20261120T023000Z-7f3a9c   the one with that id

environment
  INDEXVAULT_CONFIG  the path of the settings file, or its JSON itself
  INDEXVAULT_KEY     with --url, a function key of the deployment

exit codes
  0 done   1 failed   2 usage or settings   3 lossy   4 not found   5 conflict   6 integrity   130 cancelled
"""


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read a command line; None stands for this process's own. The result has `json`, `log_level` and what is asked.

    Ends the process, as argparse does, for --help, --version and what it can't read.
    """
    return _parser().parse_args(arguments)


def request_of(given: argparse.Namespace) -> Request:
    """Return what is asked. Raises SettingsError for a name that can't be one."""
    return _REQUESTS[given.verb](given)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="indexvault", description=_ABOUT, epilog=_NOTES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--version", action="version", version=f"indexvault {VERSION}")
    _add_common(parser, json=False, log_level="warning", url=None)
    add_key(parser)
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True, title="verbs", parser_class=_Parser)

    backup = _add_verb(
        verbs,
        "backup",
        "make a snapshot of each index",
        "Make a snapshot of each named index, or of all indexes of the service. One that fails does not keep the others"
        " from being backed up; the exit code is that of the worst.",
    )
    backup.add_argument("service", metavar="SERVICE", help="a service of the settings")
    backup.add_argument("indexes", metavar="INDEX", nargs="*", default=[], help="an index of it (default: all)")
    backup.add_argument(
        "--hidden-fields",
        choices=("report", "fail", "reveal"),
        default="report",
        help="fields that the service does not return: report them as losses (default), fail before anything is read,"
        " or reveal them while the index is read, which changes its definition for that time",
    )
    backup.add_argument("--dry-run", action="store_true", help="only say how each index would be read, and why")
    _add_parallel(backup, "key ranges of an index read at once")

    heal = _add_verb(
        verbs,
        "heal",
        "hide fields that a dead backup left revealed",
        "Hide again the fields that backups with --hidden-fields reveal have made retrievable and could not hide"
        " themselves, because they died.",
    )
    heal.add_argument("place", metavar="SERVICE[/INDEX]", nargs="?", help="only there (default: every service)")

    unlock = _add_verb(
        verbs,
        "unlock",
        "take the lock of an index from a dead run",
        "Take the lock of an index from whatever run has it, after which that run can't commit. A lock runs out by"
        " itself ten minutes after its run was last heard of: this is for when that is too long.",
    )
    unlock.add_argument("place", metavar="SERVICE/INDEX", help="the index")

    snapshots = _add_verb(
        verbs, "snapshots", "list the snapshots there are", "List the snapshots there are, newest first."
    )
    snapshots.add_argument(
        "place", metavar="SERVICE[/INDEX]", nargs="?", help="only of this service, or index (default: every store)"
    )

    show = _add_verb(verbs, "show", "tell what a snapshot holds", "Tell what a snapshot holds and what it lacks.")
    _add_snapshot(show)

    verify = _add_verb(
        verbs,
        "verify",
        "read a snapshot back and prove it",
        "Read every chunk of a snapshot back and check all that its manifest says of it, or do so with all snapshots of"
        " an index, reading what they share once. No search service is asked.",
    )
    verify.add_argument("snapshot", metavar="SNAPSHOT|SERVICE/INDEX", help=f"{SNAPSHOT_HELP}; or all of an index")
    amount = verify.add_mutually_exclusive_group()
    amount.add_argument("--sample", metavar="N/T", help="read back only slice N of T; 1/12 to 12/12 are everything")
    amount.add_argument("--sizes", action="store_true", help="only check that all is there and as large as it was")
    verify.add_argument("--store", metavar="STORE", help="in this store (default: the service's own)")
    _add_parallel(verify, "chunks read at once")

    restore = _add_verb(
        verbs,
        "restore",
        "rebuild an index from a snapshot and prove it",
        "Check that the restore can work, prove the snapshot, write the target, and compare every document of it with"
        " the snapshot. Unless another mode is asked for, an index that exists is never touched. A restore that was"
        " stopped goes on where it was when the same command is given again. SERVICE@latest or SERVICE@<time> stands"
        " for a whole service: its synonym maps, indexes, data sources, skillsets, indexers (disabled), knowledge"
        " sources and bases, and aliases.",
    )
    _add_snapshot(restore)
    add_restore_options(restore)
    _add_parallel(restore, "parts of the snapshot handled at once")

    move = _add_verb(
        verbs,
        "move",
        "move an index to another service, tier or region, and prove it",
        "Back the index up, restore it to the target, compare the target with the source as it is then, and point an"
        " alias at it. The source is only read, unless it is to be deleted at the very end. A move that was stopped"
        " goes on where it was when the same command is given again.",
    )
    move.add_argument("source", metavar="SERVICE/INDEX", help="the index to move")
    add_move_options(move)
    _add_parallel(move, "parts of the index handled at once")

    add_upkeep_verbs(partial(_add_verb, verbs))
    add_contents_verbs(partial(_add_verb, verbs))
    add_deployment_verbs(partial(_add_verb, verbs))

    _add_verb(
        verbs,
        "check",
        "try every service and store",
        "Try that every service and store of the settings is reachable and that the roles suffice for a backup. Writes"
        " nothing but one small blob beside the snapshots, which is removed again; whether a restore would be"
        " allowed is asked with requests that can change nothing.",
    )
    return parser


class _Parser(argparse.ArgumentParser):
    """A parser whose complaints are one line with the way out, as all errors are."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options, allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        """End the process."""
        self.exit(2, f"indexvault: {' '.join(message.split())}. See {self.prog} --help\n")


def _add_verb(verbs: Any, name: str, summary: str, description: str) -> argparse.ArgumentParser:
    verb: argparse.ArgumentParser = verbs.add_parser(name, help=summary, description=description)
    _add_common(verb, json=argparse.SUPPRESS, log_level=argparse.SUPPRESS, url=argparse.SUPPRESS)
    return verb


def _add_common(parser: argparse.ArgumentParser, *, json: bool | str, log_level: str, url: str | None) -> None:
    """Add what every verb takes. It may stand before the verb too, so only the outer parser has defaults."""
    parser.add_argument(
        "--json", action="store_true", default=json, help="JSON Lines on stdout, and the log as such on stderr"
    )
    parser.add_argument(
        "--log-level",
        metavar="LEVEL",
        choices=LOG_LEVELS,
        default=log_level,
        help=f"what the log on stderr tells: {', '.join(LOG_LEVELS)} (default: warning)",
    )
    add_url(parser, default=url)


def _add_parallel(parser: argparse.ArgumentParser, what: str) -> None:
    parser.add_argument(
        "--parallel",
        metavar="N",
        type=_parallel,
        default=PARALLEL,
        help=f"{what} (1 to {MOST_PARALLEL}, default {PARALLEL})",
    )


def _add_snapshot(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("snapshot", metavar="SNAPSHOT", help=SNAPSHOT_HELP)


def _parallel(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MOST_PARALLEL:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 to {MOST_PARALLEL}")
    return int(text)


def _backup(given: argparse.Namespace) -> Request:
    return BackupRequest(
        service=given.service,
        indexes=tuple(dict.fromkeys(given.indexes)),
        parallel=given.parallel,
        hidden_fields=given.hidden_fields,
        dry_run=given.dry_run,
    )


def _heal(given: argparse.Namespace) -> Request:
    service, index = place(given.place) if given.place is not None else (None, None)
    return HealRequest(service=service, index=index)


def _unlock(given: argparse.Namespace) -> Request:
    service, index = place(given.place)
    if index is None:
        raise SettingsError("no index is named", on=repr(given.place), do="Write it as contoso-east/hotels")
    return UnlockRequest(service=service, index=index)


def _snapshots(given: argparse.Namespace) -> Request:
    service, index = place(given.place) if given.place is not None else (None, None)
    return SnapshotsRequest(service=service, index=index)


def _show(given: argparse.Namespace) -> Request:
    return ShowRequest(snapshot=SnapshotReference.parse(given.snapshot))


def _verify(given: argparse.Namespace) -> Request:
    return VerifyRequest(
        target=index_or_snapshot(given.snapshot),
        parallel=given.parallel,
        part=Slice.parse(given.sample) if given.sample is not None else None,
        sizes=given.sizes,
        store=given.store,
    )


def _restore(given: argparse.Namespace) -> Request:
    service, index = place(given.to)
    whole, at, point = given.snapshot.partition("@")
    if at and "/" not in whole:
        if index is not None:
            raise SettingsError("a whole service is restored to a service", on=repr(given.to), do="Leave the index out")
        return RestoreServiceRequest(
            snapshot=SnapshotReference.parse(f"{whole}/{SERVICE_OBJECTS}@{point}"),
            service=service,
            options={**service_options(given), "parallel": given.parallel},
        )
    return RestoreRequest(
        snapshot=SnapshotReference.parse(given.snapshot),
        service=service,
        index=index,
        options={**restore_options(given), "parallel": given.parallel},
        dry_run=given.dry_run,
    )


def _move(given: argparse.Namespace) -> Request:
    service, index = place(given.source)
    if index is None:
        raise SettingsError("no index is named", on=repr(given.source), do="Write it as contoso-east/hotels")
    target_service, target_index = place(given.to)
    return MoveRequest(
        service=service,
        index=index,
        target_service=target_service,
        target_index=target_index,
        snapshot=SnapshotReference.parse(given.snapshot) if given.snapshot is not None else None,
        options={**move_options(given), "parallel": given.parallel},
        dry_run=given.dry_run,
    )


def _check(_given: argparse.Namespace) -> Request:
    return CheckRequest()


_REQUESTS = {
    "backup": _backup,
    "heal": _heal,
    "unlock": _unlock,
    "snapshots": _snapshots,
    "show": _show,
    "verify": _verify,
    "restore": _restore,
    "move": _move,
    "check": _check,
    **UPKEEP_REQUESTS,
    **CONTENTS_REQUESTS,
    **DEPLOYMENT_REQUESTS,
}
