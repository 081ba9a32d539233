import subprocess
import sys

import pytest

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
