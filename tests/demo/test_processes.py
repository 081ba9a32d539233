import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo import processes
from demo.processes import ServerError, free_ports


@pytest.fixture(autouse=True)
def signals() -> Iterator[None]:
    """Restore this process's signal handlers: the demo ignores signals while it ends its servers."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_free_ports_are_neighbours_that_can_be_taken() -> None:
    first = free_ports(3)
    for port in range(first, first + 3):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", port))


def test_server_that_ends_at_once_is_told_with_its_log(tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    with (
        pytest.raises(ServerError, match=f"Azurite ended at once; see {log}"),
        processes._process("Azurite", [sys.executable, "-c", "print('no')"], log, free_ports(1), {}),
    ):
        pass
    assert log.read_text() == "no\n"
