import io
import subprocess
import sys
import time

import pytest

from indexvault.cli.output import Output
from indexvault.errors import NotFoundError

NOTHING_SET_UP = '{"stores": {}, "services": {}}'


def run_in_shell(command: str) -> subprocess.CompletedProcess[str]:
    """Run a shell command in which $INDEXVAULT is the command line."""
    return subprocess.run(  # noqa: S603 - the command under test
        ["/bin/sh", "-c", command],
        env={"INDEXVAULT": f"{sys.executable} -m indexvault", "INDEXVAULT_CONFIG": NOTHING_SET_UP},
        capture_output=True,
        text=True,
        check=False,
    )


def test_output_that_can_not_be_written_is_said_in_one_line() -> None:
    result = run_in_shell("$INDEXVAULT snapshots > /dev/full")
    assert result.returncode == 1
    assert result.stderr == (
        "indexvault: stdout: the output can't be written (No space left on device). Free space, or write elsewhere\n"
    )


@pytest.mark.parametrize("stream", [">&-", "> /dev/full"])
@pytest.mark.parametrize("form", ["", "--json"])
def test_an_error_is_told_on_stderr_whatever_becomes_of_stdout(stream: str, form: str) -> None:
    result = run_in_shell(f"$INDEXVAULT {form} snapshots nobody {stream}")
    assert result.returncode == 4
    assert result.stderr == (
        "indexvault: service nobody: no service of this name is configured. Known services: none\n"
    )


def test_nobody_needs_to_listen() -> None:
    assert run_in_shell("$INDEXVAULT snapshots nobody >&- 2>&-").returncode == 4


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_a_terminal_sees_at_once_that_work_has_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    stderr = Terminal()
    output = Output(as_json=False, stdout=io.StringIO(), stderr=stderr)
    output.starting("backup: starting")
    until = time.monotonic() + 30
    while "backup: starting" not in stderr.getvalue():
        assert time.monotonic() < until, "nothing is drawn"
        time.sleep(0.01)
    output.error(NotFoundError("it is not there", on="it", do="Look elsewhere"))
    drawn, _, after = stderr.getvalue().partition("indexvault: ")
    assert "\x1b[2K" in drawn  # the line is erased before the error is printed
    assert "it is not there" in after
    assert "starting" not in after


def test_a_file_sees_nothing_before_there_is_something() -> None:
    stderr = io.StringIO()
    output = Output(as_json=False, stdout=io.StringIO(), stderr=stderr)
    output.starting("backup: starting")
    output.started()
    assert stderr.getvalue() == ""
