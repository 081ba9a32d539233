"""The entry of `indexvault`."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from indexvault.cli.exit_codes import CANCELLED
from indexvault.cli.parser import parse


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code; every error is reported here, none is raised.

    Ends the process, as argparse does, for --help, --version and a command line that can't be parsed.
    """
    _open_closed_streams()
    # The C library beneath the workflow engine writes to stderr by itself. It reads this when it is imported.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    try:
        parsed = parse(arguments)
        from indexvault.cli.run import run  # noqa: PLC0415 - so that --help and usage errors answer at once

        return run(parsed, os.environ, stdout=sys.stdout, stderr=sys.stderr)
    except KeyboardInterrupt:
        sys.stderr.write("indexvault: interrupted\n")
        return CANCELLED


def _open_closed_streams() -> None:
    """Replace streams that the caller has closed by the null device, so that no socket gets their file number."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 - open to the end
