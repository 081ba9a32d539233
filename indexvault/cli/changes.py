"""The options of reading by changes."""

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from datetime import timedelta

import msgspec

from indexvault.errors import SettingsError
from indexvault.settings.changes import check_changes
from indexvault.settings.model import ChangesSettings

_OPTIONS = {"field": "--changes", "margin": "--changes-margin", "prove_every": "--prove-every"}


def add_changes(parser: ArgumentParser) -> None:
    """Add --changes, --changes-margin and --prove-every."""
    parser.add_argument(
        "--changes",
        metavar="FIELD",
        help="read only the documents that this field says were changed since the last snapshot; the first reading, and"
        " one each --prove-every, reads the whole index",
    )
    parser.add_argument(
        "--changes-margin",
        metavar="DURATION",
        type=duration,
        help="with --changes: how far the field may be behind the clock when a document is written (default PT10M)",
    )
    parser.add_argument(
        "--prove-every",
        metavar="DURATION",
        type=duration,
        help="with --changes: after how long the whole index is read again (default P7D)",
    )


def read_changes(arguments: Namespace) -> ChangesSettings | None:
    """Return how to read by changes, or None to read in full.

    Raises SettingsError for options that contradict each other, and for a name that no field can have.
    """
    given = {
        member: getattr(arguments, option.removeprefix("--").replace("-", "_"))
        for member, option in _OPTIONS.items()
        if getattr(arguments, option.removeprefix("--").replace("-", "_")) is not None
    }
    if "field" not in given:
        if given:
            raise SettingsError(
                "it goes with --changes only", on=_OPTIONS[next(iter(given))], do="Name the field with --changes"
            )
        return None
    try:
        changes = msgspec.convert(given, ChangesSettings)
    except msgspec.ValidationError:
        raise SettingsError(
            "no field can have this name", on=f"--changes {given['field']!r}", do="Give the name of one field"
        ) from None
    check_changes(changes, on="--changes")
    return changes


def duration(text: str) -> timedelta:
    """Read a duration as in the settings, such as PT10M. Raises ArgumentTypeError when it is none."""
    try:
        return msgspec.convert(text, timedelta)
    except msgspec.ValidationError:
        raise ArgumentTypeError(f"{text!r} is no duration; write it as PT10M, PT2H or P7D") from None
