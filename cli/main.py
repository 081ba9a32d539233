"""The entry of `indexvault`."""

import os
import sys
from collections.abc import Sequence

from cli.arguments import parse
from cli.exit_codes import CANCELLED


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line asks and give the exit code. Nothing that goes wrong leaves here as an exception."""
    try:
        given = parse(arguments)
        # The C library beneath the workflow engine writes to stderr by itself.
        os.environ.setdefault("GRPC_VERBOSITY", "NONE")
        from cli.run import run  # noqa: PLC0415 - so that --help and usage errors answer at once

        return run(given, os.environ, stdout=sys.stdout, stderr=sys.stderr)
    except KeyboardInterrupt:
        sys.stderr.write("indexvault: stopped\n")
        return CANCELLED
