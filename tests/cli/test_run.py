import argparse
import io
import signal
import subprocess
import sys

import pytest

from indexvault.cli.run import run
from tests.cli.desk import EAST, Operator, await_request


@pytest.mark.usefixtures("logging_as_before")
def test_what_nobody_foresaw_is_one_line_with_a_hint() -> None:
    stdout, stderr = io.StringIO(), io.StringIO()
    given = argparse.Namespace(verb="no-such-verb", json=False, log_level="error", url=None)
    assert run(given, {}, stdout=stdout, stderr=stderr) == 1
    assert stdout.getvalue() == ""
    assert stderr.getvalue() == (
        "indexvault: indexvault no-such-verb: unexpected KeyError."
        " Run again with --log-level debug and report what it prints\n"
    )


def test_help_and_version_need_no_settings() -> None:
    for argument, said in (("--help", "usage: indexvault"), ("--version", "indexvault ")):
        ended = subprocess.run(  # noqa: S603 - the command under test
            [sys.executable, "-m", "indexvault", argument], capture_output=True, text=True, check=True
        )
        assert ended.stdout.startswith(said)


def test_reader_who_has_gone_ends_it_quietly(desk: Operator) -> None:
    desk.east.fill("notes", 3)
    desk.back_up("notes")
    process = desk.start("snapshots", "--json")
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == ""
    process.stderr.close()
    assert process.wait() == 1


@pytest.mark.parametrize("signals", [[signal.SIGTERM], [signal.SIGINT, signal.SIGINT]])
def test_signals_stop_it(desk: Operator, signals: list[int]) -> None:
    desk.east.fill("notes", 3)
    desk.east.faults({"fault": "latency", "operation": "search", "seconds": 60})
    process = desk.start("backup", EAST, "notes")
    await_request(process, desk.east, "search")
    for number in signals:
        process.send_signal(number)
    ended = desk.wait(process)
    assert ended.code == 130
    assert "Traceback" not in ended.stderr
