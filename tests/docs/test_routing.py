"""The client's probe of docs/routing.md passes on what indexvault says, and keeps it while indexvault is silent."""

import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from tests.layout.project import text_of


@pytest.fixture
def app() -> Iterator[HTTPServer]:
    """Answer every request with `status`."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(getattr(self.server, "status", 200))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Keep quiet."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def search_health(url: str) -> Any:
    """Return the page's class, made with an address."""
    (code,) = re.findall(r"```python\n(.*?)```", text_of("docs/routing.md"), re.DOTALL)
    made, threaded = code.split("health = SearchHealth(")
    assert "daemon=True" in threaded
    names: dict[str, Any] = {}
    exec(made, names)  # noqa: S102 - our own page
    return names["SearchHealth"](url)


def test_the_probe_is_down_until_indexvault_says_up_and_follows_it(app: HTTPServer, closed_port: int) -> None:
    health = search_health(f"http://127.0.0.1:{app.server_port}/api/health/contoso-east")
    assert health.status == 503
    for said, expected in ((200, 200), (500, 200), (503, 503), (500, 503), (200, 200), (404, 503), (200, 200)):
        app.status = said  # type: ignore[attr-defined]
        health.ask()
        assert health.status == expected
    health.url = f"http://127.0.0.1:{closed_port}/api/health/contoso-east"
    health.ask()
    assert health.status == 200
