"""`make serve`: what it says where it can't start, and that what it prints to try gets in nobody's way."""

import socket
import subprocess
import sys
from pathlib import Path

from demo.hotels import INDEX
from indexvault.settings.patterns import select
from tests.serve import ARCHIVE, LINES, POLICIES

PROJECT = Path(__file__).parents[2]


def test_a_busy_port_is_one_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process = subprocess.run(  # noqa: S603 - the command under test
            [sys.executable, "-m", "tests.serve", str(port)],
            cwd=PROJECT,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert process.returncode == 1
    assert process.stdout == ""
    assert process.stderr == (
        f"serve: port {port} is taken on this machine, perhaps by another `make serve`. Stop that one, or take another"
        " port: make serve PORT=7072\n"
    )


def test_the_policy_works_on_none_of_the_indexes_that_the_printed_lines_do() -> None:
    [policy] = POLICIES.values()
    assert select([INDEX, ARCHIVE], policy["indexes"]).found == [ARCHIVE]
    assert ARCHIVE not in LINES


def test_the_printed_lines_wait_for_the_backup_before_they_restore_it() -> None:
    lines = LINES.splitlines()
    [waits] = [number for number, line in enumerate(lines) if "until curl" in line]
    [backs_up] = [number for number, line in enumerate(lines) if "/api/backups" in line]
    [restores] = [number for number, line in enumerate(lines) if "/api/restores" in line]
    assert backs_up < waits < restores
