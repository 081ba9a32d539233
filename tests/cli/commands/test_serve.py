"""`indexvault serve`: its address, how it ends, and how it opens a browser."""

import json
import re
import signal
import stat
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from indexvault.cli.commands.serve import opened
from tests.cli.terminal import Terminal


def test_it_serves_until_interrupted_and_ends_well(terminal: Terminal) -> None:
    terminal.east.fill("notes", 10)
    terminal.back_up("notes")
    process = terminal.start("serve", "--json")
    assert process.stdout is not None
    url = json.loads(process.stdout.readline())["url"]
    assert re.fullmatch(r"http://127\.0\.0\.1:[0-9]+/\?token=[\w-]{43}", url)
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(url.partition("?")[0], timeout=30)  # noqa: S310 - on loopback
    assert refused.value.code == 403
    refused.value.close()
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
    with opener.open(url, timeout=60) as answer:
        page = answer.read().decode()
    assert "notes" in page
    assert "token=" not in page
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 0
    assert process.stderr is not None
    assert "Traceback" not in process.stderr.read()


def test_a_port_that_is_taken_is_one_line(terminal: Terminal) -> None:
    port = terminal.settings["services"]["contoso-east"]["endpoint"].rpartition(":")[2]
    result = terminal.indexvault("serve", "--port", port)
    assert result.code == 2
    assert f"port {port}: it can't be listened on" in result.error_line
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
