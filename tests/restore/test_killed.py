"""Restores and moves as processes that are killed: what is durable has to be enough."""

import subprocess
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from tests.azurite import azurite, storage_account
from tests.cli.desk import ADMIN_KEY, EAST, WEST, Ended, Operator, Service, operator

__all__ = ["azurite", "storage_account"]
pytestmark = pytest.mark.slow

FAULTS = (
    {"fault": "item", "probability": 0.2, "status": 503},
    {"fault": "reset", "probability": 0.05},
)
SLOWLY = {"fault": "latency", "seconds": 0.4, "operation": "index_documents"}


@pytest.fixture
def desk(storage_account: str) -> Iterator[Operator]:
    with operator(storage_account) as seated:
        yield seated


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


def killed_when(desk: Operator, ready: Callable[[], bool], *command: str) -> None:
    """Start a command and kill it as soon as something is so."""
    process = desk.start(*command)
    deadline = time.monotonic() + 300
    while not ready() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    assert process.poll() is None, process.communicate()
    process.kill()
    process.communicate()


def finished(desk: Operator, *command: str) -> Ended:
    process = desk.start(*command)
    try:
        stdout, stderr = process.communicate(timeout=900)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    return Ended(process.returncode, stdout, stderr)


def test_a_restore_under_faults_and_three_kills_ends_equal(desk: Operator) -> None:
    desk.east.fill("hotels", 30_000)
    snapshot = desk.back_up("hotels")
    desk.west.faults(*FAULTS, SLOWLY)
    command = ("restore", snapshot, "--to", WEST, "--json", "--parallel", "2")
    for _ in range(3):
        enough = batches(desk.west) + 6
        killed_when(desk, partial(has_batches, desk.west, enough), *command)
        assert desk.west.call("GET", "/indexes/hotels/docs/$count?api-version=2026-04-01") < 30_000
        other = desk.indexvault("restore", snapshot, "--to", WEST, "--mode", "sync")
        assert other.code == 5
        assert "unfinished" in other.complaint
    desk.west.faults(*FAULTS)
    ended = finished(desk, *command)
    assert ended.code == 0, ended.stderr
    report = ended.records[-1]
    assert report["resumed"] is not None
    assert (report["identical"], report["uploaded"]) == (30_000, 30_000)
    desk.west.faults()
    assert documents(desk.west, "hotels") == documents(desk.east, "hotels")


def test_a_move_that_is_killed_leaves_the_source_and_ends_when_asked_again(desk: Operator) -> None:
    desk.east.fill("hotels", 12_000)
    whole = documents(desk.east, "hotels")
    desk.west.faults(SLOWLY)
    command = ("move", f"{EAST}/hotels", "--to", WEST, "--alias", "guests", "--delete-source", "--json")
    killed_when(desk, partial(has_batches, desk.west, 3), *command)
    assert documents(desk.east, "hotels") == whole
    desk.west.faults()
    ended = finished(desk, *command)
    assert ended.code == 0, ended.stderr
    assert ended.records[-1]["source_deleted"] is True
    assert desk.east.indexes == []
    assert documents(desk.west, "guests") == whole
    assert ADMIN_KEY not in ended.stdout + ended.stderr
