"""`indexvault serve`: its address, how it ends, and how it opens a browser."""

import json
import re
import stat
from collections.abc import Mapping
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from indexvault.cli.commands.serve import opened
from tests.cli.terminal import Terminal


def ask(connection: HTTPConnection, path: str, **headers: str) -> tuple[int, Mapping[str, str], str]:
    """Send a request, and return status, headers and body of the answer."""
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    return answer.status, dict(answer.getheaders()), answer.read().decode()


@pytest.mark.slow  # starts a process
def test_it_serves_until_interrupted_and_ends_well(terminal: Terminal) -> None:
    terminal.east.fill("notes", 10)
    terminal.back_up("notes")
    process = terminal.start("serve", "--json")
    assert process.stdout is not None
    url = json.loads(process.stdout.readline())["url"]
    assert re.fullmatch(r"http://127\.0\.0\.1:[0-9]+/\?token=[\w-]{43}", url)
    with closing(HTTPConnection(urlsplit(url).netloc, timeout=60)) as connection:
        assert ask(connection, "/")[0] == 403
        status, headers, _ = ask(connection, f"/?{urlsplit(url).query}")
        assert (status, headers["Location"]) == (303, "/")
        status, _, page = ask(connection, "/", Cookie=headers["Set-Cookie"].partition(";")[0])
    assert status == 200
    assert "notes" in page
    assert "token=" not in page
    result = terminal.interrupt(process)
    assert result.code == 0
    assert "Traceback" not in result.stderr


@pytest.mark.slow  # starts a process
def test_a_port_that_is_taken_is_one_line(terminal: Terminal) -> None:
    port = terminal.settings["services"]["contoso-east"]["endpoint"].rpartition(":")[2]
    result = terminal.wait(terminal.start("serve", "--port", port))
    assert result.code == 2
    assert f"port {port}: it can't be listened on" in result.error_line


def test_what_is_no_port_is_refused(terminal: Terminal) -> None:
    assert terminal.indexvault("serve", "--port", "65536").code == 2


def test_the_token_is_not_among_the_arguments_of_the_browser() -> None:
    seen: list[str] = []

    def browse(url: str) -> bool:
        seen.append(url)
        path = Path(url.removeprefix("file://"))
        assert 'url=http://127.0.0.1:1/?token=a&amp;b"' in path.read_text(encoding="utf-8")
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        return True

    with opened("http://127.0.0.1:1/?token=a&b", browse) as worked:
        assert worked
    assert "token" not in seen[0]
    assert not Path(seen[0].removeprefix("file://")).exists()
