"""The top of the command line: common options and verbs. A verb's own arguments are in `commands/<verb>.py`."""

import argparse
import json
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NoReturn, override

from indexvault.cli.verbs import GROUPS, VERBS, load_command
from indexvault.printable import printable_json
from indexvault.suggestions import suggestion
from indexvault.version import VERSION

LOG_LEVELS = ("debug", "info", "warning", "error")

_ABOUT = "Back up Azure AI Search indexes to Blob Storage, and restore them to any service, region or tier."
_NOTES = """\
how to name a SNAPSHOT
  SERVICE/INDEX@latest              the newest
  SERVICE/INDEX@2026-11-20T02:30Z   the newest at or before that time
  SERVICE/INDEX@20261120T023000Z-7f3a9c   the one with that id

settings: the first of these that there is
  --config FILE
  INDEXVAULT_CONFIG  the path of the settings file, or the JSON itself
  indexvault.json    in this folder
  indexvault/indexvault.json in the user's configuration folder (~/.config, %APPDATA%)

a deployment, instead of settings
  INDEXVAULT_URL     its address, as --url
  INDEXVAULT_KEY     a function key of it, as --key

exit codes
  0 done   1 failed   2 usage, settings   3 lossy or unsettled   4 not found   5 conflict   6 integrity   130 cancelled
"""


_NO_VERB = "the following arguments are required: VERB"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_*-]*")
_MEANT = {
    **dict.fromkeys(("list", "ls", "snapshot", "history"), "snapshots"),
    **dict.fromkeys(("create", "save", "snap", "run"), "backup"),
    **dict.fromkeys(("rollback", "recover", "undo"), "restore"),
    **dict.fromkeys(("copy", "cp", "mv", "migrate"), "move"),
    **dict.fromkeys(("rm", "remove", "del"), "delete"),
    **dict.fromkeys(("validate", "test"), "verify"),
    **dict.fromkeys(("configure", "config", "setup", "login"), "init"),
    **dict.fromkeys(("inspect", "describe", "info", "get"), "show"),
    **dict.fromkeys(("compare",), "diff"),
    **dict.fromkeys(("gc", "forget", "clean"), "prune"),
    **dict.fromkeys(("doctor", "ping"), "check"),
    "version": "--version",
}
"""What other tools call our verbs."""


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Parse a command line; None stands for this process's own.

    The result has `verb`, `json`, `quiet`, `log_level`, `config`, `url`, `function_key` and the verb's own arguments.
    Ends the process, as argparse does, for --help, --version and a command line that can't be parsed.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:1] == ["help"]:
        given = [*given[1:2], "--help"]
    parser = _parser(as_json="--json" in given)
    parsed, unknown = parser.parse_known_args(given)
    if unknown:
        parser.end_unrecognized(given, unknown, parsed.verb)
    return parsed


def verb_parsers() -> dict[str, argparse.ArgumentParser]:
    """Return the parser of each verb, with its arguments. Imports the module of every verb."""
    parsers = {verb: _VerbParser(verb=verb, as_json=False, prog=f"indexvault {verb}") for verb in VERBS}
    for parser in parsers.values():
        parser.complete()
    return dict(parsers)


def _parser(*, as_json: bool) -> "_Parser":
    parser = _Parser(
        as_json=as_json,
        prog="indexvault",
        usage="indexvault [options] VERB ...",
        description=_ABOUT,
        epilog=_NOTES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "-V",
        "--version",
        action=_Version,
        as_json=as_json,
        help="tell the version, the format and the api-versions, and end",
    )
    verbs = parser.add_subparsers(
        dest="verb",
        prog="indexvault",
        metavar="VERB",
        required=True,
        title="verbs (indexvault help VERB tells more)",
        description=_verbs_in_groups(),
        help=argparse.SUPPRESS,
        parser_class=_VerbParser,
    )
    for verb in VERBS:
        verbs.add_parser(verb, verb=verb, as_json=as_json)
    _add_common_options(parser, {"json": False, "quiet": False, "log_level": "warning"})
    return parser


def _verbs_in_groups() -> str:
    width = max(len(verb) for verb in VERBS)
    return "\n\n".join(
        "\n".join([f"{title}:", *(f"  {verb:{width}}  {summary}" for verb, summary in verbs.items())])
        for title, verbs in GROUPS.items()
    )


class _Parser(argparse.ArgumentParser):
    """A parser that reports an error in one line with the way out, as all our errors are; with --json as a record."""

    def __init__(self, *, as_json: bool, **options: Any) -> None:
        super().__init__(**options, allow_abbrev=False)
        self._as_json = as_json

    @override
    def error(self, message: str) -> NoReturn:
        """End the process; where no verb is named, after the list of them."""
        if message == _NO_VERB:
            if not self._as_json:
                self.print_help()
            self._end(message, f"See {self.prog} --help; to begin with: indexvault init")
        self._end(" ".join(message.split()), f"See {self.prog} --help")

    def end_unrecognized(self, given: Sequence[str], unknown: Sequence[str], verb: str) -> NoReturn:
        """End the process for arguments that a verb does not take."""
        first = unknown[0]
        before = given[given.index(first) - 1] if first in given[1:] else "-"
        place = f"Write an index as {before}/{first}. " if _NAME.fullmatch(first) and _NAME.fullmatch(before) else ""
        self._end(f"unrecognized arguments: {' '.join(unknown)}", f"{place}See {self.prog} {verb} --help")

    def _end(self, what: str, do: str) -> NoReturn:
        if self._as_json:
            record = {
                "event": "error",
                "kind": "SettingsError",
                "what": what,
                "on": self.prog,
                "do": do,
                "exit_code": 2,
            }
            self.exit(2, f"{printable_json(json.dumps(record))}\n")
        self.exit(2, f"indexvault: {what}{'' if what.endswith('?') else '.'} {do}\n")

    @override
    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """Raise ArgumentError for a value that is no choice, naming the choice that it resembles."""
        if action.choices is None or value in action.choices:
            return
        choices = [str(choice) for choice in action.choices]
        meant = _MEANT.get(str(value).lower()) if action.dest == "verb" else None
        hint = f"; did you mean {meant!r}?" if meant else suggestion(str(value), choices)
        raise argparse.ArgumentError(action, f"there is no {str(value)!r}{hint or f'; known: {", ".join(choices)}'}")


class _Version(argparse.Action):
    """Print the versions of what other programs see, and end the process."""

    def __init__(self, *, as_json: bool, **options: Any) -> None:
        super().__init__(**options, nargs=0, default=argparse.SUPPRESS)
        self._as_json = as_json

    @override
    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> NoReturn:
        from indexvault.search.transport import PREVIEW, STABLE  # noqa: PLC0415 - --help does without them
        from indexvault.snapshots.manifest import FORMAT  # noqa: PLC0415 - the same

        versions = [STABLE, PREVIEW]
        record = {"event": "version", "version": VERSION, "format": FORMAT, "api_versions": versions}
        lines = [
            f"indexvault {VERSION}",
            f"format of snapshots: {FORMAT}",
            f"api-versions of Azure AI Search: {', '.join(versions)}",
        ]
        sys.stdout.write("".join(f"{line}\n" for line in ([json.dumps(record)] if self._as_json else lines)))
        parser.exit()


class _VerbParser(_Parser):
    """The parser of one verb, which imports the verb's module only when that verb is asked for."""

    def __init__(self, *, verb: str, **options: Any) -> None:
        super().__init__(**options)
        self._verb = verb

    @override
    def parse_known_args(self, args: Iterable[str] | None = None, namespace: Any = None) -> Any:
        """Add the verb's arguments, then parse. argparse calls this once, for the verb that was found."""
        self.complete()
        return super().parse_known_args(args, namespace)

    def complete(self) -> None:
        """Add the verb's arguments, once."""
        command = load_command(self._verb)
        self.description = command.description
        _add_common_options(self, {})
        command.add_arguments(self)


def _add_common_options(parser: argparse.ArgumentParser, defaults: Mapping[str, Any]) -> None:
    """Add what every verb takes. It may stand before the verb too, so only the top parser has defaults."""
    is_top = bool(defaults)

    def default(name: str) -> Any:
        return defaults.get(name) if is_top else argparse.SUPPRESS

    options = parser.add_argument_group("options of every verb")
    options.add_argument(
        "--json",
        action="store_true",
        default=default("json"),
        help="write JSON Lines to stdout: results; and to stderr: progress, the log and errors",
    )
    options.add_argument(
        "--quiet", action="store_true", default=default("quiet"), help="show no progress and log errors only"
    )
    options.add_argument(
        "--log-level",
        metavar="LEVEL",
        choices=LOG_LEVELS,
        default=default("log_level"),
        help=f"level of the log on stderr: {', '.join(LOG_LEVELS)} (default: warning)",
    )
    options.add_argument("--config", metavar="FILE", default=default("config"), help="read the settings from this file")
    options.add_argument(
        "--url",
        metavar="URL",
        default=default("url"),
        help="run the verb on this deployment, such as https://contoso-vault.azurewebsites.net, without settings",
    )
    options.add_argument(
        "--key",
        dest="function_key",
        metavar="KEY",
        default=default("function_key"),
        help="with --url, a function key of the app. Other users of this machine can see command lines, so prefer"
        " INDEXVAULT_KEY",
    )
