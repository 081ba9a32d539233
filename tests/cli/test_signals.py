"""Ctrl-C at any moment, and readers that go away."""

import subprocess
import sys
from pathlib import Path

import pytest
from azure.storage.blob import BlobServiceClient

from indexvault.snapshots.run_names import RUN_CONTAINER
from tests.cli.terminal import EAST, STORAGE_VERSION, WEST, Terminal, await_request

_PROJECT = Path(__file__).parents[2]
INTERRUPT_AT = """
import os, signal, sys
module = sys.argv[1]
sys.argv = ["indexvault", *sys.argv[2:]]
class Interrupter:
    def find_spec(self, name, path=None, target=None):
        if name == module:
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Interrupter())
from indexvault.cli.main import main
sys.exit(main())
"""


@pytest.mark.parametrize(
    "module",
    ["indexvault.cli.parser", "argparse", "indexvault.cli.run", "rich.console", "indexvault.cli.commands.backup"],
)
def test_an_interrupt_during_start_up_is_one_line(module: str) -> None:
    result = subprocess.run(  # noqa: S603 - the command under test
        [sys.executable, "-c", INTERRUPT_AT, module, "backup", EAST],
        capture_output=True,
        text=True,
        check=False,
        cwd=_PROJECT,
    )
    assert (result.returncode, result.stderr) == (130, "indexvault: interrupted\n")


@pytest.mark.slow  # starts many processes
@pytest.mark.parametrize("lines", [5, 20])
def test_work_goes_on_when_nobody_reads_its_log(terminal: Terminal, lines: int) -> None:
    terminal.east.fill("notes", 1500)
    process = terminal.start_with_one_stream("backup", EAST, "notes", "--log-level", "debug")
    assert process.stdout is not None
    for _ in range(lines):
        assert process.stdout.readline()
    process.stdout.close()
    assert process.wait(60) == 1  # its result can't be written either
    assert len(terminal.references("notes")) == 1


@pytest.mark.slow  # starts many processes
def test_a_restore_that_was_stopped_in_order_frees_its_index(terminal: Terminal) -> None:
    terminal.east.fill("notes", 10)
    reference = terminal.back_up("notes")
    terminal.west.faults({"fault": "latency", "operation": "index_documents", "seconds": 60, "skip": 1})
    process = terminal.start("restore", reference, "--to", WEST)
    await_request(process, terminal.west, "index_documents", 2)
    assert "leased" in leases(terminal.connection_string).values()
    assert terminal.interrupt(process).code == 130
    assert set(leases(terminal.connection_string).values()) == {"available"}
    terminal.west.faults()
    again = terminal.indexvault("restore", reference, "--to", WEST)
    assert again.code == 0, again.stderr


def leases(connection_string: str) -> dict[str, str]:
    """Return the state of the lease of each record."""
    with BlobServiceClient.from_connection_string(connection_string, api_version=STORAGE_VERSION) as account:
        container = account.get_container_client(RUN_CONTAINER)
        return {blob.name: blob.lease.state for blob in container.list_blobs()}
