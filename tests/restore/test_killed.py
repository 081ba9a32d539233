"""Restores and moves as processes that are killed: what is durable is enough to resume."""

import subprocess
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from tests.azurite import azurite, storage_account
from tests.cli.terminal import ADMIN_KEY, EAST, WEST, CommandResult, Service, Terminal, open_terminal

__all__ = ["azurite", "storage_account"]
pytestmark = pytest.mark.slow

FAULTS = (
    {"fault": "item", "probability": 0.2, "status": 503},
    {"fault": "reset", "probability": 0.05},
)
SLOWLY = {"fault": "latency", "seconds": 0.4, "operation": "index_documents"}


@pytest.fixture
def terminal(storage_account: str) -> Iterator[Terminal]:
    with open_terminal(storage_account) as opened:
        yield opened


def documents(service: Service, index: str) -> list[dict[str, Any]]:
    """Return all documents by key."""
    found: list[dict[str, Any]] = []
    while True:
        last = found[-1]["id"] if found else ""
        body = {"search": "*", "filter": f"id gt '{last}'", "orderby": "id", "top": 1000}
        page = service.call("POST", f"/indexes/{index}/docs/search?api-version=2026-04-01", body)["value"]
        if not page:
            return found
        found += [{name: value for name, value in each.items() if not name.startswith("@")} for each in page]


def batches(service: Service) -> int:
    return service.requests.get("index_documents", 0)


def has_batches(service: Service, number: int) -> bool:
    return batches(service) > number


def killed_when(terminal: Terminal, ready: Callable[[], bool], *command: str) -> None:
    """Start a command and kill it as soon as a condition holds."""
    process = terminal.start(*command)
    deadline = time.monotonic() + 300
    while not ready() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    assert process.poll() is None, process.communicate()
    process.kill()
    process.communicate()


def finished(terminal: Terminal, *command: str) -> CommandResult:
    process = terminal.start(*command)
    try:
        stdout, stderr = process.communicate(timeout=900)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    return CommandResult(process.returncode, stdout, stderr)


def test_a_restore_under_faults_and_three_kills_ends_equal(terminal: Terminal) -> None:
    terminal.east.fill("hotels", 30_000)
    snapshot = terminal.back_up("hotels")
    terminal.west.faults(*FAULTS, SLOWLY)
    command = ("restore", snapshot, "--to", WEST, "--json", "--parallel", "2")
    for _ in range(3):
        enough = batches(terminal.west) + 6
        killed_when(terminal, partial(has_batches, terminal.west, enough), *command)
        assert terminal.west.call("GET", "/indexes/hotels/docs/$count?api-version=2026-04-01") < 30_000
        other = terminal.indexvault("restore", snapshot, "--to", WEST, "--mode", "sync")
        assert other.code == 5
        assert "unfinished" in other.error_line
    terminal.west.faults(*FAULTS)
    ended = finished(terminal, *command)
    assert ended.code == 0, ended.stderr
    report = ended.records[-1]
    assert report["resumed"] is not None
    assert (report["identical"], report["uploaded"]) == (30_000, 30_000)
    terminal.west.faults()
    assert documents(terminal.west, "hotels") == documents(terminal.east, "hotels")


def test_a_move_that_is_killed_leaves_the_source_and_ends_when_asked_again(terminal: Terminal) -> None:
    terminal.east.fill("hotels", 12_000)
    whole = documents(terminal.east, "hotels")
    terminal.west.faults(SLOWLY)
    command = ("move", f"{EAST}/hotels", "--to", WEST, "--alias", "guests", "--delete-source", "--json")
    killed_when(terminal, partial(has_batches, terminal.west, 3), *command)
    assert documents(terminal.east, "hotels") == whole
    terminal.west.faults()
    ended = finished(terminal, *command)
    assert ended.code == 0, ended.stderr
    assert ended.records[-1]["source_deleted"] is True
    assert terminal.east.indexes == []
    assert documents(terminal.west, "guests") == whole
    assert ADMIN_KEY not in ended.stdout + ended.stderr
