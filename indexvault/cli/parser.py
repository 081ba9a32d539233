"""The top of the command line: common options and verbs. A verb's own arguments are in `commands/<verb>.py`."""

import argparse
from collections.abc import Iterable, Sequence
from typing import Any, NoReturn, override

from indexvault.cli.verbs import VERBS, load_command
from indexvault.version import VERSION

LOG_LEVELS = ("debug", "info", "warning", "error")

_ABOUT = "Back up Azure AI Search indexes to Blob Storage, and restore them to any service, region or tier."
_NOTES = """\
how to name a SNAPSHOT
  SERVICE/INDEX@latest              the newest
  SERVICE/INDEX@2026-11-20T02:30Z   the newest at or before that time
  SERVICE/INDEX@20261120T023000Z-7f3a9c   the one with that id

environment
  INDEXVAULT_CONFIG  the path of the settings file, or the JSON itself
  INDEXVAULT_KEY     with --url, a function key of the deployment

exit codes
  0 done   1 failed   2 usage, settings   3 lossy or unsettled   4 not found   5 conflict   6 integrity   130 cancelled
"""


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Parse a command line; None stands for this process's own.

    The result has `verb`, `json`, `log_level`, `url`, `function_key` and the verb's own arguments. Ends the process, as
    argparse does, for --help, --version and a command line that can't be parsed.
    """
    return _parser().parse_args(arguments)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="indexvault", description=_ABOUT, epilog=_NOTES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--version", action="version", version=f"indexvault {VERSION}")
    _add_common_options(parser, json=False, log_level="warning", url=None)
    _add_function_key(parser)
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True, title="verbs", parser_class=_VerbParser)
    for verb, summary in VERBS.items():
        verbs.add_parser(verb, help=summary, verb=verb)
    return parser


class _Parser(argparse.ArgumentParser):
    """A parser that reports an error in one line with the way out, as all our errors are."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options, allow_abbrev=False)

    @override
    def error(self, message: str) -> NoReturn:
        """End the process."""
        self.exit(2, f"indexvault: {' '.join(message.split())}. See {self.prog} --help\n")


class _VerbParser(_Parser):
    """The parser of one verb, which imports the verb's module only when that verb is asked for."""

    def __init__(self, *, verb: str, **options: Any) -> None:
        super().__init__(**options)
        self._verb = verb

    @override
    def parse_known_args(self, args: Iterable[str] | None = None, namespace: Any = None) -> Any:
        """Add the verb's arguments, then parse. argparse calls this once, for the verb that was found."""
        command = load_command(self._verb)
        self.description = command.description
        _add_common_options(self, json=argparse.SUPPRESS, log_level=argparse.SUPPRESS, url=argparse.SUPPRESS)
        command.add_arguments(self)
        return super().parse_known_args(args, namespace)


def _add_common_options(parser: argparse.ArgumentParser, *, json: bool | str, log_level: str, url: str | None) -> None:
    """Add what every verb takes. It may stand before the verb too, so only the top parser has defaults."""
    parser.add_argument(
        "--json",
        action="store_true",
        default=json,
        help="write JSON Lines to stdout, and the log as JSON Lines to stderr",
    )
    parser.add_argument(
        "--log-level",
        metavar="LEVEL",
        choices=LOG_LEVELS,
        default=log_level,
        help=f"level of the log on stderr: {', '.join(LOG_LEVELS)} (default: warning)",
    )
    parser.add_argument(
        "--url",
        metavar="URL",
        default=url,
        help="run the verb on this deployment, such as https://contoso-vault.azurewebsites.net, without settings",
    )


def _add_function_key(parser: argparse.ArgumentParser) -> None:
    """Add the key of a deployment, before the verb only: a restore's --key names a document."""
    parser.add_argument(
        "--key",
        dest="function_key",
        metavar="KEY",
        help="with --url, before the verb: a function key of the app. Other users of this machine can see command"
        " lines, so prefer INDEXVAULT_KEY",
    )
