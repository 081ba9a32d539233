import argparse
import io
import signal
import subprocess
import sys

import pytest

from indexvault.cli.run import run
from tests.cli.terminal import EAST, Terminal, await_request


@pytest.mark.usefixtures("logging_as_before")
def test_an_unexpected_error_is_one_line_with_a_hint() -> None:
    stdout, stderr = io.StringIO(), io.StringIO()
    arguments = argparse.Namespace(verb="no-such-verb", json=False, log_level="error", quiet=False, url=None)
    assert run(arguments, {}, stdout=stdout, stderr=stderr) == 1
    assert stdout.getvalue() == ""
    assert stderr.getvalue() == (
        "indexvault: indexvault no-such-verb: unexpected KeyError."
        " Run again with --log-level debug and report what it prints\n"
    )


def test_help_and_version_need_no_settings() -> None:
    for argument, said in (("--help", "usage: indexvault"), ("--version", "indexvault ")):
        result = subprocess.run(  # noqa: S603 - the command under test
            [sys.executable, "-m", "indexvault", argument], capture_output=True, text=True, check=True
        )
        assert result.stdout.startswith(said)


@pytest.mark.slow  # starts many processes
def test_reader_who_has_gone_ends_it_quietly(terminal: Terminal) -> None:
    terminal.east.fill("notes", 3)
    terminal.back_up("notes")
    process = terminal.start("snapshots", "--json")
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == ""
    process.stderr.close()
    assert process.wait() == 1


@pytest.mark.parametrize("signals", [[signal.SIGTERM], [signal.SIGINT, signal.SIGINT]])
def test_signals_stop_it(terminal: Terminal, signals: list[int]) -> None:
    terminal.east.fill("notes", 3)
    terminal.east.faults({"fault": "latency", "operation": "search", "seconds": 60})
    process = terminal.start("backup", EAST, "notes")
    await_request(process, terminal.east, "search")
    for number in signals:
        process.send_signal(number)
    result = terminal.wait(process)
    assert result.code == 130
    assert "Traceback" not in result.stderr
