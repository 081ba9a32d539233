"""`indexvault alerts`: what is wrong, and a test of the webhooks."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from tests.cli.terminal import EAST, WEST, Terminal


class Receiver(HTTPServer):
    """Takes what it is sent, or answers with another status."""

    status = 200
    bodies: list[bytes]


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        self.server.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def receiver(terminal: Terminal) -> Iterator[Receiver]:
    """Run a receiver, to which the settings have a webhook."""
    server = Receiver(("127.0.0.1", 0), _Handler)
    server.bodies = []
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    terminal.settings["alerts"] = {"webhooks": {"operators": {"url": {"env": "HOOK"}, "format": "slack"}}}
    terminal.environment["HOOK"] = f"http://127.0.0.1:{server.server_port}/services/a-secret-path"
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_what_is_wrong_is_told_with_what_to_do_and_an_exit_code(terminal: Terminal) -> None:
    terminal.east.fill("notes", 10)
    assert terminal.indexvault("alerts").stdout == "nothing is wrong\n"
    terminal.settings["policies"] = {"nightly": {"service": EAST, "schedule": "0 0 2 * * *", "indexes": ["notes"]}}
    found = terminal.indexvault("alerts")
    assert found.code == 1
    assert found.stdout.splitlines()[:2] == [
        f"red    no-snapshot  {EAST}/notes",
        "       there is no complete snapshot",
    ]
    terminal.back_up("notes")
    assert terminal.indexvault("alerts").code == 0
    terminal.settings["services"][WEST]["endpoint"] = "http://127.0.0.1:9"
    records = terminal.indexvault("--json", "alerts").records
    assert [(each["kind"], each["subject"]) for each in records] == [("unread", f"service {WEST}")]


def test_a_test_arrives_and_its_failure_is_told_without_the_address(terminal: Terminal, receiver: Receiver) -> None:
    assert terminal.indexvault("alerts", "test").stdout == "operators  took the test\n"
    assert b"a test, nothing has happened" in receiver.bodies[0]
    receiver.status = 404
    failed = terminal.indexvault("alerts", "test", "operators")
    assert failed.code == 1
    assert failed.stdout == "operators  it answered 404: there is no such webhook\n"
    assert "a-secret-path" not in failed.stdout + failed.stderr
    assert terminal.indexvault("alerts", "test", "nobody").code == 4
    assert terminal.indexvault("alerts", "tets").code == 2
    del terminal.environment["HOOK"]
    unset = terminal.indexvault("alerts", "test")
    assert "the environment variable HOOK is not set" in unset.stdout
