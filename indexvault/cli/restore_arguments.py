"""What the command line takes about a restore or a move."""

import argparse
from pathlib import Path
from typing import Any

from indexvault.errors import NotFoundError, SettingsError

_MOST_BYTES = 16 * 1024 * 1024


def add_restore_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of `indexvault restore`."""
    parser.add_argument(
        "--to",
        metavar="SERVICE[/INDEX]",
        required=True,
        help="where to restore to, an index or an alias (default name: the snapshot's index)",
    )
    parser.add_argument(
        "--mode",
        choices=("create", "replace", "sync", "fill"),
        default="create",
        help="create: a new index (default). replace: a new index beside the old one, then the alias is swapped. sync:"
        " the existing index is made equal to the snapshot. fill: only documents that it lacks",
    )
    parser.add_argument("--dry-run", action="store_true", help="check everything, write nothing")
    add_target_options(parser)
    parser.add_argument(
        "--replace-in-place",
        action="store_true",
        help="with --mode replace and a plain index: delete it, once every chunk is proved, and make it anew",
    )
    parser.add_argument(
        "--delete-old",
        action="store_true",
        help="delete the replaced index once the new one answers, if it is unchanged",
    )
    parser.add_argument(
        "--update-definition", action="store_true", help="with --mode sync or fill: as far as a live index allows"
    )
    parser.add_argument("--key", action="append", default=[], metavar="KEY", help="only this document; repeatable")
    parser.add_argument("--keys", type=Path, metavar="FILE", help="only the documents whose keys are its lines")
    parser.add_argument(
        "--filter",
        metavar="JMESPATH",
        help="only documents of the snapshot for which this is true, such as 'Rating >= `4`'",
    )
    parser.add_argument("--store", metavar="STORE", help="read the snapshot from this store (default: the service's)")
    parser.add_argument(
        "--rename",
        action="append",
        default=[],
        metavar="RULE",
        help="with a whole service: names on the target, such as '*=dr-*'; repeatable, the first that fits decides",
    )
    parser.add_argument(
        "--indexes",
        action="append",
        default=[],
        metavar="PATTERN",
        help="with a whole service: only these of its indexes, such as '*' and '!tmp-*'; repeatable",
    )
    parser.add_argument("--resume", action="store_true", help="go on with the unfinished restore into this target")
    parser.add_argument(
        "--discard-unfinished",
        action="store_true",
        help="forget the unfinished restore into this target; its index stays as it is",
    )


def add_move_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of `indexvault move`."""
    parser.add_argument(
        "--to", metavar="SERVICE[/INDEX]", required=True, help="where to move it to (default name: the index's own)"
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="check everything, say what would be done, write nothing"
    )
    parser.add_argument("--snapshot", metavar="SNAPSHOT", help="use this snapshot of it (default: a fresh one is made)")
    add_target_options(parser)
    parser.add_argument(
        "--delete-source",
        action="store_true",
        help="delete the source at the end, if nothing has changed it since it was compared",
    )
    parser.add_argument("--forget", action="store_true", help="forget an earlier, unfinished move of this index")


def add_target_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that a restore and a move share."""
    parser.add_argument("--alias", metavar="NAME", help="make this alias, or swap it, once the new index is proved")
    parser.add_argument(
        "--patch", type=Path, metavar="FILE", help="change the definition by a JSON Merge Patch, fields by name"
    )
    parser.add_argument(
        "--overlay", metavar="NAME", help="fill secrets in, which no snapshot holds, from this overlay of the settings"
    )
    parser.add_argument(
        "--accept-loss", action="store_true", help="restore a lossy snapshot, without the fields it lacks"
    )
    parser.add_argument(
        "--allow-cross-region", action="store_true", help="the data may leave the region of its service"
    )
    parser.add_argument(
        "--skip-refused", action="store_true", help="go on without documents that the target refuses; they are listed"
    )


def target_options(given: argparse.Namespace) -> dict[str, Any]:
    """Return the options that a restore and a move share, as members of their jobs."""
    return {
        "alias": given.alias,
        "patch": _read(given.patch) if given.patch is not None else None,
        "overlay": given.overlay,
        "accept_loss": given.accept_loss,
        "allow_cross_region": given.allow_cross_region,
        "skip_refused": given.skip_refused,
    }


def move_options(given: argparse.Namespace) -> dict[str, Any]:
    """Return the options of a move as members of a MoveJob. Raises an error for a file that can't be read."""
    return {**target_options(given), "delete_source": given.delete_source, "forget": given.forget}


def restore_options(given: argparse.Namespace) -> dict[str, Any]:
    """Return the options of a restore as members of a RestoreJob. Raises an error for a file that can't be read."""
    keys = list(given.key)
    if given.keys is not None:
        keys += [line.strip() for line in _read(given.keys).splitlines() if line.strip()]
    return {
        **target_options(given),
        "mode": given.mode,
        "in_place": given.replace_in_place,
        "delete_old": given.delete_old,
        "update_definition": given.update_definition,
        "keys": tuple(sorted(set(keys))),
        "filter": given.filter,
        "store": given.store,
        "resume": given.resume,
        "discard_unfinished": given.discard_unfinished,
    }


def service_options(given: argparse.Namespace) -> dict[str, Any]:
    """Return the options of a whole service's restore. Raises SettingsError for one that only an index can have."""
    only = {
        "--mode": given.mode != "create",
        "--dry-run": given.dry_run,
        "--alias": given.alias is not None,
        "--patch": given.patch is not None,
        "--replace-in-place": given.replace_in_place,
        "--delete-old": given.delete_old,
        "--update-definition": given.update_definition,
        "--key": bool(given.key),
        "--keys": given.keys is not None,
        "--filter": given.filter is not None,
        "--store": given.store is not None,
        "--resume": given.resume,
        "--discard-unfinished": given.discard_unfinished,
    }
    used = [name for name, is_used in only.items() if is_used]
    if used:
        raise SettingsError(
            f"{', '.join(used)} can't be used with a whole service", on="restore", do="Restore single indexes so"
        )
    return {
        "rename": tuple(given.rename),
        "indexes": tuple(given.indexes) or ("*",),
        "overlay": given.overlay,
        "accept_loss": given.accept_loss,
        "allow_cross_region": given.allow_cross_region,
        "skip_refused": given.skip_refused,
    }


def _read(path: Path) -> str:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise NotFoundError(
            f"it can't be read ({error.strerror})", on=f"file {path}", do="Check the path on the command line"
        ) from None
    if len(data) > _MOST_BYTES:
        raise SettingsError("it is larger than 16 MB", on=f"file {path}", do="Give a smaller file")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise SettingsError("it is no text in UTF-8", on=f"file {path}", do="Save it as UTF-8") from None
