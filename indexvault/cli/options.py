"""Options that several verbs share."""

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec

from indexvault.errors import NotFoundError, SettingsError
from indexvault.model import TargetOptions
from indexvault.snapshots.labels import check_tag_filter, parse_tag

PARALLEL = 4
MOST_PARALLEL = 32
SNAPSHOT_HELP = (
    "SERVICE/INDEX@latest, @proved (the newest that is not presumed), @<time> (the newest at or before:"
    " 2026-11-20T02:30Z, yesterday, -2h, -1d, -3w) or @<id> (or four digits of its random part)"
)

TARGET_OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "alias": {"metavar": "NAME", "help": "create this alias, or swap it, once the new index is proved"},
    "patch": {
        "type": Path,
        "metavar": "FILE",
        "help": "change the definition with a JSON Merge Patch; fields are addressed by name",
    },
    "overlay": {
        "metavar": "NAME",
        "help": "take secrets, which no snapshot holds, from this overlay of the settings",
    },
    "accept_loss": {"action": "store_true", "help": "restore a lossy snapshot, without the fields it lacks"},
    "accept_unsettled": {
        "action": "store_true",
        "help": "restore an unsettled snapshot, which may lack some documents",
    },
    "accept_unauthentic": {
        "action": "store_true",
        "help": "restore a snapshot that no record key has signed: anybody may have written it",
    },
    "allow_cross_region": {"action": "store_true", "help": "allow the data to leave the region of its service"},
    "skip_refused": {
        "action": "store_true",
        "help": "skip documents that the target refuses; they are listed",
    },
}
"""The members of `model.TargetIndexOptions`, each with how its flag is parsed; `accept_loss` is --accept-loss."""

_MOST_DIGITS = 9
_MOST_BYTES = 16 * 1024 * 1024


def add_snapshot(parser: ArgumentParser) -> None:
    """Add SNAPSHOT."""
    parser.add_argument("snapshot", metavar="SNAPSHOT", help=SNAPSHOT_HELP)


def add_parallel(parser: ArgumentParser, what: str) -> None:
    """Add --parallel; `what` says what is done at once."""
    parser.add_argument(
        "--parallel",
        metavar="N",
        type=_parallel,
        default=PARALLEL,
        help=f"{what} (1 to {MOST_PARALLEL}, default {PARALLEL})",
    )


def add_target_options(parser: ArgumentParser) -> None:
    """Add the options that a restore and a move share."""
    for name, option in TARGET_OPTIONS.items():
        parser.add_argument(f"--{name.replace('_', '-')}", **option)


def read_options[Options: TargetOptions](arguments: Namespace, kind: type[Options], **others: Any) -> Options:
    """Return the options of a verb that has a target: each member of `kind` from the argument of the same name.

    `others` are members that are not arguments as they stand. Raises NotFoundError or SettingsError for a patch whose
    file can't be read.
    """
    members = {name: getattr(arguments, name) for name in kind.__struct_fields__ if name not in others}
    if members.get("patch") is not None:
        members["patch"] = read_text(members["patch"])
    return kind(**members, **others)


def read_text(path: Path) -> str:
    """Read a file that the command line names.

    Raises NotFoundError if it can't be read, SettingsError if it is larger than 16 MB or not UTF-8.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise NotFoundError(
            f"it can't be read ({error.strerror})", on=f"file {path}", do="Check the path on the command line"
        ) from None
    if len(data) > _MOST_BYTES:
        raise SettingsError("it is larger than 16 MB", on=f"file {path}", do="Use a smaller file")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise SettingsError("it is not UTF-8 text", on=f"file {path}", do="Save it as UTF-8") from None


def positive(text: str) -> int:
    """Read a number above zero. Raises ArgumentTypeError when it is something else."""
    if not text.isdecimal() or not text.isascii() or len(text) > _MOST_DIGITS or int(text) < 1:
        raise ArgumentTypeError(f"{text!r} is no number above zero")
    return int(text)


def duration(text: str) -> timedelta:
    """Read a duration such as P30D, PT6H or P1DT12H. Raises ArgumentTypeError when it is none, or not above zero."""
    try:
        found = msgspec.convert(text, timedelta)
    except msgspec.ValidationError:
        found = timedelta(0)
    if found <= timedelta(0):
        raise ArgumentTypeError(f"{text!r} is no duration; write it as P30D for 30 days or PT6H for six hours")
    return found


def tag(text: str) -> tuple[str, str]:
    """Read NAME=VALUE, or NAME. Raises ArgumentTypeError for what is no tag."""
    try:
        return parse_tag(text, "--tag")
    except SettingsError as error:
        raise ArgumentTypeError(f"{text!r}: {error.what}") from None


def tag_filter(text: str) -> str:
    """Read NAME, NAME=VALUE or NAME=PAT*. Raises ArgumentTypeError for anything else."""
    try:
        check_tag_filter(text, "--tag")
    except SettingsError as error:
        raise ArgumentTypeError(f"{text!r}: {error.what}") from None
    return text


def _parallel(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MOST_PARALLEL:
        raise ArgumentTypeError(f"{text!r} is no number from 1 to {MOST_PARALLEL}")
    return int(text)
