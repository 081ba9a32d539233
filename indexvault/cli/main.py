"""The entry of `indexvault`."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from indexvault.cli.arguments import parse
from indexvault.cli.exit_codes import CANCELLED


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line asks and give the exit code. Nothing that goes wrong leaves here as an exception."""
    _open_closed_streams()
    try:
        given = parse(arguments)
        # The C library beneath the workflow engine writes to stderr by itself.
        os.environ.setdefault("GRPC_VERBOSITY", "NONE")
        from indexvault.cli.run import run  # noqa: PLC0415 - so that --help and usage errors answer at once

        return run(given, os.environ, stdout=sys.stdout, stderr=sys.stderr)
    except KeyboardInterrupt:
        sys.stderr.write("indexvault: stopped\n")
        return CANCELLED


def _open_closed_streams() -> None:
    """Let what is said to a stream that the caller has closed go nowhere, and no socket take its number."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 - open to the end
