"""A real shell on a terminal of its own, whose user types and presses Tab."""

import os
import pty
import re
import select
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

_LONGEST = 60.0
_PROJECT = Path(__file__).parents[3]
_CONTROLS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>()][B0]?|\r|\x07")


class Shell:
    """An interactive shell."""

    def __init__(self, terminal: int) -> None:
        self._terminal = terminal
        self._lines = 0

    def run(self, line: str) -> None:
        """Run a line to its end."""
        self._lines += 1
        self._type(f"{line}\necho done-$(({self._lines}+1000))\n")
        self._read_until(f"\ndone-{self._lines + 1000}")

    def complete(self, line: str, key: str) -> list[str]:
        """Type a line, press a key that completes, and return the words of the line then."""
        self._lines += 1
        end = f"end{self._lines}"
        self._type(f"{line}{key}")
        self._type(f"\x01echo {self._lines}''line \x05 {end}\n")
        printed = self._read_until(f"{self._lines}line ", f" {end}")
        return printed.split()

    def _type(self, text: str) -> None:
        os.write(self._terminal, text.encode())

    def _read_until(self, start: str, end: str = "") -> str:
        """Return what the shell prints between two texts."""
        seen, deadline = "", time.monotonic() + _LONGEST
        while time.monotonic() < deadline:
            if select.select([self._terminal], [], [], 0.1)[0]:
                with suppress(OSError):
                    seen += os.read(self._terminal, 65536).decode(errors="replace")
            plain = _CONTROLS.sub("", seen)
            _, found, rest = plain.partition(start)
            if found and (not end or end in rest):
                return rest.partition(end)[0] if end else ""
        raise AssertionError(f"{start!r} did not come: {seen!r}")


@contextmanager
def open_shell(command: Sequence[str], environment: Mapping[str, str], folder: Path) -> Iterator[Shell]:
    """Start a shell that finds `indexvault`, in a folder."""
    programs = folder / "bin"
    programs.mkdir()
    (programs / "indexvault").write_text(f'#!/bin/sh\nexec {sys.executable} -m indexvault "$@"\n')
    (programs / "indexvault").chmod(0o755)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("INDEXVAULT_")}
    variables = {
        **inherited,
        "PATH": f"{programs}:{inherited['PATH']}",
        "PYTHONPATH": str(_PROJECT),
        "TERM": "dumb",
        "COLUMNS": "400",
        "HOME": str(folder),
        **environment,
    }
    ours, theirs = pty.openpty()
    with subprocess.Popen(  # noqa: S603 - a shell on this machine
        command, cwd=folder, env=variables, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    ) as process:
        os.close(theirs)
        try:
            yield Shell(ours)
        finally:
            process.kill()
            os.close(ours)
