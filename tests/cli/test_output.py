import io
import json
import logging
import subprocess
import sys
import time

import pytest

from indexvault.cli.logs import configure_logs
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
    if form:
        told = json.loads(result.stderr)
        assert (told["event"], told["on"], told["exit_code"]) == ("error", "service nobody", 4)
    else:
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


def records(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize("kind", [io.StringIO, Terminal])
def test_with_json_all_of_stderr_is_json(kind: type[io.StringIO], logging_as_before: None) -> None:
    stdout, stderr = io.StringIO(), kind()
    output = Output(as_json=True, stdout=stdout, stderr=stderr)
    configure_logs("warning", output.notes, as_json=True)
    output.starting("backup: starting")
    with output.progress("contoso-east/notes") as progress:
        progress.advance("read", documents=5, bytes=10, expected=9)
        progress.advance("verify", documents=9)
    logging.getLogger("indexvault").warning("a store is slow\nforged")
    output.note("it was deleted")
    assert output.error(NotFoundError("it is not there", on="it", do="Look elsewhere")) == 4
    assert logging_as_before is None
    told = records(stderr.getvalue())
    assert [each.get("event") for each in told] == ["progress", "progress", None, "note", "error"]
    read = told[0]
    assert (read["subject"], read["stage"], read["ended"]) == ("contoso-east/notes", "read", True)
    assert (read["documents"], read["expected"], read["bytes"]) == (5, 9, 10)
    assert told[-1] == records(stdout.getvalue())[-1]
    assert (told[-1]["what"], told[-1]["do"], told[-1]["exit_code"]) == ("it is not there", "Look elsewhere", 4)


def test_without_json_a_note_is_a_line() -> None:
    stderr = io.StringIO()
    Output(as_json=False, stdout=io.StringIO(), stderr=stderr).note("it was deleted")
    assert stderr.getvalue() == "it was deleted\n"
