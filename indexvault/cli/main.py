"""The entry of `indexvault`.

It imports nothing slow itself, so that Ctrl-C ends the process in one line from its first moments on.
"""

import os
import signal
import sys
from collections.abc import Sequence

_INTERRUPTED = "indexvault: interrupted\n"
_INTERRUPTED_RECORD = (
    '{"event":"error","kind":"CancelledError","what":"interrupted","on":"indexvault",'
    '"do":"Run it again","exit_code":130}\n'
)
_SHOW_CURSOR = "\x1b[?25h"
"""What is drawn on a terminal hides its cursor until it ends."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code; every error is reported here, none is raised.

    None stands for this process's own arguments: then Ctrl-C ends the process at once except while a command runs,
    which ends in order. Ends the process, as argparse does, for --help, --version and a command line that can't be
    parsed.
    """
    if arguments is None:
        _end_on_interrupt(_interrupted(None))
    try:
        code = _run(arguments)
    except KeyboardInterrupt:
        sys.stderr.write(_interrupted(arguments))
        code = 130
    finally:
        if arguments is None:
            _end_on_interrupt(_interrupted(None))
    return code


def _run(arguments: Sequence[str] | None) -> int:
    from indexvault.cli.parser import parse  # noqa: PLC0415 - Ctrl-C while this is imported is no traceback

    _open_closed_streams()
    # The C library beneath the workflow engine writes to stderr by itself. It reads this when it is imported.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    parsed = parse(arguments)
    from indexvault.cli.run import run  # noqa: PLC0415 - so that --help and usage errors answer at once

    return run(parsed, os.environ, stdout=sys.stdout, stderr=sys.stderr, stdin=sys.stdin)


def _interrupted(arguments: Sequence[str] | None) -> str:
    """Return the line that says so; with --json a record, as every line on stderr is then."""
    return _INTERRUPTED_RECORD if "--json" in (sys.argv if arguments is None else arguments) else _INTERRUPTED


def _end_on_interrupt(line: str) -> None:
    """Let Ctrl-C end this process with one line, where Python would print a traceback of what it interrupted."""

    def end(_number: int, _frame: object) -> None:
        try:
            os.write(2, (_SHOW_CURSOR if os.isatty(2) else "").encode() + line.encode())
        finally:
            os._exit(130)

    signal.signal(signal.SIGINT, end)


def _open_closed_streams() -> None:
    """Replace streams that the caller has closed by the null device, so that no socket gets their file number."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123 - open to the end; pathlib is slow to load
